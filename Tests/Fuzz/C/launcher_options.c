/* Command lines into the real Sandbox/Launcher/options.c. An input is the arguments, a NUL between two of them. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "options.h"
#include "ws_namespaces.h"

enum { ARGUMENTS_MAX = 64 };

static bool is_absolute(const char *path) { return path != NULL && path[0] == '/'; }

/* A name becomes a part of paths: of /var/lib/wayside/NAME and of the cgroup. */
static bool is_plain(const char *name, size_t capacity) {
    size_t length = strnlen(name, capacity);
    return length > 0 && length < capacity && strpbrk(name, "./: \n") == NULL;
}

static void check(const struct options *options) {
    CHECK(is_absolute(options->socket) && is_absolute(options->content) && is_absolute(options->state), "paths are absolute");
    CHECK(options->peer != UINT32_MAX, "the peer is a user");
    CHECK(is_plain(options->cgroup, WS_RUNTIME_NAME_MAX), "the cgroup's name is plain");
    CHECK(options->instances_max >= 1 && options->instances_max <= 65535, "a token's slot has room for all instances");
    CHECK(options->containers_max >= 1 && options->containers_max <= 65535, "a token's slot has room for all containers");
    uint64_t last = (uint64_t)options->uid_base + ((uint64_t)options->instances_max + 1) * WS_IDS_PER_INSTANCE;
    CHECK(options->uid_base >= 1000 && last <= UINT32_MAX, "every instance has a range of ids");
    CHECK(options->runtimes_count >= 1 && options->runtimes_count <= RUNTIMES_MAX, "there is room for the runtimes");
    for (uint32_t i = 0; i < options->runtimes_count; i++) {
        const struct runtime *runtime = &options->runtimes[i];
        CHECK(is_plain(runtime->name, sizeof runtime->name), "a runtime's name is plain");
        CHECK(is_absolute(runtime->directory) && is_absolute(runtime->arguments[0]), "a runtime's paths are absolute");
        CHECK(runtime->arguments[RUNTIME_ARGUMENTS_MAX] == NULL, "a runtime's arguments are terminated");
        CHECK(runtime->kind != KIND_FORK || is_absolute(options->zygote_library), "a zygote has its library");
        for (uint32_t j = 0; j < i; j++)
            CHECK(strcmp(runtime->name, options->runtimes[j].name) != 0, "a runtime has its name alone");
    }
}

/* The launcher's own words about what is wrong with the arguments, hundreds of thousands of times, are not to be seen. */
static bool parse_silently(struct options *options, int count, char **arguments) {
    static FILE *nowhere;
    if (nowhere == NULL) nowhere = fopen("/dev/null", "w");
    FILE *shown = stderr;
    stderr = nowhere;
    bool parsed = options_parse(options, count, arguments);
    stderr = shown;
    return parsed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *arguments[ARGUMENTS_MAX + 2] = {"wayside-launcher"};
    int count = 1;
    char *text = malloc(size + 1);
    if (text == NULL) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *next = text; next <= text + size && count <= ARGUMENTS_MAX; next += strlen(next) + 1) arguments[count++] = next;
    optind = 0; /* glibc's getopt begins anew */
    opterr = 0;
    struct options options;
    if (parse_silently(&options, count, arguments)) check(&options);
    free(text);
    return 0;
}
