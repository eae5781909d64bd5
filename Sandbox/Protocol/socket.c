#include "wayside_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_at_path(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static int close_keeping_errno(int fd) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

__attribute__((visibility("default"))) int ws_socket_listen(const char *path, int backlog) {
    struct sockaddr_un address;
    int fd = open_at_path(path, &address);
    if (fd < 0) return -1;
    struct stat left_over;
    if (lstat(path, &left_over) == 0 && S_ISSOCK(left_over.st_mode)) unlink(path);
    /* The mask closes the moment between bind and chmod in which another user could connect. */
    mode_t mask = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (bound < 0 || listen(fd, backlog) < 0) return close_keeping_errno(fd);
    return fd;
}

__attribute__((visibility("default"))) int ws_socket_connect(const char *path) {
    struct sockaddr_un address;
    int fd = open_at_path(path, &address);
    if (fd < 0) return -1;
    int result;
    do {
        result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? close_keeping_errno(fd) : fd;
}

union control_buffer {
    struct cmsghdr header; /* gives the alignment CMSG_FIRSTHDR relies on */
    char bytes[CMSG_SPACE(WS_SOCKET_FDS_MAX * sizeof(int))];
};

__attribute__((visibility("default"))) ssize_t ws_socket_send(int socket, const void *data, size_t length, const int *fds,
                                                              size_t fds_count) {
    if (fds_count > WS_SOCKET_FDS_MAX) {
        errno = EINVAL;
        return -1;
    }
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control_buffer control;
    if (fds_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fds_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

static void take_descriptors(struct msghdr *message, int *fds, size_t *fds_count) {
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL; item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
            if (*fds_count < WS_SOCKET_FDS_MAX)
                fds[(*fds_count)++] = fd;
            else
                close(fd);
        }
    }
}

static ssize_t receive(int socket, void *data, size_t capacity, int *fds, size_t *fds_count, int flags) {
    struct iovec part = {.iov_base = data, .iov_len = capacity};
    union control_buffer control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *fds_count = 0;
    ssize_t length;
    do {
        length = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length < 0) return -1;
    take_descriptors(&message, fds, fds_count);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        while (*fds_count > 0) close(fds[--*fds_count]);
        errno = EMSGSIZE;
        return -1;
    }
    return length;
}

__attribute__((visibility("default"))) ssize_t ws_socket_receive(int socket, void *data, size_t capacity, int *fds,
                                                                 size_t *fds_count) {
    return receive(socket, data, capacity, fds, fds_count, 0);
}

__attribute__((visibility("default"))) ssize_t ws_socket_receive_now(int socket, void *data, size_t capacity, int *fds,
                                                                     size_t *fds_count) {
    return receive(socket, data, capacity, fds, fds_count, MSG_DONTWAIT);
}
