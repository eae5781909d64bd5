/* A runtime process's way in: from a fresh child of the worker or a zygote to a confined process in its container.
 * One table of steps, walked by one loop; the step that fails is written to the status pipe as a struct ws_status. */
#ifndef WS_ENTRY_H
#define WS_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ws_cgroup.h"
#include "ws_privileges.h"
#include "ws_seccomp.h"
#include "wayside_protocol.h"

#define WS_API_PORT 9001
/* Where a web server of the function's own listens; the default of adapters between the Runtime API and such servers. */
#define WS_WEB_PORT 8080

/* Not a failed step, but in its place on the status pipe: `error` is the number that the listener of a process that is
 * watched will have. The process then stops at its next call until the worker has taken the listener. */
#define WS_ENTRY_LISTENER UINT32_MAX

/* What is the same for every runtime process of one worker. */
struct ws_entry_host {
    struct ws_cgroups cgroups;
    uint32_t landlock_abi;
    bool privileged; /* a range of ids is mapped; otherwise a single one */
};

/* Plain numbers: sent to zygotes as they are. */
struct ws_entry_order {
    uint64_t token; /* the worker's name for the container; echoed by a zygote */
    uint64_t file_size_bytes; /* 0 = 10 GiB */
    uint32_t nofile_max;
    uint32_t processes_max; /* RLIMIT_NPROC; 0 = the cgroup's limit is enough */
    struct ws_tcp_reach tcp;
    struct ws_narrowing narrowing;
    char cgroup[WS_CGROUP_NAME_MAX];
};

struct ws_entry_plan {
    struct ws_entry_order order;
    const struct ws_filter *filter; /* of the runtime's family */
    int init_pidfd;
    int network; /* the network namespace to join */
    int frame;   /* -1: none */
    int log;
    int status;
    int listener; /* of a process that is watched: its own end, until the worker has taken it; -1 otherwise */
    const char *path; /* NULL: the process stays what it is, a fork of a zygote */
    char *const *arguments;
    char *const *environment;
};

/* Forks a child into the PID namespace of `init_pidfd` (and, on v2, its cgroup); 0 in the child, the pid, or -1. */
pid_t ws_entry_fork(const struct ws_entry_host *host, const struct ws_entry_plan *plan, bool to_parent);

/* Walks the table in the child. Returns 0 with the status pipe closed, or -1 after the failing step was reported. With a
 * path it returns only in the second case. */
int ws_entry_walk(const struct ws_entry_host *host, struct ws_entry_plan *plan);

#endif
