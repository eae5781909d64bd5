#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"

#define EVENTS_MAX 64
/* An event's tag: the kind above, the slot's token (48 bits are enough for 8 million starts a second for a year) below. */
#define KIND_SHIFT 56
#define TOKEN_MASK ((1ull << KIND_SHIFT) - 1)

uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t wake_at(struct worker *worker, uint64_t at_ms) {
    if (at_ms < worker->wake_at_ms) worker->wake_at_ms = at_ms;
    return at_ms;
}

int watch(struct worker *worker, int fd, enum event_kind kind, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << KIND_SHIFT | token};
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event);
}

int watch_as(struct worker *worker, int fd, enum event_kind kind, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << KIND_SHIFT | token};
    return epoll_ctl(worker->epoll, EPOLL_CTL_MOD, fd, &event);
}

void epoll_forget(struct worker *worker, int fd) { epoll_ctl(worker->epoll, EPOLL_CTL_DEL, fd, NULL); }

uint64_t new_token(struct worker *worker, uint32_t slot) { return ++worker->serial << 16 | slot; }

static struct container *container_of_token(struct worker *worker, uint64_t token) {
    struct container *container = &worker->containers[token_slot(token)];
    return container->state != CONTAINER_FREE && container->token == token ? container : NULL;
}

static struct instance *instance_of_token(struct worker *worker, uint64_t token) {
    struct instance *instance = &worker->instances[token_slot(token)];
    return instance->state != INSTANCE_FREE && instance->token == token ? instance : NULL;
}

static void take_signals(struct worker *worker) {
    struct signalfd_siginfo signal_info;
    while (read(worker->signals, &signal_info, sizeof signal_info) == sizeof signal_info)
        if (signal_info.ssi_signo == SIGUSR1)
            worker->orphaned = true;
        else if (signal_info.ssi_signo != SIGCHLD)
            worker->stopping = true;
    reap_children(worker);
}

static void dispatch(struct worker *worker, const struct epoll_event *event) {
    uint64_t token = event->data.u64 & TOKEN_MASK;
    struct container *container;
    struct instance *instance;
    switch ((enum event_kind)(event->data.u64 >> KIND_SHIFT)) {
    case EVENT_SIGNAL: take_signals(worker); break;
    case EVENT_LISTENER: link_accept(worker); break;
    case EVENT_LINK:
        if (token != worker->link_generation || worker->link < 0) break;
        if ((event->events & EPOLLOUT) != 0) link_writable(worker);
        if ((event->events & ~(uint32_t)EPOLLOUT) != 0) link_readable(worker);
        break;
    case EVENT_INSTANCE:
        if ((instance = instance_of_token(worker, token)) != NULL) instance_answered(worker, instance);
        break;
    case EVENT_INIT:
        if ((container = container_of_token(worker, token)) != NULL) container_init_gone(worker, container);
        break;
    case EVENT_STATUS:
        if ((container = container_of_token(worker, token)) != NULL) start_status_readable(worker, container);
        break;
    case EVENT_LEARN:
        if ((container = container_of_token(worker, token)) != NULL) learn_readable(worker, container, event->events);
        break;
    case EVENT_ZYGOTE: zygote_readable(worker, &worker->zygotes[token]); break;
    }
}

/* True when the time has come; otherwise the loop will look again then. */
static bool is_due(struct worker *worker, uint64_t at_ms, uint64_t now) {
    if (at_ms > now && at_ms != NEVER) wake_at(worker, at_ms);
    return at_ms <= now;
}

/* Looks at every deadline; only when the nearest one has come. */
static void run_deadlines(struct worker *worker) {
    uint64_t now = now_ms();
    if (now < worker->wake_at_ms) return;
    worker->wake_at_ms = NEVER;
    for (uint32_t i = 0; i < worker->container_slots; i++) {
        struct container *container = &worker->containers[i];
        if (container->state == CONTAINER_FREE) continue;
        if (is_due(worker, container->learning.retry_at_ms, now)) learn_retry(worker, container);
        if (is_due(worker, container->deadline_ms, now)) container_expired(worker, container);
    }
    for (uint32_t i = 0; i < worker->options->instances_max; i++) {
        struct instance *instance = &worker->instances[i];
        if (instance->state != INSTANCE_FREE && is_due(worker, instance->deadline_ms, now)) instance_expired(worker, instance);
    }
    zygotes_start_due(worker);
    stock_refill(worker);
}

