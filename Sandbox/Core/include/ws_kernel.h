/* System calls and constants that Debian 12's glibc 2.36 and kernel headers 6.1 lack or declare in conflicting headers.
 * An entry may go when the oldest supported distribution declares it. */
#ifndef WS_KERNEL_H
#define WS_KERNEL_H

#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* Landlock ABI 3 to 6; linux/landlock.h of kernel 6.12. */
#define WS_LANDLOCK_FS_TRUNCATE (1ULL << 14)
#define WS_LANDLOCK_FS_IOCTL_DEV (1ULL << 15)
#define WS_LANDLOCK_NET_BIND_TCP (1ULL << 0)
#define WS_LANDLOCK_NET_CONNECT_TCP (1ULL << 1)
#define WS_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define WS_LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#define WS_LANDLOCK_RULE_NET_PORT 2

struct ws_landlock_ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct ws_landlock_net_port {
    uint64_t allowed_access;
    uint64_t port;
};

/* struct clone_args of clone3(2), whose glibc declaration is missing. */
struct ws_clone_args {
    uint64_t flags;
    uint64_t pidfd;
    uint64_t child_tid;
    uint64_t parent_tid;
    uint64_t exit_signal;
    uint64_t stack;
    uint64_t stack_size;
    uint64_t tls;
    uint64_t set_tid;
    uint64_t set_tid_size;
    uint64_t cgroup;
};

/* struct open_how of openat2(2). */
struct ws_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

#define WS_RESOLVE_NO_XDEV 0x01
#define WS_RESOLVE_NO_MAGICLINKS 0x02
#define WS_RESOLVE_NO_SYMLINKS 0x04
#define WS_RESOLVE_BENEATH 0x08

static inline int ws_openat2(int directory, const char *path, const struct ws_open_how *how) {
    return (int)syscall(SYS_openat2, directory, path, how, sizeof *how);
}

static inline int ws_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0u); }

static inline int ws_pidfd_kill(int pidfd, int signal_number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0u);
}

static inline int ws_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

#endif
