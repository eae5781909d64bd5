/* One instance's or container's cgroups: creating, limiting, reading, removing. Tables say which file means what. */
#include "ws_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"

#define FILE_PATH_MAX (WS_CGROUP_NAME_MAX + 64)

static int open_file(const struct ws_hierarchy *hierarchy, const char *name, const char *file, int flags) {
    char path[FILE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", name, file);
    return openat(hierarchy->base, path, flags | O_CLOEXEC);
}

static int write_file(const struct ws_hierarchy *hierarchy, const char *name, const char *file, const char *text) {
    WS_AUTO_CLOSE int fd = open_file(hierarchy, name, file, O_WRONLY);
    if (fd < 0) return -1;
    return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static const struct ws_hierarchy *hierarchy_of(const struct ws_cgroups *cgroups, uint32_t controller) {
    for (uint32_t i = 0; i < cgroups->count; i++)
        if ((cgroups->hierarchies[i].controllers & controller) != 0) return &cgroups->hierarchies[i];
    return NULL;
}

int ws_cgroup_create(const struct ws_cgroups *cgroups, const char *name, bool inner) {
    for (uint32_t i = 0; i < cgroups->count; i++)
        if (mkdirat(cgroups->hierarchies[i].base, name, 0755) < 0) return -1;
    if (!inner || cgroups->version != 2) return 0;
    const struct ws_hierarchy *hierarchy = &cgroups->hierarchies[0];
    static const struct {
        uint32_t controller;
        const char *text;
    } enabled[] = {{WS_CONTROLLER_MEMORY, "+memory"}, {WS_CONTROLLER_PIDS, "+pids"}, {WS_CONTROLLER_CPU, "+cpu"}};
    for (size_t i = 0; i < sizeof enabled / sizeof enabled[0]; i++)
        if ((hierarchy->controllers & enabled[i].controller) != 0 &&
            write_file(hierarchy, name, "cgroup.subtree_control", enabled[i].text) < 0)
            return -1;
    char init[FILE_PATH_MAX];
    snprintf(init, sizeof init, "%s/init", name);
    return mkdirat(hierarchy->base, init, 0755);
}

enum limit_value { MEMORY_BYTES, CPU_QUOTA_MICROSECONDS, CPU_MAX_LINE, CPU_SHARES, CPU_WEIGHT, PIDS_COUNT, ZERO };

/* In writing order: v1 wants memory before memory+swap. Swap files are absent where the kernel has no swap accounting, and
 * then there is no swap to limit. */
static const struct limit_file {
    uint32_t version;
    uint32_t controller;
    const char *file;
    enum limit_value value;
    const char *none; /* what lifts the limit */
    bool optional;
} limit_files[] = {
    {1, WS_CONTROLLER_MEMORY, "memory.limit_in_bytes", MEMORY_BYTES, "-1", false},
    {1, WS_CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", MEMORY_BYTES, "-1", true},
    {1, WS_CONTROLLER_CPU, "cpu.cfs_quota_us", CPU_QUOTA_MICROSECONDS, "-1", false},
    {1, WS_CONTROLLER_CPU, "cpu.shares", CPU_SHARES, "1024", false},
    {1, WS_CONTROLLER_PIDS, "pids.max", PIDS_COUNT, "max", false},
    {2, WS_CONTROLLER_MEMORY, "memory.max", MEMORY_BYTES, "max", false},
    {2, WS_CONTROLLER_MEMORY, "memory.swap.max", ZERO, "max", true},
    {2, WS_CONTROLLER_CPU, "cpu.max", CPU_MAX_LINE, "max", false},
    {2, WS_CONTROLLER_CPU, "cpu.weight", CPU_WEIGHT, "100", false},
    {2, WS_CONTROLLER_PIDS, "pids.max", PIDS_COUNT, "max", false},
};

/* The kernel's default period is 100 ms, so a thousandth of a core is 100 µs of quota. */
#define CPU_PERIOD_MICROSECONDS 100000u
#define CPU_QUOTA_MINIMUM 1000u /* the kernel refuses less */
#define CPU_SHARES_MAXIMUM 262144u /* more than an instance's containers can add up to in v2 units, so sums keep their ratio */
#define CPU_WEIGHT_MAXIMUM 10000u

/* False for a limit that is 0 (none). */
static bool limit_text(enum limit_value value, const struct ws_limits *limits, char *text, size_t capacity) {
    uint64_t quota = (uint64_t)limits->cpu_millis * (CPU_PERIOD_MICROSECONDS / 1000);
    if (quota < CPU_QUOTA_MINIMUM) quota = CPU_QUOTA_MINIMUM;
    switch (value) {
    case MEMORY_BYTES:
        snprintf(text, capacity, "%" PRIu64, limits->memory_bytes);
        return limits->memory_bytes != 0;
    case CPU_QUOTA_MICROSECONDS:
        snprintf(text, capacity, "%" PRIu64, quota);
        return limits->cpu_millis != 0;
    case CPU_MAX_LINE:
        snprintf(text, capacity, "%" PRIu64 " %u", quota, CPU_PERIOD_MICROSECONDS);
        return limits->cpu_millis != 0;
    case CPU_SHARES:
        snprintf(text, capacity, "%" PRIu32, limits->cpu_weight < CPU_SHARES_MAXIMUM ? limits->cpu_weight : CPU_SHARES_MAXIMUM);
        return limits->cpu_weight != 0;
    case CPU_WEIGHT:
        snprintf(text, capacity, "%" PRIu32, limits->cpu_weight < CPU_WEIGHT_MAXIMUM ? limits->cpu_weight : CPU_WEIGHT_MAXIMUM);
        return limits->cpu_weight != 0;
    case PIDS_COUNT:
        snprintf(text, capacity, "%" PRIu32, limits->pids_max);
        return limits->pids_max != 0;
    case ZERO:
        snprintf(text, capacity, "0");
        return limits->memory_bytes != 0;
    }
    return false;
}

static int write_limit(const struct ws_cgroups *cgroups, const char *name, const struct limit_file *entry,
                       const struct ws_limits *before, const struct ws_limits *limits) {
    const struct ws_hierarchy *hierarchy = hierarchy_of(cgroups, entry->controller);
    char text[64], old[64];
    if (entry->version != cgroups->version || hierarchy == NULL) return 0;
    bool had = limit_text(entry->value, before, old, sizeof old);
    bool has = limit_text(entry->value, limits, text, sizeof text);
    if (!has && !had) return 0;
    if (has && had && strcmp(text, old) == 0) return 0;
    if (write_file(hierarchy, name, entry->file, has ? text : entry->none) == 0) return 0;
    return entry->optional && errno == ENOENT ? 0 : -1;
}

int ws_cgroup_limit(const struct ws_cgroups *cgroups, const char *name, const struct ws_limits *before, const struct ws_limits *limits) {
    const size_t count = sizeof limit_files / sizeof limit_files[0];
    bool raised = false;
    for (size_t i = 0; i < count; i++) {
        if (write_limit(cgroups, name, &limit_files[i], before, limits) == 0) continue;
        /* Raising both v1 limits must go the other way round: memory may never exceed memory+swap. */
        if (errno != EINVAL || limit_files[i].value != MEMORY_BYTES || raised) return -1;
        if (i + 1 >= count || write_limit(cgroups, name, &limit_files[i + 1], before, limits) < 0) return -1;
        raised = true;
        i--;
    }
    return 0;
}

void ws_cgroup_describe(const struct ws_cgroups *cgroups, const char *name, FILE *report) {
    for (size_t i = 0; i < sizeof limit_files / sizeof limit_files[0]; i++) {
        const struct ws_hierarchy *hierarchy = hierarchy_of(cgroups, limit_files[i].controller);
        char text[128];
        if (limit_files[i].version != cgroups->version || hierarchy == NULL) continue;
        WS_AUTO_CLOSE int fd = open_file(hierarchy, name, limit_files[i].file, O_RDONLY);
        ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (length <= 0) continue;
        text[length] = '\0';
        fprintf(report, "%s %.*s\n", limit_files[i].file, (int)strcspn(text, "\n"), text);
    }
}

/* The number after `key` in a "key value" file, or the first number of the file when `key` is empty. */
static uint64_t read_number(const struct ws_hierarchy *hierarchy, const char *name, const char *file, const char *key) {
    char text[1024];
    WS_AUTO_CLOSE int fd = open_file(hierarchy, name, file, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) return 0;
    text[length] = '\0';
    size_t key_length = strlen(key);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, key, key_length) == 0 && (key_length == 0 || line[key_length] == ' '))
            return strtoull(line + key_length, NULL, 10);
    return 0;
}

/* By cgroup version. */
static const struct {
    uint32_t controller;
    int flags;
    const char *names[3];
} shared_files[WS_CGROUP_FILES] = {
    [WS_CGROUP_PEAK] = {WS_CONTROLLER_MEMORY, O_RDONLY, {NULL, "memory.max_usage_in_bytes", "memory.peak"}},
    [WS_CGROUP_CPU] = {WS_CONTROLLER_CPUACCT, O_RDONLY, {NULL, "cpuacct.usage", "cpu.stat"}},
    [WS_CGROUP_FREEZER] = {WS_CONTROLLER_FREEZER, O_WRONLY, {NULL, "freezer.state", "cgroup.freeze"}},
};

void ws_cgroup_usage(const struct ws_cgroups *cgroups, const char *name, struct ws_cgroup_usage *usage) {
    memset(usage, 0, sizeof *usage);
    const struct ws_hierarchy *memory = hierarchy_of(cgroups, WS_CONTROLLER_MEMORY);
    const struct ws_hierarchy *cpu = hierarchy_of(cgroups, WS_CONTROLLER_CPUACCT);
    bool unified = cgroups->version == 2;
    if (memory != NULL) {
        usage->memory_peak_bytes = read_number(memory, name, shared_files[WS_CGROUP_PEAK].names[cgroups->version], "");
        usage->out_of_memory_kills = read_number(memory, name, unified ? "memory.events" : "memory.oom_control", "oom_kill");
    }
    if (cpu != NULL)
        usage->cpu_nanoseconds = unified ? read_number(cpu, name, "cpu.stat", "usage_usec") * 1000
                                         : read_number(cpu, name, "cpuacct.usage", "");
}

int64_t ws_cgroup_tasks(const struct ws_cgroups *cgroups, const char *name) {
    const struct ws_hierarchy *hierarchy = hierarchy_of(cgroups, WS_CONTROLLER_PIDS);
    char text[32];
    WS_AUTO_CLOSE int fd = hierarchy == NULL ? -1 : open_file(hierarchy, name, "pids.current", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) return -1;
    text[length] = '\0';
    return strtoll(text, NULL, 10);
}

/* What dead processes leave charged: the kernel counts in batches for each processor, and frees caches late. */
#define RENEWED_BYTES_MAX (2ull * 1024 * 1024)

/* Files that are counters since they were last written to. */
static const struct {
    uint32_t controller;
    const char *file;
} counters[] = {
    {WS_CONTROLLER_MEMORY, "memory.max_usage_in_bytes"},
    {WS_CONTROLLER_MEMORY, "memory.failcnt"},
    {WS_CONTROLLER_CPUACCT, "cpuacct.usage"},
};

int ws_cgroup_renew(const struct ws_cgroups *cgroups, const char *name) {
    if (ws_cgroup_tasks(cgroups, name) != 0) return -1;
    if (cgroups->version != 1) return ws_cgroup_remove(cgroups, name) < 0 ? -1 : ws_cgroup_create(cgroups, name, false);
    const struct ws_hierarchy *memory = hierarchy_of(cgroups, WS_CONTROLLER_MEMORY);
    if (memory != NULL && read_number(memory, name, "memory.usage_in_bytes", "") > RENEWED_BYTES_MAX) return -1;
    /* The daemon may have frozen it once more when it was asked to end. */
    ws_cgroup_thaw_killed(cgroups, name);
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        const struct ws_hierarchy *hierarchy = hierarchy_of(cgroups, counters[i].controller);
        if (hierarchy != NULL && write_file(hierarchy, name, counters[i].file, "0") < 0) return -1;
    }
    return 0;
}

