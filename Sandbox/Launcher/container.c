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

static struct index_key key_of(const struct container *container) {
    return (struct index_key){.id = container->id, .generation = container->instance->link_generation};
}

struct container *container_find(struct worker *worker, uint64_t id) {
    const struct index_key key = {.id = id, .generation = worker->link_generation};
    uint32_t slot = index_find(&worker->containers_by_id, key);
    return slot == INDEX_NONE ? NULL : &worker->containers[slot];
}

/* Takes a slot and puts the container before the others of its instance. */
static struct container *take_slot(struct worker *worker, struct instance *instance) {
    struct container *container = worker->free_containers;
    if (container == NULL) return NULL;
    worker->free_containers = container->next;
    *container = (struct container){.instance = instance, .next = instance->first};
    instance->first = container;
    instance->containers++;
    return container;
}

static void unlink_from_instance(const struct container *container) {
    struct container **link = &container->instance->first;
    while (*link != container) link = &(*link)->next;
    *link = container->next;
}

void container_to_front(struct container *container) {
    unlink_from_instance(container);
    container->next = container->instance->first;
    container->instance->first = container;
}

static void give_slot_back(struct worker *worker, struct container *container) {
    unlink_from_instance(container);
    container->instance->containers--;
    container->state = CONTAINER_FREE;
    container->next = worker->free_containers;
    worker->free_containers = container;
}

void container_has_process(struct worker *worker, struct container *container, pid_t pid) {
    container->pid = pid;
    index_add(&worker->containers_by_pid, (struct index_key){.id = (uint64_t)pid}, (uint32_t)(container - worker->containers));
}

static const struct runtime *find_runtime(const struct options *options, const char *name) {
    for (uint32_t i = 0; i < options->runtimes_count; i++)
        if (strcmp(options->runtimes[i].name, name) == 0) return &options->runtimes[i];
    return NULL;
}

static void refuse(struct worker *worker, const struct ws_container_start *message, enum ws_step step, int error) {
    link_reply(worker, message->header.request_id, step, error);
}

static struct ws_container_start *copy_request(const struct ws_container_start *message) {
    struct ws_container_start *copy = malloc(message->header.length);
    if (copy != NULL) memcpy(copy, message, message->header.length);
    return copy;
}

static int order_init(struct container *container) {
    const struct init_order order = {.token = container->token, .tmp_bytes = container->tmp_bytes};
    if (ws_socket_send(container->instance->control, &order, sizeof order, NULL, 0) < 0) return -1;
    container->init_expected = true;
    return 0;
}

void container_be_blank(struct worker *worker, struct container *container) {
    *container = (struct container){
        .state = CONTAINER_BLANK,
        .instance = container->instance,
        .next = container->next,
        .token = new_token(worker, (uint32_t)(container - worker->containers)),
        .deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS),
        .learning = {.number = -1, .listener = -1, .retry_at_ms = NEVER},
        .tmp_bytes = TMP_BYTES_DEFAULT,
        .own_network = -1,
        .init_pidfd = -1,
        .status = -1,
        .frame = -1,
        .log = -1,
    };
    for (size_t i = 0; i < REPLY_SLOTS; i++) container->reply_fds[i] = -1;
    container->instance->blanks++;
    worker->blanks++;
}

static void be_blank_no_more(struct worker *worker, struct container *container) {
    container->instance->blanks--;
    worker->blanks--;
}

enum ws_step container_make_blank(struct worker *worker, struct instance *instance, struct container **made) {
    struct container *container = *made = take_slot(worker, instance);
    if (container == NULL) {
        errno = EAGAIN;
        return WS_STEP_LIMIT;
    }
    container_be_blank(worker, container);
    instance->wants_blank = false;
    snprintf(container->cgroup, sizeof container->cgroup, "%.20s/c%llu", instance->cgroup,
             (unsigned long long)(container->token >> 16));
    /* The init goes to work on another core while the cgroups are made here. */
    enum ws_step step = WS_STEP_NONE;
    if (order_init(container) < 0)
        step = WS_STEP_CLONE;
    else if (ws_cgroup_create(&worker->host.cgroups, container->cgroup, false) < 0)
        step = WS_STEP_CGROUP_CREATE;
    int error = errno;
    if (step != WS_STEP_NONE) container_fail(worker, container, step, error);
    errno = error;
    return step;
}

