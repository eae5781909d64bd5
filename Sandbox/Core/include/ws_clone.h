/* clone3(2) as a fork: the child returns 0 on a copy of the caller's stack. */
#ifndef WS_CLONE_H
#define WS_CLONE_H

#include <stdint.h>
#include <sys/types.h>

/* Like fork(2) with `flags` (CLONE_NEW*, CLONE_PARENT, …). `cgroup` >= 0 starts the child in that v2 cgroup.
 * Only for single-threaded callers: the handlers of pthread_atfork(3) do not run. */
pid_t ws_clone(uint64_t flags, int cgroup);

#endif
