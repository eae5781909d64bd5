#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ws_namespaces.h"

static const char usage[] =
    "usage: wayside-launcher --socket PATH --content DIR --state DIR --peer-uid UID --runtime NAME:KIND[/FAMILY]:DIR:ARGV…\n"
    "\n"
    "  --socket PATH          where the daemon connects; mode 0600, owned by --peer-uid\n"
    "  --content DIR          the bundles; its directories and files must be readable by everyone who gets that far\n"
    "  --state DIR            an existing directory for the lock file; the worker mounts its root over it, privately\n"
    "  --peer-uid UID         the user of the daemon\n"
    "  --runtime NAME:KIND[/FAMILY]:DIR:ARGV…   repeatable; KIND is fork, exec_early or exec_late; FAMILY of system calls\n"
    "                         is interpreter, jit or native (default); DIR is seen at /var/runtime in the sandbox; ARGV is\n"
    "                         split at blanks, its first word is a path in the sandbox\n"
    "  --zygote-library PATH  libwayside-zygote.so; needed for kind fork\n"
    "  --instances-max N      instances alive at once (default 512)\n"
    "  --containers-max N     containers alive at once (default 2048, at most 65535)\n"
    "  --blank-instances N    instances made ahead of any request, each with a container (default 4, at most 256)\n"
    "  --uid-base UID         first of the host ids given to sandboxes, 2048 for each instance (default 1879048192:\n"
    "                         above every range that subuid, systemd and directory services hand out by themselves)\n"
    "  --cgroup NAME          name of the launcher's cgroup below its own (default wayside)\n"
    "  --lifeline             standard input is a pipe of the daemon's: when it closes, end as soon as no connection is left and\n"
    "                         nothing is parked\n"
    "  --mark TEXT            anything; for whoever looks at this command line later\n";

static const struct {
    const char *name;
    enum runtime_kind kind;
} kinds[] = {{"fork", KIND_FORK}, {"exec_early", KIND_EXEC_EARLY}, {"exec_late", KIND_EXEC_LATE}};

static bool wrong(const char *what, const char *value) {
    fprintf(stderr, "wayside-launcher: %s: %s\n%s", what, value, usage);
    return false;
}

static bool name_is_plain(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length < WS_RUNTIME_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static bool parse_kind(struct runtime *runtime, char *text) {
    const char *name = strsep(&text, "/");
    size_t found = 0;
    while (found < sizeof kinds / sizeof kinds[0] && strcmp(kinds[found].name, name) != 0) found++;
    if (found == sizeof kinds / sizeof kinds[0]) return wrong("unknown runtime kind", name);
    runtime->kind = kinds[found].kind;
    runtime->family = text == NULL ? WS_FAMILY_NATIVE : ws_family_named(text);
    return runtime->family != WS_FAMILY_COUNT || wrong("unknown family of system calls", text);
}

static bool parse_runtime(struct options *options, char *text) {
    if (options->runtimes_count == RUNTIMES_MAX) return wrong("too many runtimes", text);
    struct runtime *runtime = &options->runtimes[options->runtimes_count];
    char *name = strsep(&text, ":"), *kind = strsep(&text, ":"), *directory = strsep(&text, ":");
    if (text == NULL || !name_is_plain(name) || directory[0] != '/') return wrong("not a runtime NAME:KIND:/DIR:ARGV", name);
    for (uint32_t i = 0; i < options->runtimes_count; i++)
        if (strcmp(options->runtimes[i].name, name) == 0) return wrong("runtime given twice", name);
    snprintf(runtime->name, sizeof runtime->name, "%s", name);
    runtime->directory = directory;
    size_t count = 0;
    if (!parse_kind(runtime, kind)) return false;
    for (char *word; (word = strsep(&text, " ")) != NULL;) {
        if (*word == '\0') continue;
        if (count == RUNTIME_ARGUMENTS_MAX) return wrong("too many arguments of runtime", name);
        runtime->arguments[count++] = word;
    }
    if (count == 0 || runtime->arguments[0][0] != '/') return wrong("the program of a runtime needs its full path", name);
    options->runtimes_count++;
    return true;
}

static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *number) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most) return wrong("not a number in range", text);
    *number = (uint32_t)value;
    return true;
}

enum { SOCKET = 1, CONTENT, STATE, PEER, RUNTIME, LIBRARY, INSTANCES, CONTAINERS, BLANKS, UID_BASE, CGROUP, LIFELINE, MARK };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, SOCKET},
    {"content", required_argument, NULL, CONTENT},
    {"state", required_argument, NULL, STATE},
    {"peer-uid", required_argument, NULL, PEER},
    {"runtime", required_argument, NULL, RUNTIME},
    {"zygote-library", required_argument, NULL, LIBRARY},
    {"instances-max", required_argument, NULL, INSTANCES},
    {"containers-max", required_argument, NULL, CONTAINERS},
    {"blank-instances", required_argument, NULL, BLANKS},
    {"uid-base", required_argument, NULL, UID_BASE},
    {"cgroup", required_argument, NULL, CGROUP},
    {"lifeline", no_argument, NULL, LIFELINE},
    {"mark", required_argument, NULL, MARK},
    {NULL, 0, NULL, 0},
};

static bool take(struct options *options, int option, char *value) {
    switch (option) {
    case SOCKET: options->socket = value; return true;
    case CONTENT: options->content = value; return true;
    case STATE: options->state = value; return true;
    case LIBRARY: options->zygote_library = value; return true;
    case CGROUP: options->cgroup = value; return name_is_plain(value) || wrong("not a plain name", value);
    case LIFELINE: options->lifeline = true; return true;
    case MARK: return true;
    case RUNTIME: return parse_runtime(options, value);
    case PEER: return parse_number(value, 0, UINT32_MAX - 1, &options->peer);
    case INSTANCES: return parse_number(value, 1, 65535, &options->instances_max);
    case CONTAINERS: return parse_number(value, 1, 65535, &options->containers_max);
    case BLANKS: return parse_number(value, 0, 256, &options->blank_instances);
    case UID_BASE: return parse_number(value, 1000, INT32_MAX, &options->uid_base);
    default: return wrong("unknown option", "see above");
    }
}

bool options_parse(struct options *options, int count, char **arguments) {
    *options = (struct options){.cgroup = "wayside", .peer = UINT32_MAX, .uid_base = 0x70000000u, .instances_max = 512,
                                .containers_max = 2048, .blank_instances = 4};
    for (int option; (option = getopt_long(count, arguments, "", long_options, NULL)) != -1;)
        if (!take(options, option, optarg)) return false;
    if (optind != count) return wrong("unexpected argument", arguments[optind]);
    const char *const needed[][2] = {
        {"--socket", options->socket}, {"--content", options->content}, {"--state", options->state}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (needed[i][1] == NULL) return wrong("missing", needed[i][0]);
    const char *const paths[] = {options->socket, options->content, options->state, options->zygote_library};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] != NULL && paths[i][0] != '/') return wrong("not an absolute path", paths[i]);
    if (options->peer == UINT32_MAX) return wrong("missing", "--peer-uid");
    if (options->runtimes_count == 0) return wrong("missing", "--runtime");
    for (uint32_t i = 0; i < options->runtimes_count; i++)
        if (options->runtimes[i].kind == KIND_FORK && options->zygote_library == NULL)
            return wrong("a runtime of kind fork needs", "--zygote-library");
    uint64_t last = (uint64_t)options->uid_base + ((uint64_t)options->instances_max + 1) * WS_IDS_PER_INSTANCE;
    return last <= UINT32_MAX || wrong("--uid-base leaves too few ids for", "--instances-max");
}