int ws_cgroup_open(const struct ws_cgroups *cgroups, const char *name, enum ws_cgroup_file file) {
    const struct ws_hierarchy *hierarchy = hierarchy_of(cgroups, shared_files[file].controller);
    if (hierarchy == NULL) return -1;
    return open_file(hierarchy, name, shared_files[file].names[cgroups->version], shared_files[file].flags);
}

void ws_cgroup_thaw_killed(const struct ws_cgroups *cgroups, const char *name) {
    const struct ws_hierarchy *freezer = hierarchy_of(cgroups, WS_CONTROLLER_FREEZER);
    /* A cgroup that is gone already has nobody to thaw. */
    if (cgroups->version == 1 && freezer != NULL) (void)write_file(freezer, name, "freezer.state", "THAWED");
}

int ws_cgroup_remove(const struct ws_cgroups *cgroups, const char *name) {
    int result = 0;
    char init[FILE_PATH_MAX];
    snprintf(init, sizeof init, "%s/init", name);
    for (uint32_t i = 0; i < cgroups->count; i++) {
        if (cgroups->version == 2) unlinkat(cgroups->hierarchies[i].base, init, AT_REMOVEDIR);
        if (unlinkat(cgroups->hierarchies[i].base, name, AT_REMOVEDIR) < 0 && errno != ENOENT) result = -1;
    }
    return result;
}

int ws_cgroup_enter(const struct ws_cgroups *cgroups, const char *name) {
    if (cgroups->version != 1) return 0;
    /* "tasks" and not "cgroup.procs": a thread that moves only itself needs no lock over all forks and exits of the host,
     * whose waiting time (an RCU grace period) would be most of a cold start. */
    for (uint32_t i = 0; i < cgroups->count; i++)
        if (write_file(&cgroups->hierarchies[i], name, "tasks", "0") < 0) return -1;
    return 0;
}

int ws_cgroup_open_for_clone(const struct ws_cgroups *cgroups, const char *name) {
    if (cgroups->version != 2) return -1;
    return openat(cgroups->hierarchies[0].base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
