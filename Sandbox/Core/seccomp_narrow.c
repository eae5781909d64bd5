/* A container's own filter, made from its family's compiled program without compiling again:
 *
 *     profile   a list of permitted numbers is put in front; what is on it goes on to the family's rules
 *     learn     the family's "allow" is turned into "show it to the listener first"
 *
 * One program and not two on top of each other: the second would need seccomp(2) to be allowed by the first. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#include "ws_kernel.h"
#include "ws_seccomp.h"

int ws_syscall_set_add_name(struct ws_syscall_set *set, const char *name) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) {
        errno = EINVAL;
        return -1;
    }
    if (number >= 0) ws_syscall_set_add(set, (uint32_t)number);
    return 0;
}

static const struct {
    uint32_t number;
    bool executed_only;
} floor_calls[] = {
    {SYS_exit, false},            /* ending must always be possible */
    {SYS_exit_group, false},
    {SYS_rt_sigreturn, false},    /* the kernel itself sends a process here after a signal, or after a pause: */
    {SYS_restart_syscall, false}, /* whether it happens is chance, so no recording is sure to show it */
    {SYS_futex, false},           /* locks call it only when two threads meet, which is chance as well */
    {SYS_close, false},           /* the entry's last steps: letting go of the status pipe, */
    {SYS_write, false},           /* or writing to it what failed */
    {SYS_execve, true},
};

void ws_syscall_set_add_floor(struct ws_syscall_set *set, bool executed) {
    for (size_t i = 0; i < sizeof floor_calls / sizeof floor_calls[0]; i++)
        if (executed || !floor_calls[i].executed_only) ws_syscall_set_add(set, floor_calls[i].number);
}

struct program {
    struct sock_filter instructions[BPF_MAXINSNS];
    uint32_t count;
};

static void emit(struct program *program, struct sock_filter instruction) {
    if (program->count < BPF_MAXINSNS) program->instructions[program->count] = instruction;
    program->count++;
}

/* Finds the next run of permitted numbers from `*first` on. */
static bool next_range(const struct ws_syscall_set *set, uint32_t *first, uint32_t *last) {
    while (*first < WS_SYSCALLS_MAX && !ws_syscall_set_has(set, *first)) ++*first;
    for (*last = *first; ws_syscall_set_has(set, *last + 1);) ++*last;
    return *first < WS_SYSCALLS_MAX;
}

#define PER_RANGE 4u

/* Another architecture's calls, x32's among them, skip the list: the family's rules end such a process. Comparisons alone,
 * although a bit map would be shorter: the kernel remembers numbers that are always allowed, but only for programs it can
 * follow by comparisons. So the length of the list costs nothing. */
static void emit_profile(struct program *program, const struct ws_syscall_set *set) {
    uint32_t ranges = 0;
    for (uint32_t first = 0, last; next_range(set, &first, &last); first = last + 1) ranges++;
    const uint32_t end = 6 + ranges * PER_RANGE + 1;
    emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0));
    emit(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, end - 3));
    emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, WS_SYSCALLS_MAX, 0, 1));
    emit(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, end - 6));
    for (uint32_t first = 0, last; next_range(set, &first, &last); first = last + 1) {
        emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 3, 0));
        emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 1, 0));
        emit(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
        emit(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, end - program->count - 1));
    }
    emit(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
}

static bool is_allow(struct sock_filter instruction) {
    return instruction.code == (BPF_RET | BPF_K) && instruction.k == SECCOMP_RET_ALLOW;
}

/* Refusals stay refusals: in the kernel's order they come before a notification, and here they are not touched. */
static void emit_family(struct program *program, const struct ws_filter *filter, bool learn) {
    for (uint32_t i = 0; i < filter->count; i++) {
        struct sock_filter instruction = filter->instructions[i];
        if (learn && is_allow(instruction)) instruction.k = SECCOMP_RET_USER_NOTIF;
        emit(program, instruction);
    }
}

int ws_filter_install_narrowed(const struct ws_filter *filter, const struct ws_narrowing *narrowing) {
    static struct program program;
    program.count = 0;
    if (narrowing->profile != 0) emit_profile(&program, &narrowing->syscalls);
    emit_family(&program, filter, narrowing->learn != 0);
    if (program.count > BPF_MAXINSNS) {
        errno = E2BIG;
        return -1;
    }
    struct sock_fprog wanted = {.len = (unsigned short)program.count, .filter = program.instructions};
    unsigned flags = narrowing->learn != 0 ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &wanted);
}
