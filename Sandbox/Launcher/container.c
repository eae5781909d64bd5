#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "init_wire.h"
#include "wayside_socket.h"
#include "worker.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"

#define TMP_BYTES_DEFAULT (512ull * 1024 * 1024) /* Lambda's own */

struct container *container_find(struct worker *worker, uint64_t id) {
    for (uint32_t i = 0; i < worker->options->containers_max; i++) {
        struct container *container = &worker->containers[i];
        if (container->state != CONTAINER_FREE && container->id == id &&
            container->instance->link_generation == worker->link_generation)
            return container;
    }
    return NULL;
}

static struct container *free_slot(struct worker *worker) {
    for (uint32_t i = 0; i < worker->options->containers_max; i++)
        if (worker->containers[i].state == CONTAINER_FREE) return &worker->containers[i];
    return NULL;
}

static const struct runtime *find_runtime(const struct options *options, const char *name) {
    for (uint32_t i = 0; i < options->runtimes_count; i++)
        if (strcmp(options->runtimes[i].name, name) == 0) return &options->runtimes[i];
    return NULL;
}

static void refuse(struct worker *worker, const struct ws_container_start *message, enum ws_step step, int error) {
    link_reply(worker, message->header.request_id, step, error, 0, NULL, 0);
}

static struct ws_container_start *copy_request(const struct ws_container_start *message) {
    struct ws_container_start *copy = malloc(message->header.length);
    if (copy != NULL) memcpy(copy, message, message->header.length);
    return copy;
}

static int order_init(struct container *container) {
    struct init_order order = {
        .token = container->token,
        .tmp_bytes = container->request->tmp_bytes != 0 ? container->request->tmp_bytes : TMP_BYTES_DEFAULT,
        .own_network = container->runtime->kind == KIND_EXEC_LATE,
    };
    snprintf(order.runtime, sizeof order.runtime, "%s", container->runtime->name);
    if (ws_socket_send(container->instance->control, &order, sizeof order, NULL, 0) < 0) return -1;
    container->init_expected = true;
    return 0;
}

static int open_channels(struct container *container) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return -1;
    container->reply_fds[1] = pair[0];
    container->log = pair[1];
    /* Programs open /dev/stderr, which is this pipe by name: they need the permission of a file that is not theirs. */
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 || fchmod(pair[1], 0622) < 0) return -1;
    if (container->runtime->kind == KIND_EXEC_LATE) return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    container->reply_fds[0] = pair[0];
    container->frame = pair[1];
    return 0;
}

static void prepare(struct worker *worker, struct container *container) {
    const struct ws_cgroups *cgroups = &worker->host.cgroups;
    /* The init goes to work on another core while the cgroups are made here. */
    if (order_init(container) < 0)
        container_fail(worker, container, WS_STEP_CLONE, errno);
    else if (ws_cgroup_create(cgroups, container->cgroup, false) < 0)
        container_fail(worker, container, WS_STEP_CGROUP_CREATE, errno);
    else if (ws_cgroup_limit(cgroups, container->cgroup, &container->request->limits) < 0)
        container_fail(worker, container, WS_STEP_CGROUP_LIMITS, errno);
    else if (open_channels(container) < 0)
        container_fail(worker, container, WS_STEP_DESCRIPTORS, errno);
    else
        container->reply_fds[2] = ws_cgroup_open_peak(cgroups, container->cgroup);
}

static void start_new(struct worker *worker, const struct ws_container_start *message) {
    struct instance *instance = instance_find(worker, message->instance_id);
    const struct runtime *runtime = find_runtime(worker->options, message->runtime);
    struct container *container = free_slot(worker);
    if (runtime == NULL) return refuse(worker, message, WS_STEP_UNKNOWN_RUNTIME, ENOENT);
    if (instance == NULL || instance->state != INSTANCE_LIVE) return refuse(worker, message, WS_STEP_UNKNOWN_INSTANCE, ESRCH);
    if (container_find(worker, message->container_id) != NULL) return refuse(worker, message, WS_STEP_PROTOCOL, EEXIST);
    if (container == NULL) return refuse(worker, message, WS_STEP_LIMIT, EAGAIN);
    struct ws_container_start *request = copy_request(message);
    if (request == NULL) return refuse(worker, message, WS_STEP_LIMIT, ENOMEM);
    *container = (struct container){
        .state = CONTAINER_PREPARING,
        .instance = instance,
        .runtime = runtime,
        .id = message->container_id,
        .token = new_token(worker, (uint32_t)(container - worker->containers)),
        .request_id = message->header.request_id,
        .deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS),
        .request = request,
        .init_pidfd = -1,
        .status = -1,
        .frame = -1,
        .log = -1,
        .reply_fds = {-1, -1, -1},
    };
    instance->containers++;
    snprintf(container->cgroup, sizeof container->cgroup, "%.20s/c%llu", instance->cgroup,
             (unsigned long long)(container->token >> 16));
    prepare(worker, container);
}

