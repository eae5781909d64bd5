/* Between the worker and a zygote, over the SEQPACKET socket named by WAYSIDE_ZYGOTE_FD.
 *
 *   worker                                             zygote
 *     ── ws_zygote_setup + filter, cgroup directories ──►    once, right after it was started
 *     ◄── ws_zygote_answer, token 0 ─────────────────────    booted (ws_zygote_ready)
 *     ── ws_entry_order + init, network, frame, log, status ►
 *     ◄── ws_zygote_answer, the order's token ───────────    the runtime process, now the worker's child
 *
 * Both ends are the same build; sizes tell the two messages apart. */
#ifndef WS_ZYGOTE_WIRE_H
#define WS_ZYGOTE_WIRE_H

#include <stdint.h>

#include "ws_cgroup.h"

struct ws_zygote_setup {
    uint32_t privileged;
    uint32_t landlock_abi;
    uint32_t cgroup_version;
    uint32_t hierarchies_count; /* descriptors that follow the filter's */
    uint32_t controllers[WS_CGROUP_HIERARCHIES_MAX];
    uint32_t filter_count;
};

struct ws_zygote_answer {
    uint64_t token;
    int32_t pid; /* or -errno */
    uint32_t reserved;
};

#define WS_ZYGOTE_ORDER_FDS 5u

#endif
