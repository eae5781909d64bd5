/* Between the worker and an instance's init (SEQPACKET socketpair), and the two inits' main functions.
 *
 *   worker                                    inits
 *     ── init_go ───────────────────────────►   the id maps are written
 *     ◄── init_answer, token 0 ──────────────   the instance is set up, or the step that failed
 *     ── init_order ────────────────────────►   a container is wanted
 *     ◄── init_answer + pidfd ───────────────   sent by the container's init itself
 *     ── init_order + pidfd ────────────────►   the container with this init gets new mounts; nothing else lives in it
 *     ◄── init_answer ───────────────────────   they are there, or the step that failed */
#ifndef LAUNCHER_INIT_WIRE_H
#define LAUNCHER_INIT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "wayside_protocol.h"
#include "ws_cgroup.h"

struct init_go {
    uint32_t go;
};

struct init_order {
    uint64_t token;
    uint64_t tmp_bytes;
};

struct init_answer {
    uint64_t token;
    struct ws_status status;
};

/* What the instance's init inherits from the worker by being its fork. */
struct init_inheritance {
    const struct ws_cgroups *cgroups;
    const char *cgroup;
    int control;
    int proc; /* a procfs of the worker's PID namespace */
    bool privileged;
};

_Noreturn void instance_init(const struct init_inheritance *inheritance);
_Noreturn void container_init(const struct init_inheritance *inheritance, const struct init_order *order);

#endif