static void assign_existing(struct worker *worker, const struct ws_container_start *message) {
    struct container *container = container_find(worker, message->container_id);
    if (container == NULL || container->state != CONTAINER_READY)
        return refuse(worker, message, WS_STEP_UNKNOWN_CONTAINER, ESRCH);
    if (container->runtime->kind == KIND_EXEC_LATE && container->pid != 0)
        return refuse(worker, message, WS_STEP_PROTOCOL, EALREADY);
    container->request = copy_request(message);
    if (container->request == NULL) return refuse(worker, message, WS_STEP_LIMIT, ENOMEM);
    container->state = CONTAINER_STARTING;
    container->request_id = message->header.request_id;
    container->deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS);
    if (ws_cgroup_limit(&worker->host.cgroups, container->cgroup, &message->limits) < 0)
        return container_fail(worker, container, WS_STEP_CGROUP_LIMITS, errno);
    if (start_assign(worker, container) < 0) return;
    if (container->runtime->kind == KIND_EXEC_LATE)
        start_runtime(worker, container);
    else
        container_started(worker, container);
}

void container_start(struct worker *worker, const struct ws_container_start *message) {
    if ((message->stages & WS_STAGE_PREPARE) != 0)
        start_new(worker, message);
    else
        assign_existing(worker, message);
}

void container_init_answered(struct worker *worker, uint64_t token, struct ws_status status, int *fds, size_t fds_count) {
    struct container *container = &worker->containers[token_slot(token) % worker->options->containers_max];
    bool expected = container->state != CONTAINER_FREE && container->token == token && container->init_expected;
    for (size_t i = expected ? 2 : 0; i < fds_count; i++) close(fds[i]);
    if (!expected) return;
    container->init_expected = false;
    if (fds_count > 0) container->init_pidfd = fds[0];
    if (fds_count > 1) container->reply_fds[0] = fds[1];
    if (fds_count > 0 && watch(worker, container->init_pidfd, EVENT_INIT, container->token) < 0)
        return container_fail(worker, container, WS_STEP_DESCRIPTORS, errno);
    if (container->state == CONTAINER_ENDING) {
        if (container->init_pidfd >= 0) ws_pidfd_kill(container->init_pidfd, SIGKILL);
        return container_try_finish(worker, container);
    }
    if (status.step != WS_STEP_NONE)
        return container_fail(worker, container, status.step < WS_STEP_COUNT ? (enum ws_step)status.step : WS_STEP_PROTOCOL,
                              status.error);
    container->state = CONTAINER_STARTING;
    bool assign = (container->request->stages & WS_STAGE_ASSIGN) != 0;
    if (assign && start_assign(worker, container) < 0) return;
    if (container->runtime->kind == KIND_EXEC_LATE && !assign)
        container_started(worker, container);
    else
        start_runtime(worker, container);
}

static void close_channels(struct container *container) {
    int *all[] = {&container->status, &container->frame, &container->log, &container->reply_fds[0], &container->reply_fds[1],
                  &container->reply_fds[2]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) ws_close_quietly(all[i]);
}

static void forget_request(struct container *container) {
    free(container->request);
    container->request = NULL;
    container->request_id = 0;
    container->deadline_ms = NEVER;
}

void container_started(struct worker *worker, struct container *container) {
    int fds[3];
    size_t count = 0;
    if (!container->announced)
        for (size_t i = 0; i < 3; i++)
            if (container->reply_fds[i] >= 0) fds[count++] = ws_release(&container->reply_fds[i]);
    container->announced = true;
    container->state = CONTAINER_READY;
    pid_t shown = container->pid == 0 ? 0 : worker_host_pid(&worker->views, container->pid);
    link_reply(worker, container->request_id, WS_STEP_NONE, 0, shown, fds, count);
    forget_request(container);
}

