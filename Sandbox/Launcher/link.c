/* The daemon's connection. There is at most one: a new one replaces the old, whose sandboxes all end but the parked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "wayside_socket.h"
#include "worker.h"
#include "ws_cleanup.h"

/* A daemon that leaves this many answers unread has stopped working: its connection is closed. */
#define OUTGOING_MAX 65536u
#define OVERFLOW_UID 65534u /* /proc/sys/kernel/overflowuid */

struct outgoing {
    struct outgoing *next;
    size_t length;
    size_t fds_count;
    int fds[WS_FDS_MAX];
    char data[];
};

static void free_outgoing(struct outgoing *message) {
    for (size_t i = 0; i < message->fds_count; i++) close(message->fds[i]);
    free(message);
}

/* The socket file's owner and mode name the one host user that may connect, and the kernel checks them at connect(2); in the
 * worker's user namespace every host user looks like the overflow id. The ids that do have a number here are those of
 * sandboxes: refused, should one ever find a way to the file. Rootless, the daemon has our own id and nothing can be told. */
static bool peer_is_welcome(const struct worker *worker, int fd) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return false;
    return !worker->host.privileged || peer.uid == OVERFLOW_UID;
}

void link_accept(struct worker *worker) {
    WS_AUTO_CLOSE int fd = accept4(worker->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !peer_is_welcome(worker, fd)) return;
    link_close(worker);
    worker->link_generation++;
    if (watch(worker, fd, EVENT_LINK, worker->link_generation) < 0) return;
    worker->greeted = false;
    worker->link = ws_release(&fd);
}

void link_close(struct worker *worker) {
    if (worker->link < 0) return;
    close(worker->link);
    worker->link = -1;
    for (struct outgoing *message; (message = worker->first_outgoing) != NULL; free_outgoing(message))
        worker->first_outgoing = message->next;
    worker->last_outgoing = NULL;
    worker->outgoing_count = 0;
    for (uint32_t i = 0; i < worker->options->instances_max; i++)
        /* Those without an id are the stock's: nobody's yet. */
        if (worker->instances[i].state != INSTANCE_FREE && worker->instances[i].id != 0) park_abandon(worker, &worker->instances[i]);
}

void link_readable(struct worker *worker) {
    static char data[WS_MESSAGE_MAX];
    int fds[WS_SOCKET_FDS_MAX];
    size_t fds_count;
    ssize_t length = ws_socket_receive_now(worker->link, data, sizeof data, fds, &fds_count);
    if (length < 0 && (errno == EAGAIN || errno == EMSGSIZE)) return;
    if (length <= 0)
        link_close(worker);
    else
        request_handle(worker, data, (size_t)length, fds, fds_count);
    for (size_t i = 0; i < fds_count; i++) ws_close_quietly(&fds[i]);
}

static void want_writable(struct worker *worker, bool wanted) {
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.u64 = (uint64_t)EVENT_LINK << 56 | worker->link_generation};
    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, worker->link, &event);
}

void link_writable(struct worker *worker) {
    while (worker->first_outgoing != NULL) {
        struct outgoing *message = worker->first_outgoing;
        ssize_t sent = ws_socket_send(worker->link, message->data, message->length, message->fds, message->fds_count);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) {
            link_close(worker);
            return;
        }
        worker->first_outgoing = message->next;
        worker->outgoing_count--;
        free_outgoing(message);
    }
    worker->last_outgoing = NULL;
    want_writable(worker, false);
}

static void queue(struct worker *worker, const void *data, size_t length, const int *fds, size_t fds_count) {
    struct outgoing *message = worker->outgoing_count < OUTGOING_MAX ? malloc(sizeof *message + length) : NULL;
    if (message == NULL) {
        for (size_t i = 0; i < fds_count; i++) close(fds[i]);
        /* Only shut: closing here would free what our callers are working on. The loop then reads the end of file. */
        shutdown(worker->link, SHUT_RDWR);
        return;
    }
    *message = (struct outgoing){.length = length, .fds_count = fds_count};
    memcpy(message->data, data, length);
    if (fds_count > 0) memcpy(message->fds, fds, fds_count * sizeof *fds);
    if (worker->last_outgoing != NULL)
        worker->last_outgoing->next = message;
    else
        worker->first_outgoing = message;
    worker->last_outgoing = message;
    worker->outgoing_count++;
    want_writable(worker, true);
}

void link_send(struct worker *worker, void *message, size_t length, uint16_t type, uint64_t request_id, const int *fds,
               size_t fds_count) {
    struct ws_header header = {.magic = WS_PROTOCOL_MAGIC, .version = WS_PROTOCOL_VERSION, .type = type,
                               .request_id = request_id, .length = (uint32_t)length};
    memcpy(message, &header, sizeof header);
    if (worker->link >= 0 && worker->first_outgoing == NULL) {
        ssize_t sent = ws_socket_send(worker->link, message, length, fds, fds_count);
        if (sent < 0 && errno == EAGAIN) {
            queue(worker, message, length, fds, fds_count);
            return;
        }
        /* A reply that is lost would leave the daemon waiting; the end of the link tells it. It goes on with a new one. */
        if (sent < 0) shutdown(worker->link, SHUT_RDWR);
    } else if (worker->link >= 0) {
        queue(worker, message, length, fds, fds_count);
        return;
    }
    for (size_t i = 0; i < fds_count; i++) close(fds[i]);
}

void link_reply(struct worker *worker, uint64_t request_id, enum ws_step step, int error) {
    if (request_id == 0) return;
    struct ws_reply reply = {.status = {.step = step, .error = error}};
    link_send(worker, &reply, sizeof reply, WS_REPLY, request_id, NULL, 0);
}

void link_reply_done(struct worker *worker, uint64_t request_id, pid_t process, int slots[REPLY_SLOTS]) {
    struct ws_reply reply = {.status = {.step = WS_STEP_NONE}, .process_id = (uint32_t)process};
    int fds[REPLY_SLOTS];
    size_t count = 0;
    for (uint32_t i = 0; slots != NULL && i < REPLY_SLOTS; i++) {
        if (slots[i] < 0) continue;
        fds[count++] = ws_release(&slots[i]);
        reply.descriptors |= 1u << i;
    }
    link_send(worker, &reply, sizeof reply, WS_REPLY, request_id, fds, count);
}