static struct container *blank_of(const struct instance *instance) {
    if (instance->blanks == 0) return NULL;
    struct container *container = instance->first;
    while (container != NULL && container->state != CONTAINER_BLANK) container = container->next;
    return container;
}

static int open_channels(struct container *container) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return -1;
    container->reply_fds[SLOT_LOG] = pair[0];
    container->log = pair[1];
    /* Programs open /dev/stderr, which is this pipe by name: they need the permission of a file that is not theirs. */
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 || fchmod(pair[1], 0622) < 0) return -1;
    if (container->runtime->kind == KIND_EXEC_LATE) return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    container->reply_fds[SLOT_CHANNEL] = pair[0];
    container->frame = pair[1];
    return 0;
}

static void open_cgroup_files(const struct ws_cgroups *cgroups, struct container *container) {
    container->reply_fds[SLOT_MEMORY] = ws_cgroup_open(cgroups, container->cgroup, WS_CGROUP_PEAK);
    container->reply_fds[SLOT_CPU] = ws_cgroup_open(cgroups, container->cgroup, WS_CGROUP_CPU);
    container->reply_fds[SLOT_FREEZER] = ws_cgroup_open(cgroups, container->cgroup, WS_CGROUP_FREEZER);
}

/* The container's own limits, and its part in its instance's weight. */
static int set_limits(struct worker *worker, struct container *container, const struct ws_limits *limits) {
    struct ws_limits own = *limits;
    if (own.cpu_weight > CPU_WEIGHT_MAX) own.cpu_weight = CPU_WEIGHT_MAX;
    if (ws_cgroup_limit(&worker->host.cgroups, container->cgroup, &container->limits, &own) < 0) return -1;
    container->limits = own;
    return own.cpu_weight == 0 ? 0 : instance_weigh(worker, container, own.cpu_weight);
}

/* The init is ready and the container knows its runtime: the runtime process is next. */
static void proceed(struct worker *worker, struct container *container) {
    container->state = CONTAINER_STARTING;
    if (start_mount(worker, container) < 0) return;
    bool assign = (container->request->stages & WS_STAGE_ASSIGN) != 0;
    if (container->runtime->kind == KIND_EXEC_LATE && !assign)
        container_started(worker, container);
    else
        start_runtime(worker, container);
}

static void prepare(struct worker *worker, struct container *container) {
    enum ws_step step;
    if (set_limits(worker, container, &container->request->limits) < 0)
        container_fail(worker, container, WS_STEP_CGROUP_LIMITS, errno);
    else if (open_channels(container) < 0)
        container_fail(worker, container, WS_STEP_DESCRIPTORS, errno);
    else if ((step = network_open(worker, container)) != WS_STEP_NONE)
        container_fail(worker, container, step, errno);
    else
        open_cgroup_files(&worker->host.cgroups, container);
    if (container->state == CONTAINER_PREPARING && !container->init_expected) proceed(worker, container);
}

static struct ws_tcp_reach reach_of(const struct runtime *runtime, const struct ws_container_start *message) {
    struct ws_tcp_reach reach = {.api_port = runtime->kind == KIND_EXEC_LATE ? WS_API_PORT : 0, .egress_port = message->egress_port};
    /* Containers that share their instance's network share its ports as well: one could stand in for another's server. */
    if (reach.api_port != 0 || reach.egress_port != 0) reach.web_port = WS_WEB_PORT;
    return reach;
}

/* Reads the names of a profile, which are the last strings of the message. -1 with EINVAL when one is unknown. */
static int narrowing_of(const struct runtime *runtime, const struct ws_container_start *message, struct ws_narrowing *narrowing) {
    *narrowing = (struct ws_narrowing){.profile = message->syscallc > 0, .learn = (message->flags & WS_START_LEARN) != 0};
    if (narrowing->profile == 0) return 0;
    const char *name = (const char *)(message + 1);
    for (uint32_t i = 0; i < message->argc + message->envc + message->syscallc; i++, name += strlen(name) + 1)
        if (i >= message->argc + message->envc && ws_syscall_set_add_name(&narrowing->syscalls, name) < 0) return -1;
    ws_syscall_set_add_floor(&narrowing->syscalls, runtime->kind != KIND_FORK || (message->flags & WS_START_ALONE) != 0);
    return 0;
}

