/* Recording which system calls a process makes: seccomp_unotify(2). The kernel stops the caller at each call and asks the
 * listener; we note the number and let it go on (SECCOMP_USER_NOTIF_FLAG_CONTINUE).
 *
 * This decides nothing. The caller could change its arguments between our look and the kernel's, so an answer to CONTINUE
 * must never be a security decision: the family's own refusals, which the kernel applies before it asks, are. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_seccomp.h"

/* A later kernel may copy longer structures than the headers we were built with know. */
#define ROOM 512u

int ws_learn_take_listener(pid_t process, int number) {
    WS_AUTO_CLOSE int pidfd = ws_pidfd_open(process);
    return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0u);
}

void ws_learn_next(int listener, struct ws_syscall_set *seen) {
    union {
        struct seccomp_notif notification;
        char room[ROOM];
    } request;
    union {
        struct seccomp_notif_resp response;
        char room[ROOM];
    } answer;
    memset(&request, 0, sizeof request);
    memset(&answer, 0, sizeof answer);
    /* ENOENT: the caller has died meanwhile. Nothing is left to answer then, nor after any other error. */
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) return;
    if (request.notification.data.arch == seccomp_arch_native())
        ws_syscall_set_add(seen, (uint32_t)request.notification.data.nr);
    answer.response.id = request.notification.id;
    answer.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

size_t ws_learn_names(const struct ws_syscall_set *seen, char *text, size_t capacity, uint32_t *count) {
    size_t used = 0;
    *count = 0;
    for (uint32_t number = 0; number < WS_SYSCALLS_MAX; number++) {
        if (!ws_syscall_set_has(seen, number)) continue;
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
        /* A call that is newer than libseccomp has no name, and no rule that would have allowed it. */
        size_t length = name == NULL ? 0 : strlen(name) + 1;
        if (length > 0 && used + length <= capacity) {
            memcpy(text + used, name, length);
            used += length;
            ++*count;
        }
        free(name);
    }
    return used;
}
