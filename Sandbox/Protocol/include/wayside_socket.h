/* Packets with descriptors over AF_UNIX SOCK_SEQPACKET sockets: the only way bytes travel between the daemon, the launcher,
 * its inits and its zygotes. Every function returns -1 and sets errno when it fails; every descriptor it makes or receives
 * is close-on-exec. unix(7), sendmsg(2), recvmsg(2). */
#ifndef WAYSIDE_SOCKET_H
#define WAYSIDE_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More than WS_FDS_MAX: the launcher hands its zygotes one directory per cgroup hierarchy beside the filter. */
#define WS_SOCKET_FDS_MAX 16u

/* Listens at `path`, replacing a socket file that an earlier life left there. The file mode is 0600. */
int ws_socket_listen(const char *path, int backlog);

/* Connects to a listening socket at `path`. */
int ws_socket_connect(const char *path);

/* Sends one packet and `fds_count` descriptors (at most WS_SOCKET_FDS_MAX). Never raises SIGPIPE. Does not close `fds`. */
ssize_t ws_socket_send(int socket, const void *data, size_t length, const int *fds, size_t fds_count);

/* Receives one packet into `data` and its descriptors into `fds` (room for WS_SOCKET_FDS_MAX); `*fds_count` is set in every
 * case. Returns the packet's length, 0 at end of file. A packet or a descriptor list that did not fit is dropped whole, its
 * descriptors closed, and EMSGSIZE reported: half a message is never handed on. */
ssize_t ws_socket_receive(int socket, void *data, size_t capacity, int *fds, size_t *fds_count);

/* The same, but returns at once with EAGAIN when no packet is waiting. */
ssize_t ws_socket_receive_now(int socket, void *data, size_t capacity, int *fds, size_t *fds_count);

/* The printed name of an enum ws_step; "unknown" for a number that is none. */
const char *ws_step_name(uint32_t step);

#endif