static void start_new(struct worker *worker, const struct ws_container_start *message) {
    struct instance *instance = instance_find(worker, message->instance_id);
    const struct runtime *runtime = find_runtime(worker->options, message->runtime);
    struct ws_narrowing narrowing;
    if (runtime == NULL) return refuse(worker, message, WS_STEP_UNKNOWN_RUNTIME, ENOENT);
    /* An instance that is being set up takes the order as soon as it is. */
    if (instance == NULL || instance->state == INSTANCE_ENDING) return refuse(worker, message, WS_STEP_UNKNOWN_INSTANCE, ESRCH);
    if (container_find(worker, message->container_id) != NULL) return refuse(worker, message, WS_STEP_PROTOCOL, EEXIST);
    if (worker->containers_used >= worker->options->containers_max) return refuse(worker, message, WS_STEP_LIMIT, EAGAIN);
    if (narrowing_of(runtime, message, &narrowing) < 0) return refuse(worker, message, WS_STEP_SECCOMP, errno);
    struct ws_container_start *request = copy_request(message);
    if (request == NULL) return refuse(worker, message, WS_STEP_LIMIT, ENOMEM);
    struct container *container = blank_of(instance);
    enum ws_step step = container == NULL ? container_make_blank(worker, instance, &container) : WS_STEP_NONE;
    if (step != WS_STEP_NONE) {
        int error = errno;
        free(request);
        return refuse(worker, message, step, error);
    }
    be_blank_no_more(worker, container);
    container->state = CONTAINER_PREPARING;
    container->runtime = runtime;
    container->id = message->container_id;
    container->request_id = message->header.request_id;
    container->deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS);
    container->request = request;
    container->tcp = reach_of(runtime, message);
    container->narrowing = narrowing;
    worker->containers_used++;
    index_add(&worker->containers_by_id, key_of(container), (uint32_t)(container - worker->containers));
    instance->wants_blank = true;
    stock_disturb(worker);
    prepare(worker, container);
}

static void assign_existing(struct worker *worker, const struct ws_container_start *message) {
    struct container *container = container_find(worker, message->container_id);
    if (container == NULL || container->state != CONTAINER_READY)
        return refuse(worker, message, WS_STEP_UNKNOWN_CONTAINER, ESRCH);
    if (container->assigned) return refuse(worker, message, WS_STEP_PROTOCOL, EALREADY);
    container->request = copy_request(message);
    if (container->request == NULL) return refuse(worker, message, WS_STEP_LIMIT, ENOMEM);
    container->state = CONTAINER_STARTING;
    container->request_id = message->header.request_id;
    container->deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS);
    if (set_limits(worker, container, &message->limits) < 0)
        return container_fail(worker, container, WS_STEP_CGROUP_LIMITS, errno);
    stock_disturb(worker);
    if (start_mount(worker, container) < 0) return;
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
    struct container *container = &worker->containers[token_slot(token) % worker->container_slots];
    bool expected = container->state != CONTAINER_FREE && container->token == token && container->init_expected;
    for (size_t i = expected ? 1 : 0; i < fds_count; i++) close(fds[i]);
    if (!expected) return;
    container->init_expected = false;
    if (fds_count > 0) container->init_pidfd = fds[0];
    if (fds_count > 0 && watch(worker, container->init_pidfd, EVENT_INIT, container->token) < 0) {
        int error = errno;
        /* Its end would not be seen, so nothing may wait for it. */
        ws_pidfd_kill(container->init_pidfd, SIGKILL);
        ws_close_quietly(&container->init_pidfd);
        return container_fail(worker, container, WS_STEP_DESCRIPTORS, error);
    }
    if (container->state == CONTAINER_ENDING) {
        if (container->init_pidfd >= 0) ws_pidfd_kill(container->init_pidfd, SIGKILL);
        return container_try_finish(worker, container);
    }
    if (status.step != WS_STEP_NONE)
        return container_fail(worker, container, status.step < WS_STEP_COUNT ? (enum ws_step)status.step : WS_STEP_PROTOCOL,
                              status.error);
    if (container->state == CONTAINER_BLANK)
        container->deadline_ms = NEVER;
    else
        proceed(worker, container);
}