static int timeout_ms(const struct worker *worker) {
    if (worker->wake_at_ms == NEVER) return -1;
    uint64_t now = now_ms();
    return worker->wake_at_ms <= now ? 0 : (int)(worker->wake_at_ms - now);
}

/* sched_setattr(2), which this C library does not declare. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* How long one of us runs before another may take the processor, where somebody waits: everything below the worker inherits it. With
 * the kernel's default of milliseconds a warm call would wait that long behind each cold start. A kernel that has no such slices
 * (before 6.12) ignores it. */
#define SLICE_NS 100000u

static void shorten_slice(void) {
    struct scheduling wanted = {.size = sizeof wanted, .runtime_ns = SLICE_NS};
    (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}

#define PROCESSORS_MAX 8192u /* more than any kernel is built for */

static uint32_t count_processors(void) {
    static cpu_set_t usable[PROCESSORS_MAX / CPU_SETSIZE];
    return sched_getaffinity(0, sizeof usable, usable) < 0 ? 1 : (uint32_t)CPU_COUNT_S(sizeof usable, usable);
}

static int set_up(struct worker *worker) {
    shorten_slice();
    worker->processors = count_processors();
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGUSR1);
    worker->signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->own_objects = openat(worker->views.proc, "self/ns/ipc", O_RDONLY | O_CLOEXEC);
    worker->instances = calloc(worker->options->instances_max, sizeof *worker->instances);
    worker->container_slots = worker->options->containers_max + worker->options->instances_max;
    if (worker->container_slots > TOKEN_SLOTS_MAX) worker->container_slots = TOKEN_SLOTS_MAX;
    worker->containers = calloc(worker->container_slots, sizeof *worker->containers);
    if (worker->signals < 0 || worker->epoll < 0 || worker->own_objects < 0) return -1;
    if (worker->instances == NULL || worker->containers == NULL) return -1;
    if (index_make(&worker->instances_by_id, worker->options->instances_max) < 0 ||
        index_make(&worker->containers_by_id, worker->container_slots) < 0 ||
        index_make(&worker->containers_by_pid, worker->container_slots) < 0)
        return -1;
    for (uint32_t i = worker->container_slots; i-- > 0; worker->free_containers = &worker->containers[i])
        worker->containers[i].next = worker->free_containers;
    if (filters_compile(worker) < 0 || network_set_up(worker) < 0) return -1;
    if (watch(worker, worker->signals, EVENT_SIGNAL, 0) < 0) return -1;
    return watch(worker, worker->listener, EVENT_LISTENER, 0);
}

static bool is_over(const struct worker *worker) {
    return worker->stopping || (worker->orphaned && worker->link < 0 && worker->parked_count == 0);
}

int worker_run(const struct options *options, const struct ws_cgroups *cgroups, int listener, const struct worker_root *root) {
    static struct worker worker;
    worker = (struct worker){.options = options, .listener = listener, .link = -1, .wake_at_ms = 0};
    worker.host.cgroups = *cgroups;
    worker.host.landlock_abi = ws_landlock_abi();
    worker.host.privileged = root->privileged;
    if (worker_root_enter(options, root, &worker.views) < 0) return 1;
    if (set_up(&worker) < 0) {
        fprintf(stderr, "wayside-launcher: the worker cannot set up: %s\n", strerror(errno));
        return 1;
    }
    while (!is_over(&worker)) {
        run_deadlines(&worker);
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(worker.epoll, events, EVENTS_MAX, timeout_ms(&worker));
        for (int i = 0; i < count; i++) dispatch(&worker, &events[i]);
    }
    /* Ending ends every sandbox: the inits have asked the kernel to be killed with us. The supervisor sweeps the rest. */
    return 0;
}
