/* Zygotes: one booted interpreter per runtime of kind fork. They live in the template's root as root of the worker's user
 * namespace, under a filter of their own from before their first instruction, run no user code, and are started again when
 * they die. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "wayside_socket.h"
#include "worker.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_mounts.h"
#include "ws_zygote_wire.h"

static const uint32_t backoff_ms[] = {10, 100, 500, 2000, 5000};
#define BACKOFF_COUNT (sizeof backoff_ms / sizeof backoff_ms[0])

enum { CONTROL_FD = 3 };

static char *const environment[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "TZ=:UTC", "LAMBDA_TASK_ROOT=/var/task",
    "LAMBDA_RUNTIME_DIR=/var/runtime", "WAYSIDE_ZYGOTE_FD=3", "WAYSIDE_ZYGOTE_LIBRARY=" WS_ZYGOTE_LIBRARY_PATH,
    "LD_PRELOAD=" WS_ZYGOTE_LIBRARY_PATH, /* the interpreter's memory is to lie together from the beginning */
    "LD_BIND_NOW=1", /* what is bound before the fork is not bound again by every child */
    NULL,
};

static uint32_t index_of(const struct worker *worker, const struct zygote *zygote) { return (uint32_t)(zygote - worker->zygotes); }

_Noreturn static void become_zygote(const struct worker *worker, const struct runtime *runtime, int control) {
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setns(worker->views.template_namespace, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0) _exit(71);
    if (ws_mount_runtime(runtime->name) < 0 || chdir("/") < 0) _exit(71);
    /* Parked high first, so that neither overwrites the other. */
    int parked = fcntl(control, F_DUPFD_CLOEXEC, 16), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (parked < 0 || null < 0 || dup2(null, 0) < 0 || dup2(parked, CONTROL_FD) < 0) _exit(71);
    if (close_range(CONTROL_FD + 1, ~0u, 0) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0) _exit(71);
    if (ws_no_new_privileges() < 0 || ws_filter_install(&worker->filters[runtime->family].zygote) < 0) _exit(71);
    execve(runtime->arguments[0], runtime->arguments, environment);
    fprintf(stderr, "wayside-launcher: the zygote of %s cannot be executed: %s\n", runtime->name, strerror(errno));
    _exit(72);
}

static int send_setup(const struct worker *worker, const struct runtime *runtime, int control) {
    const struct family_filters *filters = &worker->filters[runtime->family];
    const struct ws_cgroups *cgroups = &worker->host.cgroups;
    struct ws_zygote_setup setup = {
        .privileged = worker->host.privileged,
        .landlock_abi = worker->host.landlock_abi,
        .cgroup_version = cgroups->version,
        .hierarchies_count = cgroups->count,
        .filter_count = filters->runtime.count,
    };
    int fds[1 + WS_CGROUP_HIERARCHIES_MAX] = {filters->runtime_file};
    for (uint32_t i = 0; i < cgroups->count; i++) {
        setup.controllers[i] = cgroups->hierarchies[i].controllers;
        fds[1 + i] = cgroups->hierarchies[i].base;
    }
    return ws_socket_send(control, &setup, sizeof setup, fds, 1 + cgroups->count) < 0 ? -1 : 0;
}

static int boot(struct worker *worker, struct zygote *zygote) {
    const struct runtime *runtime = &worker->options->runtimes[index_of(worker, zygote)];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    WS_AUTO_CLOSE int ours = pair[0];
    WS_AUTO_CLOSE int theirs = pair[1];
    /* Ours alone: a zygote that hangs must not stop the worker, and one that waits must not spin. */
    if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0 || send_setup(worker, runtime, ours) < 0) return -1;
    pid_t pid = ws_clone(0, -1);
    if (pid == 0) become_zygote(worker, runtime, theirs);
    if (pid < 0 || watch(worker, ours, EVENT_ZYGOTE, index_of(worker, zygote)) < 0) return -1;
    zygote->pid = pid;
    zygote->control = ws_release(&ours);
    zygote->booted = false;
    return 0;
}

