/* The command line of wayside-launcher. */
#ifndef LAUNCHER_OPTIONS_H
#define LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wayside_protocol.h"
#include "ws_seccomp.h"

#define RUNTIMES_MAX 16u
#define RUNTIME_ARGUMENTS_MAX 31u

enum runtime_kind {
    KIND_FORK,       /* a zygote, booted once, is forked into containers */
    KIND_EXEC_EARLY, /* executed at PREPARE, waits for the function on fd 3 */
    KIND_EXEC_LATE,  /* executed at ASSIGN: the bundle is the program */
};

struct runtime {
    char name[WS_RUNTIME_NAME_MAX];
    enum runtime_kind kind;
    enum ws_family family;
    const char *directory;
    char *arguments[RUNTIME_ARGUMENTS_MAX + 1]; /* NULL-terminated; the first is the program's path in the sandbox */
};

struct options {
    const char *socket;
    const char *content;
    const char *state;
    const char *zygote_library; /* NULL: no runtime of kind fork */
    const char *cgroup;
    uid_t peer;
    uint32_t uid_base;
    uint32_t instances_max;
    uint32_t containers_max;
    uint32_t blank_instances; /* made ahead of any request */
    bool lifeline;            /* standard input is a pipe that whoever started us holds open */
    struct runtime runtimes[RUNTIMES_MAX];
    uint32_t runtimes_count;
};

/* Fills `options` from the arguments; prints what is wrong and returns false otherwise. */
bool options_parse(struct options *options, int count, char **arguments);

#endif
