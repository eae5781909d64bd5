#include "ws_clone.h"

#include <sys/prctl.h>

#include "ws_kernel.h"

/* glibc caches the thread id in memory that the kernel knows as the "clear child tid" address. fork(3) has the kernel
 * rewrite it in the child; a bare clone3 must ask for the same, or locks that record their owner would hold a stranger's. */
static uint64_t thread_id_address(void) {
    static uint64_t address;
    int *found = NULL;
    if (address == 0 && prctl(PR_GET_TID_ADDRESS, &found) == 0) address = (uint64_t)(uintptr_t)found;
    return address;
}

pid_t ws_clone(uint64_t flags, int cgroup) {
    struct ws_clone_args arguments = {.flags = flags};
    /* With CLONE_PARENT the kernel insists that the exit signal is inherited. */
    if ((flags & CLONE_PARENT) == 0) arguments.exit_signal = SIGCHLD;
    arguments.child_tid = thread_id_address();
    if (arguments.child_tid != 0) arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    if (cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}
