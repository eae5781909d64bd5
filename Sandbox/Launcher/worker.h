/* The worker: one thread, one epoll loop, no call that waits for a sandbox.
 *
 * Files: worker.c loop · link.c the daemon's connection · requests.c one function per message · instance.c, container.c
 * state machines · start.c the runtime process · zygote.c · reaper.c ends of children. */
#ifndef LAUNCHER_WORKER_H
#define LAUNCHER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "worker_root.h"
#include "ws_entry.h"

/* No step of a start may take longer; then it fails with WS_STEP_TIMEOUT. */
#define STEP_TIMEOUT_MS 5000u
#define REMOVE_RETRY_MS 2u
#define NEVER UINT64_MAX

enum event_kind { EVENT_SIGNAL, EVENT_LISTENER, EVENT_LINK, EVENT_INSTANCE, EVENT_INIT, EVENT_STATUS, EVENT_ZYGOTE };

/* FREE ─create─► STARTING ─answer─► LIVE ─kill, or its init died─► ENDING ─reaped, no containers, cgroup gone─► FREE */
enum instance_state { INSTANCE_FREE, INSTANCE_STARTING, INSTANCE_LIVE, INSTANCE_ENDING };

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
    bool announced; /* the daemon heard that it started, so it will hear that it ended */
    struct ws_limits limits;
    char cgroup[WS_CGROUP_NAME_MAX];
};

/* FREE ─PREPARE─► PREPARING ─init ready─► STARTING ─runtime runs─► READY ─death or kill─► ENDING ─all gone─► FREE
 *                     └──(exec_late, PREPARE alone)────────────────► READY ─ASSIGN─► STARTING
 * Any failure leads to ENDING as well. */
enum container_state { CONTAINER_FREE, CONTAINER_PREPARING, CONTAINER_STARTING, CONTAINER_READY, CONTAINER_ENDING };

struct container {
    enum container_state state;
    struct instance *instance;
    const struct runtime *runtime;
    uint64_t id;
    uint64_t token;
    uint64_t request_id;
    uint64_t deadline_ms;
    struct ws_container_start *request; /* copy with its strings, while a start is under way */
    int init_pidfd;
    int status;  /* read end; -1 once the runtime runs or failed */
    int frame;   /* the runtime's ends, until it has them */
    int log;
    int reply_fds[3]; /* ours to hand to the daemon */
    pid_t pid;        /* of the runtime process; 0: none */
    int wait_status;
    bool init_expected;   /* the init's answer is outstanding */
    bool zygote_expected; /* the zygote's answer is outstanding */
    bool init_gone;
    bool reaped;
    bool kill_asked;
    bool announced;
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

#define UNCLAIMED_MAX 256u

struct worker {
    const struct options *options;
    struct ws_entry_host host;
    struct worker_views views;
    int epoll, signals, listener, link, filter_file;
    uint32_t link_generation;
    bool greeted, stopping;
    struct outgoing *first_outgoing, *last_outgoing;
    size_t outgoing_count;
    uint64_t serial;
    uint64_t wake_at_ms; /* the nearest deadline */
    struct instance *instances;
    struct container *containers;
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
void epoll_forget(struct worker *worker, int fd);
uint64_t new_token(struct worker *worker, uint32_t slot);
static inline uint32_t token_slot(uint64_t token) { return (uint32_t)(token & 0xffff); }

/* link.c */
void link_accept(struct worker *worker);
void link_readable(struct worker *worker);
void link_writable(struct worker *worker);
void link_close(struct worker *worker);
/* Sends or queues; takes the descriptors over. The header's magic, version, type and length are filled in. */
void link_send(struct worker *worker, void *message, size_t length, uint16_t type, uint64_t request_id, const int *fds,
               size_t fds_count);
void link_reply(struct worker *worker, uint64_t request_id, enum ws_step step, int error, pid_t process, const int *fds,
                size_t fds_count);

/* requests.c */
void request_handle(struct worker *worker, const void *data, size_t length);

/* instance.c */
struct instance *instance_find(struct worker *worker, uint64_t id);
void instance_create(struct worker *worker, const struct ws_instance_create *message);
void instance_answered(struct worker *worker, struct instance *instance);
void instance_kill(struct worker *worker, struct instance *instance);
void instance_reaped(struct worker *worker, struct instance *instance);
void instance_try_finish(struct worker *worker, struct instance *instance);
void instance_expired(struct worker *worker, struct instance *instance);

/* container.c */
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

/* start.c */
/* Mounts the bundle, sets the limits; 0, or -1 after container_fail. */
int start_assign(struct worker *worker, struct container *container);
void start_runtime(struct worker *worker, struct container *container);
void start_status_readable(struct worker *worker, struct container *container);
void start_zygote_answered(struct worker *worker, struct container *container, int pid);

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
