/* Descriptors that close themselves when they go out of scope, so that an early return cannot leak one. */
#ifndef WS_CLEANUP_H
#define WS_CLEANUP_H

#include <errno.h>
#include <unistd.h>

static inline void ws_close_quietly(int *fd) {
    if (*fd < 0) return;
    int error = errno;
    close(*fd);
    *fd = -1;
    errno = error;
}

#define WS_AUTO_CLOSE __attribute__((cleanup(ws_close_quietly)))

/* Hands the descriptor on: the variable no longer owns it. */
static inline int ws_release(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
