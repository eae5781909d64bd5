/* Packets of the worker into the real Sandbox/Zygote/zygote.c, over a real socket and with real descriptors.
 *
 * An input is a list of packets: two bytes of length, one byte whose low half is the number of descriptors beside it, the bytes.
 * The parser's state is in static variables, so its source is included here, where they can be set back for every input. */
#include "Zygote/zygote.c"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

enum { FIRST_FD = 200, FILTER_FD = FIRST_FD - 1 };

static unsigned instructions_read;

/* Whether an order's descriptors are open and different from each other. */
static bool has_all_descriptors(const struct ws_entry_plan *entry) {
    const int fds[] = {entry->init_pidfd, entry->network, entry->frame, entry->log, entry->status};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fcntl(fds[i], F_GETFD) != FD_CLOEXEC) return false;
        for (size_t j = 0; j < i; j++)
            if (fds[i] == fds[j]) return false;
    }
    return true;
}

pid_t ws_entry_fork(const struct ws_entry_host *on, const struct ws_entry_plan *entry, bool to_parent) {
    CHECK(to_parent, "the runtime becomes the worker's child");
    CHECK(entry->filter != NULL && entry->filter->count > 0 && entry->filter->count <= BPF_MAXINSNS, "nobody starts unfiltered");
    /* Every instruction may be read. */
    for (size_t i = 0; i < entry->filter->count; i++) instructions_read += entry->filter->instructions[i].code;
    CHECK(on->cgroups.count <= WS_CGROUP_HIERARCHIES_MAX, "there is room for the hierarchies");
    for (uint32_t i = 0; i < on->cgroups.count; i++)
        CHECK(fcntl(on->cgroups.hierarchies[i].base, F_GETFD) >= 0, "every hierarchy has its directory");
    CHECK(strnlen(entry->order.cgroup, WS_CGROUP_NAME_MAX) < WS_CGROUP_NAME_MAX, "the cgroup's name is terminated");
    CHECK(has_all_descriptors(entry), "an order's descriptors are there");
    CHECK(entry->path == NULL, "a fork executes nothing");
    errno = EAGAIN;
    return -1;
}

int ws_entry_walk(const struct ws_entry_host *on, struct ws_entry_plan *entry) {
    (void)on, (void)entry;
    return -1;
}

/* A descriptor to be read like the sealed filter; the parser reads it by position. */
static int filter_file(void) {
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 64 * (off_t)sizeof(struct sock_filter)) < 0) return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FILTER_FD);
    close(fd);
    return high;
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    CHECK(filter_file() == FILTER_FD, "a file for the filter is made");
    return 0;
}

static void forget(void) {
    free(filter.instructions);
    memset(&filter, 0, sizeof filter);
    memset(&host, 0, sizeof host);
    memset(&plan, 0, sizeof plan);
    close_range(FIRST_FD, ~0u, 0);
}

/* The packets of an input, all sent before the first is read. */
static void send_all(int socket, struct source source) {
    int fds[WS_SOCKET_FDS_MAX];
    for (size_t i = 0; i < WS_SOCKET_FDS_MAX; i++) fds[i] = FILTER_FD;
    while (source.size > 0) {
        size_t length = take_length(&source);
        size_t fds_count = take_byte(&source) % (WS_SOCKET_FDS_MAX + 1);
        if (length > source.size) length = source.size;
        if (ws_socket_send(socket, source.data, length, fds, fds_count) < 0) return;
        source.data += length;
        source.size -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int pair[2];
    if (size > 4096 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return 0;
    int ours = fcntl(pair[0], F_DUPFD_CLOEXEC, FIRST_FD), theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, FIRST_FD);
    close(pair[0]);
    close(pair[1]);
    /* What does not fit into the socket before anybody reads is not sent. */
    if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0) return 0;
    send_all(ours, (struct source){data, size});
    close(ours);
    while (receive_order(theirs) == 0) {
        CHECK(ws_entry_fork(&host, &plan, true) < 0, "the definition above never forks");
        answer_order(theirs, -1);
        CHECK(plan.init_pidfd < 0 && plan.status < 0, "an order's descriptors are closed with its answer");
    }
    forget();
    return 0;
}
