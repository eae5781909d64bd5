#include "wayside_zygote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wayside_socket.h"
#include "ws_cleanup.h"
#include "ws_entry.h"
#include "ws_zygote_wire.h"

#define EXPORTED __attribute__((visibility("default")))

enum { EXIT_ENTER_FAILED = 70 }; /* EX_SOFTWARE of sysexits.h */

_Static_assert(sizeof(struct ws_zygote_setup) != sizeof(struct ws_entry_order), "sizes tell the messages apart");

static struct ws_entry_host host;
static struct ws_filter filter;
static struct ws_entry_plan plan;

static int send_answer(int control_fd, uint64_t token, int pid) {
    struct ws_zygote_answer answer = {.token = token, .pid = pid};
    return ws_socket_send(control_fd, &answer, sizeof answer, NULL, 0) < 0 ? -1 : 0;
}

EXPORTED int ws_zygote_ready(int control_fd) { return send_answer(control_fd, 0, 0); }

static int take_setup(const struct ws_zygote_setup *setup, const int *fds, size_t fds_count) {
    if (setup->hierarchies_count > WS_CGROUP_HIERARCHIES_MAX || fds_count != 1 + setup->hierarchies_count) return -1;
    if (setup->filter_count == 0 || setup->filter_count > BPF_MAXINSNS) return -1;
    host.privileged = setup->privileged != 0;
    host.landlock_abi = setup->landlock_abi;
    host.cgroups.version = setup->cgroup_version;
    host.cgroups.count = setup->hierarchies_count;
    for (uint32_t i = 0; i < setup->hierarchies_count; i++) {
        host.cgroups.hierarchies[i].base = fds[1 + i];
        host.cgroups.hierarchies[i].controllers = setup->controllers[i];
    }
    size_t bytes = setup->filter_count * sizeof *filter.instructions;
    filter.count = (unsigned short)setup->filter_count;
    filter.instructions = malloc(bytes);
    if (filter.instructions == NULL) return -1;
    ssize_t length = pread(fds[0], filter.instructions, bytes, 0);
    close(fds[0]);
    return length == (ssize_t)bytes ? 0 : -1;
}

static void take_order(const struct ws_entry_order *order, const int *fds) {
    memset(&plan, 0, sizeof plan);
    plan.order = *order;
    plan.order.cgroup[WS_CGROUP_NAME_MAX - 1] = '\0';
    plan.filter = &filter;
    plan.listener = -1;
    plan.init_pidfd = fds[0];
    plan.network = fds[1];
    plan.frame = fds[2];
    plan.log = fds[3];
    plan.status = fds[4];
}

/* Blocks for the next order, which is then the plan. 0; or -1: the worker is gone. */
static int receive_order(int control_fd) {
    union {
        struct ws_zygote_setup setup;
        struct ws_entry_order order;
    } message;
    int fds[WS_SOCKET_FDS_MAX];
    size_t fds_count;
    for (;;) {
        ssize_t length = ws_socket_receive(control_fd, &message, sizeof message, fds, &fds_count);
        if (length <= 0) return -1;
        if (length == sizeof message.order && fds_count == WS_ZYGOTE_ORDER_FDS && filter.count > 0) {
            take_order(&message.order, fds);
            return 0;
        }
        /* A worker that speaks otherwise is another build: ending lets it start a fitting zygote. */
        if (length != sizeof message.setup || filter.count > 0) return -1;
        if (take_setup(&message.setup, fds, fds_count) < 0) return -1;
    }
}

/* Answers the order with the child's pid, or with -errno, and closes its descriptors. */
static void answer_order(int control_fd, int pid) {
    if (pid < 0) pid = -(errno != 0 ? errno : EAGAIN);
    int *order_fds[] = {&plan.init_pidfd, &plan.network, &plan.frame, &plan.log, &plan.status};
    for (size_t i = 0; i < WS_ZYGOTE_ORDER_FDS; i++) ws_close_quietly(order_fds[i]);
    (void)send_answer(control_fd, plan.order.token, pid); /* a worker that is gone is noticed where the next order is waited for */
}

EXPORTED int ws_zygote_serve(int control_fd, void (*forked)(void)) {
    while (receive_order(control_fd) == 0) {
        pid_t pid = ws_entry_fork(&host, &plan, true);
        if (pid == 0) {
            forked();
            if (ws_entry_walk(&host, &plan) != 0) _exit(EXIT_ENTER_FAILED);
            return 0;
        }
        answer_order(control_fd, pid);
    }
    return -1;
}
