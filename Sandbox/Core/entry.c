#include "ws_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "wayside_frames.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_mounts.h"
#include "ws_namespaces.h"

#define FILE_SIZE_DEFAULT (10ull * 1024 * 1024 * 1024) /* the largest /tmp there is, Lambda's */

enum { STATUS_FD = 4, FIRST_FREE_FD = 5, PARKING_FD = 32 };

pid_t ws_entry_fork(const struct ws_entry_host *host, const struct ws_entry_plan *plan, bool to_parent) {
    static int own_pid_namespace = -1;
    if (own_pid_namespace < 0) own_pid_namespace = ws_pidfd_open(getpid());
    if (own_pid_namespace < 0) return -1;
    WS_AUTO_CLOSE int cgroup = ws_cgroup_open_for_clone(&host->cgroups, plan->order.cgroup);
    if (host->cgroups.version == 2 && cgroup < 0) return -1;
    if (setns(plan->init_pidfd, CLONE_NEWPID) < 0) return -1;
    pid_t child = ws_clone(to_parent ? CLONE_PARENT : 0, cgroup);
    if (child == 0) return 0;
    int error = errno;
    /* Later children of this process are not the container's business. Failing here would put them there: end instead. */
    if (setns(own_pid_namespace, CLONE_NEWPID) < 0) _exit(70);
    errno = error;
    return child;
}

typedef int step_function(const struct ws_entry_host *host, struct ws_entry_plan *plan);

static int attach_cgroups(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    return ws_cgroup_enter(&host->cgroups, plan->order.cgroup);
}

static int join_namespaces(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    const int all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    /* The network first: it is the worker's, over which we have no power once we are root of the instance alone. */
    if (setns(plan->network, CLONE_NEWNET) < 0) return -1;
    return setns(plan->init_pidfd, all) < 0 || chdir(WS_TASK_DIRECTORY) < 0 ? -1 : 0;
}

/* 0 = /dev/null, 1 and 2 = the log pipe, 3 = the frame socket, 4 = the status pipe until the walk ends; nothing else. */
static int arrange_descriptors(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    /* Parked high first, so that no dup2 below overwrites one that is still needed. */
    int log = fcntl(plan->log, F_DUPFD_CLOEXEC, PARKING_FD);
    int status = fcntl(plan->status, F_DUPFD_CLOEXEC, PARKING_FD);
    int frame = plan->frame < 0 ? -1 : fcntl(plan->frame, F_DUPFD_CLOEXEC, PARKING_FD);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (log < 0 || status < 0 || null < 0 || (plan->frame >= 0 && frame < 0)) return -1;
    if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) return -1;
    if (dup3(status, STATUS_FD, O_CLOEXEC) < 0) return -1;
    plan->status = STATUS_FD;
    if (frame < 0)
        close(WS_FRAME_FD);
    else if (dup2(frame, WS_FRAME_FD) < 0)
        return -1;
    return close_range(FIRST_FREE_FD, ~0u, 0);
}

/* Waiting signals and timers, of all containers of an instance together: kernel memory that no cgroup pays for. */
#define SIGNALS_MAX 4096

static int set_limit(int resource, rlim_t value) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0) return -1;
    /* Lowering needs no privilege, raising does: the launcher may itself be limited, and then that limit stands. */
    if (limit.rlim_max != RLIM_INFINITY && (value == RLIM_INFINITY || value > limit.rlim_max)) value = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max = value;
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int set_limits(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    const struct ws_entry_order *order = &plan->order;
    const struct {
        int resource;
        rlim_t value;
        bool skip;
    } limits[] = {
        {RLIMIT_NOFILE, order->nofile_max, order->nofile_max == 0},
        {RLIMIT_FSIZE, order->file_size_bytes != 0 ? order->file_size_bytes : FILE_SIZE_DEFAULT, false},
        {RLIMIT_NPROC, order->processes_max, order->processes_max == 0},
        /* A core file would carry one caller's data into the next one's /tmp. 1 and not 0: a handler that the host has set behind
         * a pipe is then not run either; core(5). */
        {RLIMIT_CORE, 1, false},
        {RLIMIT_MEMLOCK, 64 * 1024, false},
        {RLIMIT_STACK, 8 * 1024 * 1024, false},
        {RLIMIT_SIGPENDING, SIGNALS_MAX, false},
        {RLIMIT_MSGQUEUE, 0, false}, /* kernel memory that no cgroup of the container pays for */
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (!limits[i].skip && set_limit(limits[i].resource, limits[i].value) < 0) return -1;
    return 0;
}

static int start_session(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    sigset_t none;
    sigemptyset(&none);
    /* A fork of a booted interpreter keeps what that has set: Python ignores SIGPIPE, so that writing to a closed connection is
     * an exception rather than death. */
    if (plan->path != NULL) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGCHLD, SIG_DFL);
    }
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0 ? -1 : 0;
}

