/* The worker's place: a root directory of its own in a user namespace of its own. */
#ifndef LAUNCHER_WORKER_ROOT_H
#define LAUNCHER_WORKER_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct worker_root {
    int gate;        /* to the supervisor: tells when the ids are mapped, and by its end of file that it ended */
    bool privileged; /* started by real root */
};

/* What the worker keeps of the outside world. */
struct worker_views {
    int proc;               /* a procfs of the worker's PID namespace, for id maps */
    int host_proc;          /* the host's, only to learn how the host counts a pid */
    int content;            /* the bundles */
    int own_namespace;      /* the worker's mount namespace */
    int template_namespace; /* the one that instances start from */
    pid_t host_pid;         /* the worker's own pid on the host */
};

/* Builds what will be the worker's root, over --state, in a new mount namespace (the supervisor's, as real root) or, rootless,
 * in the worker's. The working directory is then in it: the worker may lack the permission to walk there. 0, or -1 after
 * printing the step that failed. */
int worker_stage_build(const struct options *options);

/* In the new worker: waits for its ids, takes its root. 0, or -1 after printing the step that failed. */
int worker_root_enter(const struct options *options, const struct worker_root *root, struct worker_views *views);

/* The pid by which the host knows a child of the worker; 0 when it has gone. */
pid_t worker_host_pid(const struct worker_views *views, pid_t pid);

#endif