static void close_replies(struct container *container) {
    for (size_t i = 0; i < REPLY_SLOTS; i++) ws_close_quietly(&container->reply_fds[i]);
}

static void close_channels(struct container *container) {
    int *all[] = {&container->status, &container->frame, &container->log};
    container->learning.number = -1;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) ws_close_quietly(all[i]);
}

static void forget_request(struct container *container) {
    free(container->request);
    container->request = NULL;
    container->request_id = 0;
    container->deadline_ms = NEVER;
}

void container_started(struct worker *worker, struct container *container) {
    container->announced = true;
    container->state = CONTAINER_READY;
    pid_t shown = container->pid == 0 ? 0 : worker_host_pid(&worker->views, container->pid);
    link_reply_done(worker, container->request_id, shown, container->reply_fds);
    forget_request(container);
}

/* Everything that ends a container comes through here: from now on nothing new starts in it. */
static void begin_ending(struct worker *worker, struct container *container) {
    if (container->state == CONTAINER_ENDING) return;
    if (container->state == CONTAINER_BLANK)
        be_blank_no_more(worker, container);
    else
        worker->containers_used--;
    container->state = CONTAINER_ENDING;
    forget_request(container);
    park_forget(worker, container);
    close_channels(container);
    /* Those of a parked container stay until it is gone: a runtime that read the end of its channel would end by itself. */
    if (!container->announced) close_replies(container);
    if (container->init_pidfd >= 0) ws_pidfd_kill(container->init_pidfd, SIGKILL);
    ws_cgroup_thaw_killed(&worker->host.cgroups, container->cgroup);
    container->deadline_ms = wake_at(worker, now_ms() + THAW_RETRY_MS);
    container_try_finish(worker, container);
}

void container_fail(struct worker *worker, struct container *container, enum ws_step step, int error) {
    if (container->request_id != 0) link_reply(worker, container->request_id, step, error);
    container->request_id = 0;
    if (container->announced) container->kill_asked = true;
    begin_ending(worker, container);
}

void container_kill(struct worker *worker, struct container *container) {
    if (container->state == CONTAINER_ENDING) return;
    if (container->request_id != 0) link_reply(worker, container->request_id, WS_STEP_EXEC, ECANCELED);
    container->kill_asked = true;
    if (!shell_clear(worker, container)) begin_ending(worker, container);
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
    if (container->state == CONTAINER_CLEARING && shell_keep(worker, container)) return;
    begin_ending(worker, container);
    container_try_finish(worker, container);
}

void container_send_exit(struct worker *worker, const struct container *container, const struct ws_cgroup_usage *usage) {
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
    /* A weight that cannot be lowered only leaves the instance heavier than it should be. */
    (void)instance_weigh(worker, container, 0);
    if (container->announced && instance->link_generation == worker->link_generation) {
        if (container->narrowing.learn != 0) learn_report(worker, container);
        container_send_exit(worker, container, &usage);
    }
    ws_close_quietly(&container->learning.listener);
    ws_close_quietly(&container->init_pidfd);
    close_channels(container);
    close_replies(container);
    network_leave(container);
    if (container->id != 0) index_remove(&worker->containers_by_id, key_of(container));
    give_slot_back(worker, container);
    park_check(worker, instance);
    instance_try_finish(worker, instance);
}

void container_expired(struct worker *worker, struct container *container) {
    if (container->state != CONTAINER_CLEARING && container->state != CONTAINER_ENDING) {
        container->deadline_ms = NEVER;
        return container_fail(worker, container, WS_STEP_TIMEOUT, ETIMEDOUT);
    }
    ws_cgroup_thaw_killed(&worker->host.cgroups, container->cgroup);
    container->deadline_ms = wake_at(worker, now_ms() + THAW_RETRY_MS);
    container_try_finish(worker, container);
}
