/* seccomp_rules.def and seccomp_zygote.def, spelled out. */
#include "seccomp_table.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "ws_kernel.h"
#include "ws_seccomp.h"

/* CLONE_NEWTIME is left out: for clone(2) its bit belongs to the exit signal. */
#define NAMESPACE_FLAGS                                                                                                \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP)

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

enum {
    INTERPRETER = 1 << WS_FAMILY_INTERPRETER,
    JIT = 1 << WS_FAMILY_JIT,
    NATIVE = 1 << WS_FAMILY_NATIVE,
    ALL = INTERPRETER | JIT | NATIVE,
};

/* The conditions a rule may set on argument number `index`, compared as 64 bits: stray high bits never match an allowance. */
#define EQUALS(index, value) {(index), SCMP_CMP_EQ, (value), 0}
#define BELOW(index, value) {(index), SCMP_CMP_LT, (value), 0}
#define MASKED(index, mask, value) {(index), SCMP_CMP_MASKED_EQ, (mask), (value)}
/* A socket's type, whose number may carry SOCK_CLOEXEC and SOCK_NONBLOCK. The kernel's SOCK_TYPE_MASK. */
#define TYPE(index, value) MASKED(index, 0xf, value)
#define NO_CONDITION {0, _SCMP_CMP_MIN, 0, 0}

/* Names and conditions are made text where they are still what the table says, before macros in them are expanded. */
#define RULE(text, families, action, reason) {text, (families), (action), {NO_CONDITION}, "", (reason)},
#define RULE_IF(text, families, action, reason, conditions, ...) {text, (families), (action), {__VA_ARGS__}, conditions, (reason)},

static const struct ws_rule function_rules[] = {
#define ALLOW(name, families, reason) RULE(#name, families, SCMP_ACT_ALLOW, reason)
#define ALLOW_IF(name, families, reason, ...) RULE_IF(#name, families, SCMP_ACT_ALLOW, reason, #__VA_ARGS__, __VA_ARGS__)
#define REFUSE(name, reason) RULE(#name, ALL, SCMP_ACT_ERRNO(EPERM), reason)
#define REFUSE_IF(name, reason, ...) RULE_IF(#name, ALL, SCMP_ACT_ERRNO(EPERM), reason, #__VA_ARGS__, __VA_ARGS__)
#include "seccomp_rules.def"
};

static const struct ws_rule zygote_rules[] = {
#define SETUP(name, reason) RULE(#name, ALL, SCMP_ACT_ALLOW, reason)
#define SETUP_IF(name, reason, ...) RULE_IF(#name, ALL, SCMP_ACT_ALLOW, reason, #__VA_ARGS__, __VA_ARGS__)
#include "seccomp_zygote.def"
};

const struct ws_rules ws_function_rules = {function_rules, sizeof function_rules / sizeof function_rules[0]};
const struct ws_rules ws_zygote_rules = {zygote_rules, sizeof zygote_rules / sizeof zygote_rules[0]};

unsigned ws_rule_conditions_count(const struct ws_rule *rule) {
    unsigned count = 0;
    while (count < WS_RULE_CONDITIONS_MAX && rule->conditions[count].op != _SCMP_CMP_MIN) count++;
    return count;
}
