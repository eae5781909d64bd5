/* The rules as data, for the compiler of filters and for the report of what they say. */
#ifndef CORE_SECCOMP_TABLE_H
#define CORE_SECCOMP_TABLE_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#define WS_RULE_CONDITIONS_MAX 3u

struct ws_rule {
    const char *name;
    uint32_t families; /* set of 1 << enum ws_family */
    uint32_t action;
    struct scmp_arg_cmp conditions[WS_RULE_CONDITIONS_MAX];
    const char *conditions_text; /* "": none */
    const char *reason;
};

struct ws_rules {
    const struct ws_rule *rules;
    size_t count;
};

extern const struct ws_rules ws_function_rules;
extern const struct ws_rules ws_zygote_rules;

unsigned ws_rule_conditions_count(const struct ws_rule *rule);

#endif
