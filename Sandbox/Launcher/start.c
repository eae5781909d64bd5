/* The runtime process of a container: mounting its bundle, starting it by fork and exec or by a zygote, hearing how it went. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "worker.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_mounts.h"

/* Runtimes that are executed before they know their function begin with this; INIT brings the complete environment. */
static char *const early_environment[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "TZ=:UTC", "LAMBDA_TASK_ROOT=/var/task",
    "LAMBDA_RUNTIME_DIR=/var/runtime", NULL,
};

static int open_bundle(const struct worker *worker, const char *path) {
    /* Neither "..", nor a link, nor a way over /proc leads out of the content directory. */
    struct ws_open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                              .resolve = WS_RESOLVE_BENEATH | WS_RESOLVE_NO_SYMLINKS | WS_RESOLVE_NO_MAGICLINKS};
    WS_AUTO_CLOSE int directory = ws_openat2(worker->views.content, path, &how);
    return directory < 0 ? -1 : ws_detached_bind(directory, "");
}

/* In the container's mount namespace, which the worker visits for a few calls. The bundle's mount covers the empty directory. */
static enum ws_step mount_inside(struct container *container, int bundle) {
    uint64_t bytes = container->request->tmp_bytes != 0 ? container->request->tmp_bytes : container->tmp_bytes;
    if (!container->announced && ws_mount_runtime(container->runtime->name) < 0) return WS_STEP_MOUNT_RUNTIME;
    if (bundle >= 0 && move_mount(bundle, "", AT_FDCWD, WS_TASK_DIRECTORY, MOVE_MOUNT_F_EMPTY_PATH) < 0) return WS_STEP_MOUNT_TASK;
    if (bytes != container->tmp_bytes && ws_mount_tmp(bytes, true) < 0) return WS_STEP_MOUNT_TMP;
    container->tmp_bytes = bytes;
    if (bundle >= 0) container->assigned = true;
    return WS_STEP_NONE;
}

int start_mount(struct worker *worker, struct container *container) {
    WS_AUTO_CLOSE int bundle = -1;
    if ((container->request->stages & WS_STAGE_ASSIGN) != 0) {
        bundle = open_bundle(worker, container->request->bundle);
        if (bundle < 0) {
            container_fail(worker, container, WS_STEP_MOUNT_TASK, errno);
            return -1;
        }
    }
    if (setns(container->init_pidfd, CLONE_NEWNS) < 0) {
        container_fail(worker, container, WS_STEP_JOIN_NAMESPACES, errno);
        return -1;
    }
    enum ws_step step = mount_inside(container, bundle);
    int error = errno;
    if (setns(worker->views.own_namespace, CLONE_NEWNS) < 0) _exit(71); /* nothing of ours would be where we expect it */
    if (step == WS_STEP_NONE) return 0;
    container_fail(worker, container, step, error);
    return -1;
}

/* Cuts the strings of a request, whose form was checked, into NULL-terminated lists. */
static void split_strings(struct ws_container_start *request, char **arguments, char **environment) {
    char *next = (char *)(request + 1);
    for (uint32_t i = 0; i < request->argc + request->envc; i++) {
        *(i < request->argc ? &arguments[i] : &environment[i - request->argc]) = next;
        next += strlen(next) + 1;
    }
    arguments[request->argc] = NULL;
    environment[request->envc] = NULL;
}

/* In the child. The exit status tells nobody anything: the status pipe has the reason. */
_Noreturn static void become_runtime(const struct worker *worker, struct container *container, struct ws_entry_plan *plan) {
    static char *arguments[WS_ARGV_MAX + 1], *environment[WS_ENVP_MAX + 1];
    plan->path = container->runtime->arguments[0];
    plan->arguments = container->runtime->arguments;
    plan->environment = early_environment;
    if (container->runtime->kind == KIND_EXEC_LATE) {
        split_strings(container->request, arguments, environment);
        if (container->request->argc > 0) plan->arguments = arguments;
        plan->environment = environment;
    }
    ws_entry_walk(&worker->host, plan);
    _exit(70);
}