/* Everything that ends a container comes through here: from now on nothing new starts in it. */
static void begin_ending(struct worker *worker, struct container *container) {
    if (container->state == CONTAINER_ENDING) return;
    container->state = CONTAINER_ENDING;
    forget_request(container);
    close_channels(container);
    if (container->init_pidfd >= 0) ws_pidfd_kill(container->init_pidfd, SIGKILL);
    container_try_finish(worker, container);
}

void container_fail(struct worker *worker, struct container *container, enum ws_step step, int error) {
    if (container->request_id != 0) link_reply(worker, container->request_id, step, error, 0, NULL, 0);
    container->request_id = 0;
    if (container->announced) container->kill_asked = true;
    begin_ending(worker, container);
}

void container_kill(struct worker *worker, struct container *container) {
    if (container->state == CONTAINER_ENDING) return;
    if (container->request_id != 0) link_reply(worker, container->request_id, WS_STEP_EXEC, ECANCELED, 0, NULL, 0);
    container->kill_asked = true;
    begin_ending(worker, container);
}

void container_init_gone(struct worker *worker, struct container *container) {
    if (container->init_gone) return;
    container->init_gone = true;
    epoll_forget(worker, container->init_pidfd);
    if (container->state != CONTAINER_ENDING) container_fail(worker, container, WS_STEP_CLONE, ECHILD);
    container_try_finish(worker, container);
}

void container_reaped(struct worker *worker, struct container *container, int wait_status) {
    container->reaped = true;
    container->wait_status = wait_status;
    /* It may have said why, or have run and ended before we looked. */
    if (container->state == CONTAINER_STARTING && container->status >= 0) start_status_readable(worker, container);
    if (container->state == CONTAINER_STARTING) container_fail(worker, container, WS_STEP_EXEC, ECHILD);
    begin_ending(worker, container);
    container_try_finish(worker, container);
}

static void send_exit(struct worker *worker, const struct container *container, const struct ws_cgroup_usage *usage) {
    bool signaled = container->pid != 0 && WIFSIGNALED(container->wait_status);
    struct ws_container_exit event = {
        .container_id = container->id,
        .reason = WS_EXIT_KILLED,
        .status = SIGKILL,
        .memory_peak_bytes = usage->memory_peak_bytes,
        .cpu_nanoseconds = usage->cpu_nanoseconds,
    };
    if (signaled) event.status = WTERMSIG(container->wait_status);
    if (signaled && !container->kill_asked) {
        bool out_of_memory = event.status == SIGKILL && usage->out_of_memory_kills > 0;
        event.reason = out_of_memory ? WS_EXIT_OUT_OF_MEMORY : WS_EXIT_SIGNALED;
    } else if (container->pid != 0 && WIFEXITED(container->wait_status)) {
        event.reason = WS_EXIT_EXITED;
        event.status = WEXITSTATUS(container->wait_status);
    }
    link_send(worker, &event, sizeof event, WS_CONTAINER_EXIT, 0, NULL, 0);
}

void container_try_finish(struct worker *worker, struct container *container) {
    if (container->state != CONTAINER_ENDING || container->init_expected || container->zygote_expected) return;
    if (container->pid != 0 && !container->reaped) return;
    /* The init ends last: the kernel has it wait until its PID namespace is empty, so the cgroup is empty too. */
    if (container->init_pidfd >= 0 && !container->init_gone) return;
    struct instance *instance = container->instance;
    struct ws_cgroup_usage usage;
    ws_cgroup_usage(&worker->host.cgroups, container->cgroup, &usage);
    if (ws_cgroup_remove(&worker->host.cgroups, container->cgroup) < 0) {
        container->deadline_ms = wake_at(worker, now_ms() + REMOVE_RETRY_MS);
        return;
    }
    if (container->announced && instance->link_generation == worker->link_generation) send_exit(worker, container, &usage);
    ws_close_quietly(&container->init_pidfd);
    close_channels(container);
    container->state = CONTAINER_FREE;
    instance->containers--;
    instance_try_finish(worker, instance);
}

void container_expired(struct worker *worker, struct container *container) {
    container->deadline_ms = NEVER;
    if (container->state == CONTAINER_ENDING)
        container_try_finish(worker, container);
    else
        container_fail(worker, container, WS_STEP_TIMEOUT, ETIMEDOUT);
}
