/* The worker: one thread, one epoll loop, no call that waits for a sandbox.
 *
 * Files: worker.c loop · link.c the daemon's connection · requests.c one function per message · instance.c, container.c
 * state machines · shell.c what a container leaves to the next · park.c what outlives a connection · start.c the runtime process ·
 * learn.c its system calls ·
 * inspect.c a report on it · filters.c · zygote.c ·
 * reaper.c ends of children. */
#ifndef LAUNCHER_WORKER_H
#define LAUNCHER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "index.h"
#include "options.h"
#include "worker_root.h"
#include "ws_entry.h"

/* No step of a start may take longer; then it fails with WS_STEP_TIMEOUT. */
#define STEP_TIMEOUT_MS 5000u
#define REMOVE_RETRY_MS 2u
#define LISTENER_RETRY_MS 1u
/* A container that is ending is thawed again this often, in case the daemon froze it at the same moment. */
#define THAW_RETRY_MS 10u
#define NEVER UINT64_MAX
/* The stock, with --blank-instances; stock.c. */
#define NETWORKS_STOCK 8u
#define SPARE_NETWORKS_MAX 4u /* of one instance */
#define REFILL_AFTER_MS 10u
#define REFILL_EVERY_MS 2u
#define SHELLS_MAX 4u /* blank containers that one instance keeps of ended ones; shell.c */
#define CPU_WEIGHT_MAX 10000u /* of one container; struct ws_limits */

enum event_kind { EVENT_SIGNAL, EVENT_LISTENER, EVENT_LINK, EVENT_INSTANCE, EVENT_INIT, EVENT_STATUS, EVENT_ZYGOTE, EVENT_LEARN };

/* Places for descriptors of a reply, numbered by the bits of enum ws_descriptor; -1 is an empty place. */
enum reply_slot { SLOT_CHANNEL, SLOT_LOG, SLOT_MEMORY, SLOT_CPU, SLOT_FREEZER, SLOT_EGRESS, SLOT_REPORT, SLOT_CONNECTION, REPLY_SLOTS };
_Static_assert(1u << SLOT_CONNECTION == WS_DESCRIPTOR_CONNECTION && REPLY_SLOTS <= WS_FDS_MAX, "a slot for each bit");

/* FREE ─create─► STARTING ─answer─► LIVE ─kill, or its init died─► ENDING ─reaped, no containers, cgroup gone─► FREE
 *   └─stock─► STARTING, id 0 ─answer─► BLANK ─create─► LIVE */
enum instance_state { INSTANCE_FREE, INSTANCE_STARTING, INSTANCE_BLANK, INSTANCE_LIVE, INSTANCE_ENDING };

struct instance {
    enum instance_state state;
    uint32_t link_generation; /* of the connection it belongs to */
    uint64_t id;              /* the daemon's name for it */
    uint64_t token;           /* ours: serial and slot, never used twice */
    uint64_t request_id;      /* 0: nothing to answer */
    uint64_t deadline_ms;
    pid_t pid; /* of its init; 0 once reaped */
    int control;
    uint32_t containers;
    uint32_t blanks;         /* those of them that are blank */
    struct container *first; /* of its containers */
    bool announced;   /* the daemon heard that it started, so it will hear that it ended */
    bool wants_blank; /* a container was started here, so another may be */
    bool kept;        /* its connection has ended, and it lives on for its parked containers alone */
    int shared_network; /* of its containers without a network of their own; -1 until the first */
    int spare_networks[SPARE_NETWORKS_MAX];
    uint32_t spare_networks_count;
    struct ws_limits limits; /* as they are in force */
    uint64_t weights;        /* the sum of its containers' */
    uint32_t heaviest;       /* of the containers it has had */
    char cgroup[WS_CGROUP_NAME_MAX];
};

/* FREE ─PREPARE─► PREPARING ─init ready─► STARTING ─runtime runs─► READY ─death or kill─► ENDING ─all gone─► FREE
 *   └─stock─► BLANK ─PREPARE─► PREPARING, or STARTING when its init is ready
 *                     └──(exec_late, PREPARE alone)────────────────► READY ─ASSIGN─► STARTING
 *     READY ─kill, and its runtime is alone─► CLEARING ─reaped, nothing left─► BLANK, another container's (shell.c)
 * Any failure leads to ENDING as well. */
enum container_state {
    CONTAINER_FREE,
    CONTAINER_BLANK,
    CONTAINER_PREPARING,
    CONTAINER_STARTING,
    CONTAINER_READY,
    CONTAINER_CLEARING,
    CONTAINER_ENDING,
};

