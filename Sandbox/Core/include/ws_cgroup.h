/* The launcher's own subtree of each cgroup hierarchy, on v1, hybrid and v2 hosts alike.
 *
 *     <mount>/<cgroup of the launcher>/wayside/        owned by root of the worker's user namespace
 *                                        i7/           one instance: its limits cover its containers
 *                                          init/       v2 only: the instance's init (no processes in inner v2 cgroups)
 *                                          c12/        one container: the runtime process and all that it starts
 *
 * A cgroup is named by its path below wayside/, e.g. "i7/c12", which means the same in every hierarchy. */
#ifndef WS_CGROUP_H
#define WS_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "wayside_protocol.h"

#define WS_CGROUP_HIERARCHIES_MAX 5u
#define WS_CGROUP_NAME_MAX 48u

enum ws_controller {
    WS_CONTROLLER_MEMORY = 1 << 0,
    WS_CONTROLLER_PIDS = 1 << 1,
    WS_CONTROLLER_CPU = 1 << 2,
    WS_CONTROLLER_CPUACCT = 1 << 3,
    WS_CONTROLLER_FREEZER = 1 << 4,
};

struct ws_hierarchy {
    int base;             /* the wayside/ directory, O_PATH */
    uint32_t controllers; /* set of enum ws_controller */
    char path[PATH_MAX];  /* of the same directory, for the supervisor */
};

struct ws_cgroups {
    uint32_t version; /* 0 none usable, 1, 2; as in struct ws_hello_reply */
    uint32_t processes_max; /* of all sandboxes together; 0 where no pids controller is usable */
    uint32_t count;
    struct ws_hierarchy hierarchies[WS_CGROUP_HIERARCHIES_MAX];
};

struct ws_cgroup_usage {
    uint64_t memory_peak_bytes;
    uint64_t cpu_nanoseconds;
    uint64_t out_of_memory_kills;
};

/* Finds the host's controllers (/proc/self/mountinfo), makes `name` below the caller's own cgroup in each, enables the
 * controllers there and gives the directories to `owner`. Leaves version 0 when nothing is usable. */
void ws_cgroups_set_up(struct ws_cgroups *cgroups, const char *name, uid_t owner);

/* Kills and removes everything below wayside/. Waits for the dead at most `timeout_ms`. 0, or -1 when something is left. */
int ws_cgroups_sweep(const struct ws_cgroups *cgroups, int timeout_ms);

/* Removes wayside/ itself; for the end of the supervisor. */
void ws_cgroups_remove_base(const struct ws_cgroups *cgroups);

int ws_cgroup_create(const struct ws_cgroups *cgroups, const char *name, bool inner);

/* Writes the limits that differ from those `before`, which are what a cgroup has already (zeros: it is new). 0, or -1 with errno. */
int ws_cgroup_limit(const struct ws_cgroups *cgroups, const char *name, const struct ws_limits *before, const struct ws_limits *limits);

/* One "file value" line for each limit file that exists. */
void ws_cgroup_describe(const struct ws_cgroups *cgroups, const char *name, FILE *report);

void ws_cgroup_usage(const struct ws_cgroups *cgroups, const char *name, struct ws_cgroup_usage *usage);

/* How many tasks are in it; -1 where nothing counts them. A task counts until it has been waited for. */
int64_t ws_cgroup_tasks(const struct ws_cgroups *cgroups, const char *name);

/* Makes a cgroup without tasks ready for the next container of its instance: thawed, counters at zero; v1 keeps the limits. -1 when it has
 * tasks, or more memory is still charged to it than a shell may bring along: then it can only be removed. */
int ws_cgroup_renew(const struct ws_cgroups *cgroups, const char *name);

/* Removes the cgroup from every hierarchy. -1 with EBUSY while the kernel still counts a dead process in it. */
int ws_cgroup_remove(const struct ws_cgroups *cgroups, const char *name);

/* Files of a container's cgroups that the daemon uses without asking us. */
enum ws_cgroup_file {
    WS_CGROUP_PEAK,    /* peak memory, for reading */
    WS_CGROUP_CPU,     /* cpu time, for reading */
    WS_CGROUP_FREEZER, /* for writing */
    WS_CGROUP_FILES,
};

/* The file opened; -1 where there is none. */
int ws_cgroup_open(const struct ws_cgroups *cgroups, const char *name, enum ws_cgroup_file file);

/* Lets everything in the cgroup run again, where a frozen process would not even die (v1). To be called after the kill: a
 * process that is thawed before it may run on. Nothing where it is not needed. */
void ws_cgroup_thaw_killed(const struct ws_cgroups *cgroups, const char *name);

/* v1: moves the calling, single-threaded process. v2: nothing, the process was cloned into its cgroup. */
int ws_cgroup_enter(const struct ws_cgroups *cgroups, const char *name);

/* v2: the directory to hand to ws_clone; -1 otherwise. The caller closes it. */
int ws_cgroup_open_for_clone(const struct ws_cgroups *cgroups, const char *name);

#endif
