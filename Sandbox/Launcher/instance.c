#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "init_wire.h"
#include "wayside_socket.h"
#include "worker.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_namespaces.h"

static struct index_key key_of(const struct instance *instance) {
    return (struct index_key){.id = instance->id, .generation = instance->link_generation};
}

struct instance *instance_find(struct worker *worker, uint64_t id) {
    const struct index_key key = {.id = id, .generation = worker->link_generation};
    uint32_t slot = index_find(&worker->instances_by_id, key);
    return slot == INDEX_NONE ? NULL : &worker->instances[slot];
}

static struct instance *free_slot(struct worker *worker) {
    for (uint32_t i = 0; i < worker->options->instances_max; i++)
        if (worker->instances[i].state == INSTANCE_FREE) return &worker->instances[i];
    return NULL;
}

/* Clones the init from within the template's mount namespace: what CLONE_NEWNS copies is then the sandbox's root. */
static pid_t clone_init(struct worker *worker, struct instance *instance, int control) {
    WS_AUTO_CLOSE int cgroup = -1;
    if (worker->host.cgroups.version == 2) {
        char name[WS_CGROUP_NAME_MAX + 8];
        snprintf(name, sizeof name, "%s/init", instance->cgroup);
        cgroup = ws_cgroup_open_for_clone(&worker->host.cgroups, name);
        if (cgroup < 0) return -1;
    }
    if (setns(worker->views.template_namespace, CLONE_NEWNS) < 0) return -1;
    const uint64_t all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID;
    pid_t pid = ws_clone(all, cgroup);
    if (pid == 0) {
        struct init_inheritance inheritance = {.cgroups = &worker->host.cgroups, .cgroup = instance->cgroup,
                                               .control = control, .proc = worker->views.proc,
                                               .privileged = worker->host.privileged};
        instance_init(&inheritance);
    }
    int error = errno;
    if (setns(worker->views.own_namespace, CLONE_NEWNS) < 0) _exit(71); /* nothing of ours would be where we expect it */
    errno = error;
    return pid;
}

static int write_maps(const struct worker *worker, const struct instance *instance) {
    uint32_t slot = (uint32_t)(instance - worker->instances);
    if (!worker->host.privileged) return ws_write_id_maps(worker->views.proc, instance->pid, WS_USER_ID, 0, 1, false);
    return ws_write_id_maps(worker->views.proc, instance->pid, 0, (slot + 1) * WS_IDS_PER_INSTANCE, WS_IDS_PER_INSTANCE, true);
}

static void fail(struct worker *worker, struct instance *instance, enum ws_step step, int error) {
    if (instance->request_id != 0) link_reply(worker, instance->request_id, step, error);
    instance->request_id = 0;
    instance_kill(worker, instance);
}

static enum ws_step create(struct worker *worker, struct instance *instance) {
    int pair[2];
    if (ws_cgroup_create(&worker->host.cgroups, instance->cgroup, true) < 0) return WS_STEP_CGROUP_CREATE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return WS_STEP_DESCRIPTORS;
    instance->control = pair[0];
    /* Ours alone: an init that hangs must not stop the worker. */
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    pid_t pid = clone_init(worker, instance, pair[1]);
    ws_close_quietly(&pair[1]);
    if (pid < 0) return WS_STEP_CLONE;
    instance->pid = pid;
    struct init_go go = {.go = 1};
    if (write_maps(worker, instance) < 0 || ws_socket_send(instance->control, &go, sizeof go, NULL, 0) < 0) return WS_STEP_ID_MAP;
    return watch(worker, instance->control, EVENT_INSTANCE, instance->token) < 0 ? WS_STEP_DESCRIPTORS : WS_STEP_NONE;
}

