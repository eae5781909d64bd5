/* Compiling the rules into BPF programs with libseccomp, once per worker and family; installing one is one system call. */
#include "ws_seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "seccomp_shorten.h"
#include "seccomp_table.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"

static const char *const family_names[WS_FAMILY_COUNT] = {
    [WS_FAMILY_INTERPRETER] = "interpreter",
    [WS_FAMILY_JIT] = "jit",
    [WS_FAMILY_NATIVE] = "native",
};

enum ws_family ws_family_named(const char *name) {
    unsigned family = 0;
    while (family < WS_FAMILY_COUNT && strcmp(family_names[family], name) != 0) family++;
    return (enum ws_family)family;
}

static int add_rule(scmp_filter_ctx context, const struct ws_rule *rule) {
    int number = seccomp_syscall_resolve_name(rule->name);
    /* libseccomp answers a negative pseudo number for a call that this architecture does not have. */
    if (number < 0) return 0;
    int result =
        seccomp_rule_add_array(context, rule->action, number, ws_rule_conditions_count(rule), rule->conditions);
    if (result == 0) return 0;
    fprintf(stderr, "wayside-launcher: the seccomp rule for %s was refused: %s\n", rule->name, strerror(-result));
    return result;
}

static bool settled_for_zygote(const char *name) {
    for (size_t i = 0; i < ws_zygote_rules.count; i++)
        if (strcmp(ws_zygote_rules.rules[i].name, name) == 0 && ws_rule_conditions_count(&ws_zygote_rules.rules[i]) == 0)
            return true;
    return false;
}

/* A name that a zygote may call without conditions has no other rule: two answers to one call cannot be compiled. */
static int add_rules(scmp_filter_ctx context, enum ws_family family, bool zygote) {
    int result = 0;
    for (size_t i = 0; zygote && result == 0 && i < ws_zygote_rules.count; i++)
        result = add_rule(context, &ws_zygote_rules.rules[i]);
    for (size_t i = 0; result == 0 && i < ws_function_rules.count; i++) {
        const struct ws_rule *rule = &ws_function_rules.rules[i];
        if ((rule->families >> family & 1) == 0 || (zygote && settled_for_zygote(rule->name))) continue;
        result = add_rule(context, rule);
    }
    return result;
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

int ws_filter_compile(enum ws_family family, bool zygote, struct ws_filter *filter) {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (context == NULL) return -1;
    /* Another architecture's numbers (i386, x32) would mean other calls: such a process is ended. */
    int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A binary tree over the numbers instead of a list: about eight comparisons per call. */
    if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result == 0) result = add_rules(context, family, zygote);
    if (result < 0) errno = -result;
    if (result == 0) result = export(context, filter);
    if (result == 0) result = ws_filter_shorten(filter);
    seccomp_release(context);
    return result < 0 ? -1 : 0;
}

int ws_filter_install(const struct ws_filter *filter) {
    struct sock_fprog program = {.len = filter->count, .filter = filter->instructions};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture for the filter of the inits"
#endif

int ws_filter_install_for_init(void) {
    static struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
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

void ws_filter_describe(enum ws_family family, const struct ws_syscall_set *only, FILE *report) {
    for (size_t i = 0; i < ws_function_rules.count; i++) {
        const struct ws_rule *rule = &ws_function_rules.rules[i];
        int number = seccomp_syscall_resolve_name(rule->name);
        bool allow = rule->action == SCMP_ACT_ALLOW;
        if (number < 0 || (rule->families >> family & 1) == 0) continue;
        if (only != NULL && !ws_syscall_set_has(only, (uint32_t)number)) continue;
        const char *blank = rule->conditions_text[0] == '\0' ? "" : " ";
        fprintf(report, "%s %s %s%s%s\n", allow ? "allow" : "refuse", rule->name, rule->conditions_text, blank, rule->reason);
    }
}
