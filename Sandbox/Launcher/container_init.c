/* PID 1 of a container: makes the container's own mounts, tells the worker, and then only waits while the
 * kernel reaps orphans for it. When it is killed, the kernel kills everything in the container. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>

#include "init_wire.h"
#include "wayside_socket.h"
#include "ws_kernel.h"
#include "ws_mounts.h"
#include "ws_namespaces.h"
#include "ws_privileges.h"
#include "ws_seccomp.h"

struct container_setup {
    const struct init_inheritance *inheritance;
    const struct init_order *order;
    int pidfd; /* of ourselves, so that the worker needs no pid, which might be someone else's by then */
};

static int mount_proc(struct container_setup *setup) {
    (void)setup;
    return ws_mount_proc();
}

static int mount_tmp(struct container_setup *setup) { return ws_mount_tmp(setup->order->tmp_bytes, false); }

static int drop_capabilities(struct container_setup *setup) {
    /* Rootless, user code has our uid. Capabilities it lacks are then what forbids it to trace us; ptrace(2). */
    return setup->inheritance->privileged ? ws_capabilities_drop_current() : 0;
}

static int refuse_new_privileges(struct container_setup *setup) {
    (void)setup;
    /* The worker must still be able to join us by /proc; the change of capabilities above may have taken that. */
    return ws_no_new_privileges() < 0 ? -1 : prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static const struct {
    enum ws_step step;
    int (*run)(struct container_setup *setup);
} steps[] = {
    {WS_STEP_MOUNT_PROC, mount_proc},
    {WS_STEP_MOUNT_TMP, mount_tmp},
    {WS_STEP_CAPABILITIES, drop_capabilities},
    {WS_STEP_NO_NEW_PRIVS, refuse_new_privileges},
};

static void report(const struct container_setup *setup, enum ws_step step, int error) {
    struct init_answer message = {.token = setup->order->token, .status = {.step = step, .error = error}};
    if (ws_socket_send(setup->inheritance->control, &message, sizeof message, &setup->pidfd, 1) < 0) _exit(1);
}

_Noreturn void container_init(const struct init_inheritance *inheritance, const struct init_order *order) {
    struct container_setup setup = {.inheritance = inheritance, .order = order, .pidfd = ws_pidfd_open(getpid())};
    if (setup.pidfd < 0) _exit(1);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].run(&setup) == 0) continue;
        report(&setup, steps[i].step, errno);
        _exit(1);
    }
    report(&setup, WS_STEP_NONE, 0);
    if (close_range(0, ~0u, 0) < 0 || ws_filter_install_for_init() < 0) _exit(1);
    for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}
