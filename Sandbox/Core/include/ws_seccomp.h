/* System-call filters: one table of rules, a compiled program for each family of runtimes, and two ways to narrow or to watch
 * one. Files: seccomp_table.c the rules · seccomp.c compiling and installing · seccomp_narrow.c profiles · seccomp_learn.c
 * recording. */
#ifndef WS_SECCOMP_H
#define WS_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "wayside_protocol.h"

/* How a runtime makes the code that it runs; seccomp_rules.def names the families that need a call. */
enum ws_family { WS_FAMILY_INTERPRETER, WS_FAMILY_JIT, WS_FAMILY_NATIVE, WS_FAMILY_COUNT };

/* The family of this name, "interpreter", "jit" or "native"; WS_FAMILY_COUNT for another. */
enum ws_family ws_family_named(const char *name);

struct ws_filter {
    struct sock_filter *instructions;
    unsigned short count;
};

/* Compiles the rules of a family, with `zygote` those for setting up children as well. The caller frees `instructions`. */
int ws_filter_compile(enum ws_family family, bool zygote, struct ws_filter *filter);

/* Installs a compiled filter in the calling thread. Needs no_new_privs, or CAP_SYS_ADMIN. */
int ws_filter_install(const struct ws_filter *filter);

/* The filter of the inits: they may wait, and end. */
int ws_filter_install_for_init(void);

/* A set of system calls by number. */
struct ws_syscall_set {
    uint32_t words[WS_SYSCALLS_MAX / 32];
};

static inline void ws_syscall_set_add(struct ws_syscall_set *set, uint32_t number) {
    if (number < WS_SYSCALLS_MAX) set->words[number / 32] |= 1u << (number % 32);
}

static inline bool ws_syscall_set_has(const struct ws_syscall_set *set, uint32_t number) {
    return number < WS_SYSCALLS_MAX && (set->words[number / 32] >> (number % 32) & 1) != 0;
}

/* Adds a call by name. A call that only other architectures have is left out. -1 with EINVAL when nobody knows the name. */
int ws_syscall_set_add_name(struct ws_syscall_set *set, const char *name);

/* Adds what no profile can do without; `executed`: the process is to execute its runtime under the profile. */
void ws_syscall_set_add_floor(struct ws_syscall_set *set, bool executed);

/* What a container's own filter differs in from its family's. Plain numbers: sent to zygotes as they are. */
struct ws_narrowing {
    uint32_t profile; /* 1: only `syscalls` are left, the rest answers ENOSYS */
    uint32_t learn;   /* 1: what is allowed is shown to a listener first */
    struct ws_syscall_set syscalls;
};

/* Installs `filter`, narrowed. Returns the listener's descriptor when learning, else 0; or -1. */
int ws_filter_install_narrowed(const struct ws_filter *filter, const struct ws_narrowing *narrowing);

/* One line for each rule that holds: "allow|refuse name [conditions] reason". `only`: the profile, NULL when there is none. */
void ws_filter_describe(enum ws_family family, const struct ws_syscall_set *only, FILE *report);

/* Takes the listener `number` of `process` over; -1 with EBADF while it is not there yet. */
int ws_learn_take_listener(pid_t process, int number);

/* Lets the next waiting call go on and adds it to `seen`. Call it once for each time the listener is readable: then it never
 * blocks, for every waiting call was counted once and the kernel gives the count back once. */
void ws_learn_next(int listener, struct ws_syscall_set *seen);

/* Writes the names as NUL-terminated strings in the order of their numbers; returns how many bytes, and `*count` names. */
size_t ws_learn_names(const struct ws_syscall_set *seen, char *text, size_t capacity, uint32_t *count);

#endif