static struct instance *begin(struct worker *worker, struct instance *instance) {
    *instance = (struct instance){
        .state = INSTANCE_STARTING,
        .token = new_token(worker, (uint32_t)(instance - worker->instances)),
        .deadline_ms = wake_at(worker, now_ms() + STEP_TIMEOUT_MS),
        .control = -1,
        .shared_network = -1,
    };
    snprintf(instance->cgroup, sizeof instance->cgroup, "i%llu", (unsigned long long)(instance->token >> 16));
    return instance;
}

bool instance_make_blank(struct worker *worker) {
    struct instance *instance = free_slot(worker);
    if (instance == NULL) return false;
    begin(worker, instance);
    enum ws_step step = create(worker, instance);
    if (step != WS_STEP_NONE) {
        fail(worker, instance, step, errno);
        return false;
    }
    /* Its order waits in the socket until the instance is set up. */
    struct container *container;
    return container_make_blank(worker, instance, &container) == WS_STEP_NONE;
}

static void announce(struct worker *worker, struct instance *instance) {
    instance->state = INSTANCE_LIVE;
    instance->deadline_ms = NEVER;
    instance->announced = true;
    link_reply_done(worker, instance->request_id, worker_host_pid(&worker->views, instance->pid), NULL);
    instance->request_id = 0;
}

static int limit(struct worker *worker, struct instance *instance, struct ws_limits limits) {
    if (ws_cgroup_limit(&worker->host.cgroups, instance->cgroup, &instance->limits, &limits) < 0) return -1;
    instance->limits = limits;
    return 0;
}

/* Makes a blank instance, or one that is just being set up, the daemon's. */
static void adopt(struct worker *worker, struct instance *instance, const struct ws_instance_create *message) {
    instance->link_generation = worker->link_generation;
    instance->id = message->instance_id;
    instance->request_id = message->header.request_id;
    struct ws_limits limits = message->limits;
    /* No instance may take the process numbers of the others. */
    if (limits.pids_max == 0) limits.pids_max = worker->host.cgroups.processes_max / 4;
    index_add(&worker->instances_by_id, key_of(instance), (uint32_t)(instance - worker->instances));
    instance->weights = limits.cpu_weight;
    if (limit(worker, instance, limits) < 0)
        fail(worker, instance, WS_STEP_CGROUP_LIMITS, errno);
    else if (instance->state == INSTANCE_BLANK)
        announce(worker, instance);
}

/* One of the stock's that is in this state. */
static struct instance *unclaimed(struct worker *worker, enum instance_state state) {
    for (uint32_t i = 0; i < worker->options->instances_max; i++)
        if (worker->instances[i].state == state && worker->instances[i].id == 0) return &worker->instances[i];
    return NULL;
}

void instance_create(struct worker *worker, const struct ws_instance_create *message) {
    if (instance_find(worker, message->instance_id) != NULL) {
        link_reply(worker, message->header.request_id, WS_STEP_PROTOCOL, EEXIST);
        return;
    }
    stock_disturb(worker);
    struct instance *instance = unclaimed(worker, INSTANCE_BLANK);
    if (instance != NULL) return adopt(worker, instance, message);
    instance = free_slot(worker);
    if (instance == NULL) {
        /* The stock must not be what takes the last place. */
        instance = unclaimed(worker, INSTANCE_STARTING);
        if (instance != NULL) return adopt(worker, instance, message);
        link_reply(worker, message->header.request_id, WS_STEP_LIMIT, EAGAIN);
        return;
    }
    begin(worker, instance);
    enum ws_step step = create(worker, instance);
    if (step == WS_STEP_NONE) return adopt(worker, instance, message);
    instance->request_id = message->header.request_id;
    fail(worker, instance, step, errno);
}

static void set_up_answered(struct worker *worker, struct instance *instance, struct ws_status status) {
    if (instance->state != INSTANCE_STARTING) return;
    if (status.step != WS_STEP_NONE) {
        fail(worker, instance, status.step < WS_STEP_COUNT ? (enum ws_step)status.step : WS_STEP_PROTOCOL, status.error);
        return;
    }
    if (instance->id != 0) return announce(worker, instance);
    instance->state = INSTANCE_BLANK;
    instance->deadline_ms = NEVER;
}