static void schedule(struct worker *worker, struct zygote *zygote) {
    size_t step = zygote->failures < BACKOFF_COUNT ? zygote->failures : BACKOFF_COUNT - 1;
    zygote->failures++;
    zygote->start_at_ms = wake_at(worker, now_ms() + backoff_ms[step]);
}

void zygotes_start_due(struct worker *worker) {
    for (uint32_t i = 0; i < worker->options->runtimes_count; i++) {
        struct zygote *zygote = &worker->zygotes[i];
        if (worker->options->runtimes[i].kind != KIND_FORK || zygote->pid != 0) continue;
        if (zygote->start_at_ms > now_ms())
            wake_at(worker, zygote->start_at_ms);
        else if (boot(worker, zygote) < 0)
            schedule(worker, zygote);
    }
}

static void take_answer(struct worker *worker, struct zygote *zygote, const struct ws_zygote_answer *answer) {
    if (answer->token == 0) {
        zygote->booted = true;
        zygote->failures = 0;
        return;
    }
    struct container *container = &worker->containers[token_slot(answer->token) % worker->container_slots];
    if (container->state != CONTAINER_FREE && container->token == answer->token && container->zygote_expected)
        start_zygote_answered(worker, container, answer->pid);
}

/* Takes what has arrived; false when the zygote has closed its end or spoken nonsense. */
static bool take_answers(struct worker *worker, struct zygote *zygote) {
    for (;;) {
        struct ws_zygote_answer answer;
        int fds[WS_SOCKET_FDS_MAX];
        size_t fds_count;
        ssize_t length = ws_socket_receive_now(zygote->control, &answer, sizeof answer, fds, &fds_count);
        for (size_t i = 0; i < fds_count; i++) close(fds[i]);
        if (length < 0 && errno == EAGAIN) return true;
        if (length != sizeof answer) return false;
        take_answer(worker, zygote, &answer);
    }
}

void zygote_readable(struct worker *worker, struct zygote *zygote) {
    if (zygote->pid == 0 || take_answers(worker, zygote)) return;
    epoll_forget(worker, zygote->control);
    kill(zygote->pid, SIGKILL);
}

void zygote_reaped(struct worker *worker, struct zygote *zygote, int wait_status) {
    const struct runtime *runtime = &worker->options->runtimes[index_of(worker, zygote)];
    fprintf(stderr, "wayside-launcher: the zygote of %s ended (wait status 0x%x) and is started again\n", runtime->name, wait_status);
    take_answers(worker, zygote);
    ws_close_quietly(&zygote->control);
    zygote->pid = 0;
    schedule(worker, zygote);
    for (uint32_t i = 0; i < worker->container_slots; i++) {
        struct container *container = &worker->containers[i];
        if (container->state != CONTAINER_FREE && container->zygote_expected && container->runtime == runtime)
            start_zygote_answered(worker, container, 0);
    }
    struct ws_zygote_exit event = {.wait_status = wait_status};
    memcpy(event.runtime, runtime->name, sizeof event.runtime);
    link_send(worker, &event, sizeof event, WS_ZYGOTE_EXIT, 0, NULL, 0);
}

int zygote_order(struct worker *worker, const struct container *container, const struct ws_entry_plan *plan) {
    struct zygote *zygote = &worker->zygotes[container->runtime - worker->options->runtimes];
    if (zygote->pid == 0) {
        errno = EAGAIN;
        return -1;
    }
    int fds[WS_ZYGOTE_ORDER_FDS] = {plan->init_pidfd, plan->network, plan->frame, plan->log, plan->status};
    return ws_socket_send(zygote->control, &plan->order, sizeof plan->order, fds, WS_ZYGOTE_ORDER_FDS) < 0 ? -1 : 0;
}
