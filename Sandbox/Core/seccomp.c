/* Compiling seccomp_rules.def into a BPF program with libseccomp, once per worker; installing it is one system call. */
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_privileges.h"

/* CLONE_NEWTIME is left out: for clone(2) its bit belongs to the exit signal. */
#define NAMESPACE_FLAGS                                                                                                \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP)

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* The conditions a rule may set on argument number `index`, compared as 64 bits: stray high bits never match an allowance. */
#define EQUALS(index, value) {(index), SCMP_CMP_EQ, (value), 0}
#define MASKED(index, mask, value) {(index), SCMP_CMP_MASKED_EQ, (mask), (value)}

struct rule {
    const char *name;
    uint32_t action;
    struct scmp_arg_cmp conditions[2]; /* SCMP_CMP 0: none */
};

static const struct rule rules[] = {
#define ALLOW(name, reason) {#name, SCMP_ACT_ALLOW, {{0, _SCMP_CMP_MIN, 0, 0}}},
#define ALLOW_IF(name, reason, ...) {#name, SCMP_ACT_ALLOW, {__VA_ARGS__}},
#define REFUSE(name, reason) {#name, SCMP_ACT_ERRNO(EPERM), {{0, _SCMP_CMP_MIN, 0, 0}}},
#define REFUSE_IF(name, reason, ...) {#name, SCMP_ACT_ERRNO(EPERM), {__VA_ARGS__}},
#include "seccomp_rules.def"
};

static unsigned conditions_count(const struct rule *rule) {
    unsigned count = 0;
    while (count < sizeof rule->conditions / sizeof rule->conditions[0] && rule->conditions[count].op != _SCMP_CMP_MIN)
        count++;
    return count;
}

static int add_rules(scmp_filter_ctx context) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        int number = seccomp_syscall_resolve_name(rules[i].name);
        /* libseccomp answers a negative pseudo number for a call that this architecture does not have. */
        if (number < 0) continue;
        int result = seccomp_rule_add_array(context, rules[i].action, number, conditions_count(&rules[i]),
                                            rules[i].conditions);
        if (result < 0) {
            fprintf(stderr, "wayside-launcher: seccomp_rules.def: the rule for %s was refused: %s\n", rules[i].name,
                    strerror(-result));
            errno = -result;
            return -1;
        }
    }
    return 0;
}

static int export(scmp_filter_ctx context, struct ws_filter *filter) {
    WS_AUTO_CLOSE int file = memfd_create("seccomp", MFD_CLOEXEC);
    if (file < 0 || seccomp_export_bpf(context, file) < 0) return -1;
    off_t size = lseek(file, 0, SEEK_END);
    if (size <= 0 || (size_t)size / sizeof *filter->instructions > BPF_MAXINSNS) return -1;
    filter->instructions = malloc((size_t)size);
    if (filter->instructions == NULL || pread(file, filter->instructions, (size_t)size, 0) != size) return -1;
    filter->count = (unsigned short)((size_t)size / sizeof *filter->instructions);
    return 0;
}

int ws_filter_compile(struct ws_filter *filter) {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (context == NULL) return -1;
    /* Another architecture's numbers (i386, x32) would mean other calls: such a process is ended. */
    int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A binary tree over the numbers instead of a list: about eight comparisons per call. */
    if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result < 0) errno = -result;
    if (result == 0) result = add_rules(context);
    if (result == 0) result = export(context, filter);
    seccomp_release(context);
    return result < 0 ? -1 : 0;
}

int ws_filter_install(const struct ws_filter *filter) {
    struct sock_fprog program = {.len = filter->count, .filter = filter->instructions};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int ws_filter_install_for_init(void) {
    static struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ppoll, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct ws_filter filter = {instructions, sizeof instructions / sizeof instructions[0]};
    return ws_filter_install(&filter);
}
