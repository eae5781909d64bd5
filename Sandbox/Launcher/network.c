/* Network namespaces: each has loopback alone, and a runtime process joins one by its descriptor. The inits stay out of them, so that
 * making one (the dearest part of a clone) happens when nobody waits, and a container's can serve the next container of its instance.
 *
 *   worker's stock ──► an instance's shared one      kinds fork and exec_early without egress
 *                 └──► a container's own ──► the instance's spare ones ──► the next container's own, same account
 *
 * None ever passes from one instance to another. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "worker.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_namespaces.h"

static void go_home(const struct worker *worker) {
    if (setns(worker->own_network, CLONE_NEWNET) < 0) _exit(71); /* every socket from here on would be a sandbox's */
}

int network_set_up(struct worker *worker) {
    worker->own_network = openat(worker->views.proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
    return worker->own_network < 0 ? -1 : 0;
}

/* The files below /proc/net belong to the root of the user namespace that made the network. Rootless, our root is the functions' own
 * host user: so a child makes it, in a user namespace whose root is nobody. It ends at once; the network stays, open. */
static int make_without_owner(const struct worker *worker) {
    int pair[2];
    char path[64], byte = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    pid_t child = ws_clone(CLONE_NEWUSER | CLONE_NEWNET, -1);
    if (child == 0) {
        close(pair[0]);
        if (ws_loopback_up() < 0 || write(pair[1], &byte, 1) != 1) _exit(1);
        _exit(read(pair[1], &byte, 1) == 0 ? 0 : 1);
    }
    close(pair[1]);
    int made = -1;
    if (child > 0 && read(pair[0], &byte, 1) == 1) {
        snprintf(path, sizeof path, "%d/ns/net", (int)child);
        made = openat(worker->views.proc, path, O_RDONLY | O_CLOEXEC);
    }
    close(pair[0]);
    if (child > 0) waitpid(child, NULL, 0);
    return made;
}

static int make(const struct worker *worker) {
    if (!worker->host.privileged) return make_without_owner(worker);
    if (unshare(CLONE_NEWNET) < 0) return -1;
    int made = ws_loopback_up() < 0 ? -1 : openat(worker->views.proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
    int error = errno;
    go_home(worker);
    errno = error;
    return made;
}

static int take(struct worker *worker) {
    return worker->networks_count > 0 ? worker->networks[--worker->networks_count] : make(worker);
}

bool network_refill(struct worker *worker) {
    if (worker->networks_count == NETWORKS_STOCK) return false;
    int made = make(worker);
    if (made >= 0) worker->networks[worker->networks_count++] = made;
    return made >= 0;
}

static enum ws_step listen_inside(const struct worker *worker, int network, const struct ws_tcp_reach *tcp, int slots[REPLY_SLOTS]) {
    const struct {
        uint32_t port;
        enum reply_slot slot;
    } wanted[] = {{tcp->api_port, SLOT_CHANNEL}, {tcp->egress_port, SLOT_EGRESS}};
    if (setns(network, CLONE_NEWNET) < 0) return WS_STEP_JOIN_NAMESPACES;
    enum ws_step step = WS_STEP_NONE;
    for (size_t i = 0; step == WS_STEP_NONE && i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i].port == 0) continue;
        slots[wanted[i].slot] = ws_listen_on_loopback((uint16_t)wanted[i].port);
        if (slots[wanted[i].slot] < 0) step = WS_STEP_LISTENER;
    }
    int error = errno;
    go_home(worker);
    errno = error;
    return step;
}

/* A network of the container's own with a listener for each port. One that an earlier container left may still have its listener
 * open in the daemon: then a fresh one is taken. */
static enum ws_step open_own(struct worker *worker, struct container *container) {
    struct instance *instance = container->instance;
    for (;;) {
        bool used = instance->spare_networks_count > 0;
        int network = used ? instance->spare_networks[--instance->spare_networks_count] : take(worker);
        if (network < 0) return WS_STEP_LOOPBACK;
        enum ws_step step = listen_inside(worker, network, &container->tcp, container->reply_fds);
        if (step == WS_STEP_NONE) {
            container->own_network = network;
            return WS_STEP_NONE;
        }
        ws_close_quietly(&container->reply_fds[SLOT_CHANNEL]);
        ws_close_quietly(&container->reply_fds[SLOT_EGRESS]);
        int error = errno;
        ws_close_quietly(&network);
        errno = error;
        if (!used || error != EADDRINUSE) return step;
    }
}

enum ws_step network_open(struct worker *worker, struct container *container) {
    if (container->tcp.api_port != 0 || container->tcp.egress_port != 0) return open_own(worker, container);
    struct instance *instance = container->instance;
    if (instance->shared_network < 0) instance->shared_network = take(worker);
    return instance->shared_network < 0 ? WS_STEP_LOOPBACK : WS_STEP_NONE;
}

int network_of(const struct container *container) {
    return container->own_network >= 0 ? container->own_network : container->instance->shared_network;
}

void network_leave(struct container *container) {
    struct instance *instance = container->instance;
    if (container->own_network < 0) return;
    /* The daemon may still serve its egress listener: nobody else may find that. */
    if (container->tcp.egress_port == 0 && instance->state == INSTANCE_LIVE && instance->spare_networks_count < SPARE_NETWORKS_MAX)
        instance->spare_networks[instance->spare_networks_count++] = ws_release(&container->own_network);
    ws_close_quietly(&container->own_network);
}

void network_close_all(struct instance *instance) {
    ws_close_quietly(&instance->shared_network);
    while (instance->spare_networks_count > 0) ws_close_quietly(&instance->spare_networks[--instance->spare_networks_count]);
}