static struct ws_entry_plan plan_for(const struct worker *worker, const struct container *container, int status) {
    struct ws_entry_plan plan = {
        .order = {.token = container->token,
                  .file_size_bytes = container->request->file_size_bytes,
                  .nofile_max = container->request->nofile_max,
                  .processes_max = worker->host.cgroups.version == 0 ? container->request->limits.pids_max : 0,
                  .tcp = container->tcp,
                  .narrowing = container->narrowing},
        .filter = &worker->filters[container->runtime->family].runtime,
        .init_pidfd = container->init_pidfd,
        .network = network_of(container),
        .frame = container->frame,
        .log = container->log,
        .status = status,
        .listener = -1,
    };
    memcpy(plan.order.cgroup, container->cgroup, sizeof plan.order.cgroup);
    return plan;
}

static bool by_zygote(const struct container *container) {
    return container->runtime->kind == KIND_FORK && (container->request->flags & WS_START_ALONE) == 0;
}

static int launch(struct worker *worker, struct container *container, struct ws_entry_plan *plan) {
    if (by_zygote(container)) {
        if (zygote_order(worker, container, plan) < 0) return -1;
        container->zygote_expected = true;
        return 0;
    }
    pid_t pid = ws_entry_fork(&worker->host, plan, false);
    if (pid == 0) become_runtime(worker, container, plan);
    if (pid > 0) container_has_process(worker, container, pid);
    return pid < 0 ? -1 : 0;
}

void start_runtime(struct worker *worker, struct container *container) {
    int status[2];
    if (pipe2(status, O_CLOEXEC | O_NONBLOCK) < 0) return container_fail(worker, container, WS_STEP_DESCRIPTORS, errno);
    WS_AUTO_CLOSE int child_end = status[1];
    container->status = status[0];
    if (watch(worker, container->status, EVENT_STATUS, container->token) < 0)
        return container_fail(worker, container, WS_STEP_DESCRIPTORS, errno);
    struct ws_entry_plan plan = plan_for(worker, container, child_end);
    if (launch(worker, container, &plan) < 0)
        return container_fail(worker, container, by_zygote(container) ? WS_STEP_ZYGOTE : WS_STEP_CLONE, errno);
    /* Only the runtime holds these now: their end of file is its end. */
    ws_close_quietly(&container->frame);
    ws_close_quietly(&container->log);
}

static void finish_if_complete(struct worker *worker, struct container *container) {
    bool complete = container->state == CONTAINER_STARTING && container->status < 0 && container->pid != 0;
    if (complete && !container->zygote_expected) container_started(worker, container);
}

void start_status_readable(struct worker *worker, struct container *container) {
    struct ws_status status;
    if (container->status < 0) return;
    ssize_t length = read(container->status, &status, sizeof status);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length == sizeof status && status.step == WS_ENTRY_LISTENER) return learn_begin(worker, container, status.error);
    ws_close_quietly(&container->status);
    if (container->state != CONTAINER_STARTING) return;
    if (length == sizeof status)
        container_fail(worker, container, status.step < WS_STEP_COUNT ? (enum ws_step)status.step : WS_STEP_PROTOCOL, status.error);
    else
        finish_if_complete(worker, container);
}

void start_zygote_answered(struct worker *worker, struct container *container, int pid) {
    container->zygote_expected = false;
    if (pid > 0) {
        int wait_status;
        if (claim_exit(worker, pid, &wait_status)) {
            container->pid = pid;
            return container_reaped(worker, container, wait_status);
        }
        container_has_process(worker, container, pid);
    }
    if (container->state != CONTAINER_STARTING) return container_try_finish(worker, container);
    if (pid <= 0) return container_fail(worker, container, WS_STEP_ZYGOTE, pid == 0 ? EPIPE : -pid);
    finish_if_complete(worker, container);
}