void instance_answered(struct worker *worker, struct instance *instance) {
    for (;;) {
        struct init_answer answer;
        int fds[WS_SOCKET_FDS_MAX];
        size_t fds_count;
        ssize_t length = ws_socket_receive_now(instance->control, &answer, sizeof answer, fds, &fds_count);
        if (length < 0 && errno == EAGAIN) return;
        if (length <= 0) {
            /* The init has closed its end, so it is ending; without this the event would come again and again. */
            ws_close_quietly(&instance->control);
            instance_kill(worker, instance);
            return;
        }
        if (length != sizeof answer)
            for (size_t i = 0; i < fds_count; i++) close(fds[i]);
        else if (answer.token == 0)
            set_up_answered(worker, instance, answer.status);
        else
            container_init_answered(worker, answer.token, answer.status, fds, fds_count);
    }
}

void instance_kill(struct worker *worker, struct instance *instance) {
    if (instance->state == INSTANCE_ENDING) return;
    if (instance->request_id != 0) link_reply(worker, instance->request_id, WS_STEP_CLONE, ECANCELED);
    instance->request_id = 0;
    instance->state = INSTANCE_ENDING;
    instance->deadline_ms = NEVER;
    if (instance->pid > 0) kill(instance->pid, SIGKILL);
    for (struct container *container = instance->first, *next; container != NULL; container = next) {
        next = container->next; /* killing may free it */
        container_kill(worker, container);
    }
    instance_try_finish(worker, instance);
}

void instance_reaped(struct worker *worker, struct instance *instance) {
    instance->pid = 0;
    /* Answers sent before the end carry descriptors of containers; after this none can come. */
    if (instance->control >= 0) instance_answered(worker, instance);
    ws_close_quietly(&instance->control);
    instance_kill(worker, instance);
    for (struct container *container = instance->first, *next; container != NULL; container = next) {
        next = container->next;
        container->init_expected = false;
        container_try_finish(worker, container);
    }
    instance_try_finish(worker, instance);
}

void instance_try_finish(struct worker *worker, struct instance *instance) {
    if (instance->state != INSTANCE_ENDING || instance->pid != 0 || instance->containers != 0) return;
    if (ws_cgroup_remove(&worker->host.cgroups, instance->cgroup) < 0) {
        instance->deadline_ms = wake_at(worker, now_ms() + REMOVE_RETRY_MS);
        return;
    }
    ws_close_quietly(&instance->control);
    network_close_all(instance);
    if (instance->id != 0) index_remove(&worker->instances_by_id, key_of(instance));
    instance->state = INSTANCE_FREE;
    if (!instance->announced || instance->link_generation != worker->link_generation) return;
    struct ws_instance_exit event = {.instance_id = instance->id};
    link_send(worker, &event, sizeof event, WS_INSTANCE_EXIT, 0, NULL, 0);
}

void instance_expired(struct worker *worker, struct instance *instance) {
    instance->deadline_ms = NEVER;
    if (instance->state == INSTANCE_ENDING)
        instance_try_finish(worker, instance);
    else
        fail(worker, instance, WS_STEP_TIMEOUT, ETIMEDOUT);
}

int instance_weigh(struct worker *worker, struct container *container, uint32_t weight) {
    struct instance *instance = container->instance;
    if (weight == container->cpu_weight) return 0;
    instance->weights += weight - (uint64_t)container->cpu_weight;
    container->cpu_weight = weight;
    if (weight > instance->heaviest) instance->heaviest = weight;
    /* An instance that ends, or has no container left, competes with nobody. */
    if (instance->state != INSTANCE_LIVE || instance->weights == 0) return 0;
    uint64_t most = (uint64_t)instance->heaviest * worker->processors;
    struct ws_limits limits = instance->limits;
    limits.cpu_weight = (uint32_t)(instance->weights < most ? instance->weights : most);
    return limit(worker, instance, limits);
}