struct container {
    enum container_state state;
    struct instance *instance;
    struct container *next; /* of the same instance; of the free ones */
    const struct runtime *runtime;
    uint64_t id;
    uint64_t token;
    uint64_t request_id;
    uint64_t deadline_ms;
    struct ws_container_start *request; /* copy with its strings, while a start is under way */
    struct ws_tcp_reach tcp;
    struct ws_narrowing narrowing; /* of its system calls; what a profile lists is in `syscalls` */
    struct {
        int number; /* of the listener in the process; -1: it has not said, or the listener is ours */
        int listener;
        uint64_t retry_at_ms;
        struct ws_syscall_set seen;
    } learning;
    uint64_t tmp_bytes; /* of its /tmp as it is mounted */
    int own_network;    /* -1: its instance's */
    int init_pidfd;
    int status;  /* read end; -1 once the runtime runs or failed */
    int frame;   /* the runtime's ends, until it has them */
    int log;
    int reply_fds[REPLY_SLOTS]; /* ours to hand to the daemon; while it is parked, the daemon's own */
    struct ws_container_park *parked; /* the message with its label; NULL: not parked. Its time is `deadline_ms` */
    struct ws_limits limits; /* as its cgroup has them */
    uint32_t cpu_weight;     /* its part in its instance's weight */
    pid_t pid;               /* of the runtime process; 0: none */
    int wait_status;
    bool init_expected;   /* the init's answer is outstanding */
    bool zygote_expected; /* the zygote's answer is outstanding */
    bool init_gone;
    bool reaped;
    bool kill_asked;
    bool announced;
    bool assigned; /* it has its bundle */
    char cgroup[WS_CGROUP_NAME_MAX];
};

struct zygote {
    pid_t pid; /* 0: none alive */
    int control;
    bool booted;
    uint32_t failures;
    uint64_t start_at_ms;
};

struct outgoing; /* link.c */

/* Compiled once per worker, for the families that have a runtime. */
struct family_filters {
    struct ws_filter runtime;
    struct ws_filter zygote;
    int runtime_file; /* the same bytes, for zygotes to read */
};

#define UNCLAIMED_MAX 256u

struct worker {
    const struct options *options;
    struct ws_entry_host host;
    struct worker_views views;
    int epoll, signals, listener, link;
    int own_objects; /* our IPC namespace */
    struct family_filters filters[WS_FAMILY_COUNT];
    uint32_t link_generation;
    bool greeted, stopping;
    bool orphaned; /* who started us is gone: nothing holds us but a connection and what is parked */
    uint32_t parked_count;
    struct outgoing *first_outgoing, *last_outgoing;
    size_t outgoing_count;
    uint64_t serial;
    uint64_t wake_at_ms; /* the nearest deadline */
    uint64_t refill_at_ms;
    int own_network;
    int networks[NETWORKS_STOCK];
    uint32_t networks_count;
    uint32_t container_slots; /* --containers-max, and a blank one for each instance */
    uint32_t containers_used; /* those that are not blank */
    uint32_t blanks;
    uint32_t processors; /* that this process may use */
    struct instance *instances;
    struct container *containers;
    struct container *free_containers;
    struct index instances_by_id, containers_by_id, containers_by_pid;
    struct zygote zygotes[RUNTIMES_MAX];
    /* Runtimes that died before their zygote's answer, which tells whose they are, was read. */
    struct {
        pid_t pid;
        int wait_status;
    } unclaimed[UNCLAIMED_MAX];
    uint32_t unclaimed_next;
};

/* Runs until the supervisor asks it to end; returns the exit status. */
int worker_run(const struct options *options, const struct ws_cgroups *cgroups, int listener, const struct worker_root *root);

uint64_t now_ms(void);
/* Makes the loop look at deadlines at `at_ms`; returns it. */
uint64_t wake_at(struct worker *worker, uint64_t at_ms);
/* Watches `fd`; events come with the kind and the slot's token, and are dropped when the slot has another one by then. */
int watch(struct worker *worker, int fd, enum event_kind kind, uint64_t token);
/* Events of a watched `fd` come with another token from now on. */
int watch_as(struct worker *worker, int fd, enum event_kind kind, uint64_t token);
void epoll_forget(struct worker *worker, int fd);
uint64_t new_token(struct worker *worker, uint32_t slot);
#define TOKEN_SLOTS_MAX 65536u
static inline uint32_t token_slot(uint64_t token) { return (uint32_t)(token & 0xffff); }

/* link.c */
void link_accept(struct worker *worker);
void link_readable(struct worker *worker);
void link_writable(struct worker *worker);
void link_close(struct worker *worker);
/* Sends or queues; takes the descriptors over. The header's magic, version, type and length are filled in. */
void link_send(struct worker *worker, void *message, size_t length, uint16_t type, uint64_t request_id, const int *fds,
               size_t fds_count);
void link_reply(struct worker *worker, uint64_t request_id, enum ws_step step, int error);
/* Success; takes the descriptors in `slots` over and empties them. NULL: none. */
void link_reply_done(struct worker *worker, uint64_t request_id, pid_t process, int slots[REPLY_SLOTS]);

/* requests.c */
/* Descriptors that are kept are taken out of `fds`. */
void request_handle(struct worker *worker, const void *data, size_t length, int *fds, size_t fds_count);

