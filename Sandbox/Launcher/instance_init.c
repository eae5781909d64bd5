/* PID 1 of an instance: sets the instance up, then makes containers when the worker asks, and reaps their inits. It never
 * touches user code; no user process can see it. It ends when the worker does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "init_wire.h"
#include "wayside_socket.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_mounts.h"
#include "ws_namespaces.h"

enum { CONTROL_FD = 0, HOME_FD = 1, FIRST_FREE_FD = 2 }; /* home: our own mount namespace */

static int attach_cgroup(const struct init_inheritance *inheritance) {
    return ws_cgroup_enter(inheritance->cgroups, inheritance->cgroup);
}

static int wait_for_id_map(const struct init_inheritance *inheritance) {
    struct init_go go;
    int fds[WS_SOCKET_FDS_MAX];
    size_t fds_count;
    ssize_t length = ws_socket_receive(inheritance->control, &go, sizeof go, fds, &fds_count);
    if (length == 0) _exit(0);
    return length == sizeof go ? 0 : -1;
}

static int set_ids(const struct init_inheritance *inheritance) {
    if (inheritance->privileged && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
                                    syscall(SYS_setresuid, 0, 0, 0) < 0))
        return -1;
    /* Both were cleared by the change of ids: we end with the worker, and it may look into /proc/<us> to join us. */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -1 : prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int unshare_cgroups(const struct init_inheritance *inheritance) {
    (void)inheritance;
    return unshare(CLONE_NEWCGROUP);
}

static int set_hostname(const struct init_inheritance *inheritance) {
    (void)inheritance;
    return sethostname("wayside", 7);
}

static int close_descriptors(const struct init_inheritance *inheritance) {
    sigset_t none;
    sigemptyset(&none);
    /* By name and not by pidfd: that would lead to wherever we are when it is used. */
    int home = openat(inheritance->proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
    /* Both high first, so that neither dup3 overwrites what the other needs. */
    int parked_home = home < 0 ? -1 : fcntl(home, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int parked_control = fcntl(inheritance->control, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (parked_home < 0 || parked_control < 0) return -1;
    if (dup3(parked_control, CONTROL_FD, O_CLOEXEC) < 0 || dup3(parked_home, HOME_FD, O_CLOEXEC) < 0) return -1;
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return -1;
    /* Ignoring it has the kernel reap our children by itself. */
    signal(SIGCHLD, SIG_IGN);
    return close_range(FIRST_FREE_FD, ~0u, 0);
}

static const struct {
    enum ws_step step;
    int (*run)(const struct init_inheritance *inheritance);
} steps[] = {
    {WS_STEP_CGROUP_ATTACH, attach_cgroup}, /* first: v1 asks that our host uid is still the worker's */
    {WS_STEP_ID_MAP, wait_for_id_map},
    {WS_STEP_SET_IDS, set_ids},
    {WS_STEP_CGROUP_NAMESPACE, unshare_cgroups},
    {WS_STEP_HOSTNAME, set_hostname},
    {WS_STEP_DESCRIPTORS, close_descriptors},
};

static void answer(int control, uint64_t token, enum ws_step step, int error) {
    struct init_answer message = {.token = token, .status = {.step = step, .error = error}};
    if (ws_socket_send(control, &message, sizeof message, NULL, 0) < 0) _exit(0);
}

static void make_container(const struct init_inheritance *inheritance, const struct init_order *order) {
    /* System V objects outlive the process that made them; with a namespace of the container's own they end with it. */
    pid_t child = ws_clone(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, -1);
    if (child == 0) container_init(inheritance, order);
    if (child < 0) answer(inheritance->control, order->token, WS_STEP_CLONE, errno);
}

/* Takes away what the last container had mounted, and gives the next a /tmp of its own. The mount underneath a mount point is the
 * template's, locked or none: either ends with EINVAL. */
static enum ws_step renew_mounts(const struct init_order *order) {
    static const char *const points[] = {WS_TASK_DIRECTORY, WS_RUNTIME_DIRECTORY, "/tmp"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        while (umount2(points[i], MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
        if (errno != EINVAL) return WS_STEP_RENEW;
    }
    return ws_mount_tmp(order->tmp_bytes, false) < 0 ? WS_STEP_MOUNT_TMP : WS_STEP_NONE;
}

static void renew_container(const struct init_inheritance *inheritance, const struct init_order *order, int container) {
    enum ws_step step = setns(container, CLONE_NEWNS) < 0 ? WS_STEP_JOIN_NAMESPACES : renew_mounts(order);
    int error = errno;
    if (setns(HOME_FD, CLONE_NEWNS) < 0) _exit(71); /* the next container would be cloned out of this one */
    answer(inheritance->control, order->token, step, error);
}

_Noreturn void instance_init(const struct init_inheritance *inherited) {
    struct init_inheritance inheritance = *inherited;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].run(&inheritance) == 0) continue;
        answer(inheritance.control, 0, steps[i].step, errno);
        _exit(1);
    }
    inheritance.control = CONTROL_FD;
    answer(CONTROL_FD, 0, WS_STEP_NONE, 0);
    for (;;) {
        struct init_order order;
        int fds[WS_SOCKET_FDS_MAX];
        size_t fds_count;
        ssize_t length = ws_socket_receive(CONTROL_FD, &order, sizeof order, fds, &fds_count);
        if (length != sizeof order) _exit(0); /* the worker is gone, and the kernel ends all below us */
        if (fds_count == 0)
            make_container(&inheritance, &order);
        else
            renew_container(&inheritance, &order, fds[0]);
        for (size_t i = 0; i < fds_count; i++) close(fds[i]);
    }
}