static int bound_capabilities(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    (void)plan;
    return ws_capabilities_bound();
}

static int set_ids(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)plan;
    /* With a single mapped id there are no groups to leave: the kernel forbids the call. */
    if (host->privileged && syscall(SYS_setgroups, 0, NULL) < 0) return -1;
    /* The bare calls: glibc's would signal every thread of the process, and there is one. */
    if (syscall(SYS_setresgid, WS_USER_ID, WS_USER_ID, WS_USER_ID) < 0) return -1;
    return (int)syscall(SYS_setresuid, WS_USER_ID, WS_USER_ID, WS_USER_ID);
}

static int drop_capabilities(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    (void)plan;
    return ws_capabilities_drop();
}

static int refuse_new_privileges(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    (void)plan;
    return ws_no_new_privileges();
}

static int restrict_paths(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    return ws_landlock_restrict(host->landlock_abi, &plan->order.tcp);
}

static void report(const struct ws_entry_plan *plan, uint32_t step, int error) {
    struct ws_status status = {.step = step, .error = error};
    while (write(plan->status, &status, sizeof status) < 0 && errno == EINTR) continue;
}

/* The listener takes the lowest number that is free, which can be told before it is there; afterwards nothing can be told. */
static int announce_listener(const struct ws_entry_plan *plan) {
    int number = fcntl(0, F_DUPFD_CLOEXEC, 0);
    if (number < 0 || close(number) < 0) return -1;
    report(plan, WS_ENTRY_LISTENER, number);
    return 0;
}

static int install_filter(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    const struct ws_narrowing *narrowing = &plan->order.narrowing;
    /* The changes of identity made /proc/self root's; a forked runtime gets the same view of itself as an executed one. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) return -1;
    if (narrowing->profile == 0 && narrowing->learn == 0) return ws_filter_install(plan->filter);
    if (narrowing->learn != 0 && announce_listener(plan) < 0) return -1;
    int listener = ws_filter_install_narrowed(plan->filter, narrowing);
    if (narrowing->learn != 0) plan->listener = listener;
    return listener < 0 ? -1 : 0;
}

static int execute(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    (void)host;
    return plan->path == NULL ? 0 : execve(plan->path, plan->arguments, plan->environment);
}

static const struct {
    enum ws_step step;
    step_function *run;
} steps[] = {
    {WS_STEP_CGROUP_ATTACH, attach_cgroups},     /* first: v1 asks that our host uid is still the launcher's */
    {WS_STEP_JOIN_NAMESPACES, join_namespaces},  /* from here on we are root of the instance, of nothing else */
    {WS_STEP_DESCRIPTORS, arrange_descriptors},
    {WS_STEP_RLIMITS, set_limits},
    {WS_STEP_SESSION, start_session},
    {WS_STEP_CAPABILITIES, bound_capabilities},  /* needs CAP_SETPCAP, which the next step takes away */
    {WS_STEP_SET_IDS, set_ids},
    {WS_STEP_CAPABILITIES, drop_capabilities},
    {WS_STEP_NO_NEW_PRIVS, refuse_new_privileges},
    {WS_STEP_LANDLOCK, restrict_paths},
    {WS_STEP_SECCOMP, install_filter},           /* last but execve: nothing above needs what it forbids */
    {WS_STEP_EXEC, execute},
};

int ws_entry_walk(const struct ws_entry_host *host, struct ws_entry_plan *plan) {
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].run(host, plan) == 0) continue;
        report(plan, steps[i].step, errno);
        return -1;
    }
    int closed = close(plan->status);
    ws_close_quietly(&plan->listener);
    return closed;
}