/* instance.c */
struct instance *instance_find(struct worker *worker, uint64_t id);
void instance_create(struct worker *worker, const struct ws_instance_create *message);
void instance_answered(struct worker *worker, struct instance *instance);
void instance_kill(struct worker *worker, struct instance *instance);
void instance_reaped(struct worker *worker, struct instance *instance);
void instance_try_finish(struct worker *worker, struct instance *instance);
void instance_expired(struct worker *worker, struct instance *instance);
/* A container's weight changes: an instance weighs as much as its containers together, but no more than one of them for each processor,
 * for that many can run: an account's idle containers are no claim on a neighbour's time. 0, or -1 with errno. */
int instance_weigh(struct worker *worker, struct container *container, uint32_t weight);

/* container.c */
/* The process has started: its end will be the container's. */
void container_has_process(struct worker *worker, struct container *container, pid_t pid);
struct container *container_find(struct worker *worker, uint64_t id);
void container_start(struct worker *worker, const struct ws_container_start *message);
void container_init_answered(struct worker *worker, uint64_t token, struct ws_status status, int *fds, size_t fds_count);
void container_init_gone(struct worker *worker, struct container *container);
void container_kill(struct worker *worker, struct container *container);
void container_reaped(struct worker *worker, struct container *container, int wait_status);
void container_fail(struct worker *worker, struct container *container, enum ws_step step, int error);
void container_try_finish(struct worker *worker, struct container *container);
void container_expired(struct worker *worker, struct container *container);
/* The runtime runs, or (exec_late) nothing has to yet: answers the daemon. */
void container_started(struct worker *worker, struct container *container);

/* What a blank container is but for its shell, and its entry in the counts. */
void container_be_blank(struct worker *worker, struct container *container);
/* The first of its instance is the first to be looked at. */
void container_to_front(struct container *container);
void container_send_exit(struct worker *worker, const struct container *container, const struct ws_cgroup_usage *usage);

/* shell.c */
/* Ends a container's process alone, to keep its shell; false when that would not do. */
bool shell_clear(struct worker *worker, struct container *container);
/* The process is gone: makes a blank container of what is left; false when more than the shell is left, or there are enough. */
bool shell_keep(struct worker *worker, struct container *container);

/* park.c */
void park_container(struct worker *worker, const struct ws_container_park *message, int *fds, size_t fds_count);
/* Answers with a parked container, which is the present connection's from then on, or with none. */
void park_adopt(struct worker *worker, uint64_t request_id);
/* The connection has ended: kills the instance, or what is not parked in it. */
void park_abandon(struct worker *worker, struct instance *instance);
/* The container ends, or is adopted. */
void park_forget(struct worker *worker, struct container *container);
/* A container of the instance is gone: one that was kept for parked containers ends with the last of them. */
void park_check(struct worker *worker, struct instance *instance);
uint64_t park_number_max(const struct worker *worker);

/* A container without a function in the instance: the stock's, or about to be adopted. WS_STEP_NONE, or what failed, with errno. */
enum ws_step container_make_blank(struct worker *worker, struct instance *instance, struct container **made);
/* Starts an instance that nobody has asked for; false when there is no room. */
bool instance_make_blank(struct worker *worker);

/* network.c */
int network_set_up(struct worker *worker);
/* Makes one for the stock; false when it is full. */
bool network_refill(struct worker *worker);
/* Gives a container its network: its listeners are then in its reply's slots. WS_STEP_NONE, or what failed. */
enum ws_step network_open(struct worker *worker, struct container *container);
int network_of(const struct container *container);
/* Everything in the container is gone: its own network may serve the instance's next container. */
void network_leave(struct container *container);
void network_close_all(struct instance *instance);

/* stock.c */
/* Somebody starts something: the stock waits. */
void stock_disturb(struct worker *worker);
/* Makes the next thing that is missing, if it is time. */
void stock_refill(struct worker *worker);

/* start.c */
/* Mounts what the container lacks: the runtime, the bundle, a /tmp of another size. 0, or -1 after container_fail. */
int start_mount(struct worker *worker, struct container *container);
void start_runtime(struct worker *worker, struct container *container);
void start_status_readable(struct worker *worker, struct container *container);
void start_zygote_answered(struct worker *worker, struct container *container, int pid);

/* learn.c: WS_START_LEARN */
void learn_begin(struct worker *worker, struct container *container, int number);
void learn_retry(struct worker *worker, struct container *container);
void learn_readable(struct worker *worker, struct container *container, uint32_t events);
void learn_report(struct worker *worker, const struct container *container);

/* inspect.c: answers with a report on a container whose runtime runs. */
void inspect_container(struct worker *worker, const struct container *container, uint64_t request_id);

/* filters.c */
int filters_compile(struct worker *worker);

/* zygote.c */
void zygotes_start_due(struct worker *worker);
void zygote_readable(struct worker *worker, struct zygote *zygote);
void zygote_reaped(struct worker *worker, struct zygote *zygote, int wait_status);
/* Sends the order; -1 when the zygote is down. */
int zygote_order(struct worker *worker, const struct container *container, const struct ws_entry_plan *plan);

/* reaper.c */
void reap_children(struct worker *worker);
/* The wait status of a runtime that died before it was known; false if it lives. */
bool claim_exit(struct worker *worker, pid_t pid, int *wait_status);

#endif
