/* WS_CONTAINER_INSPECT: what holds for a runtime process now, as the kernel says it. What the kernel does not show, Landlock's
 * rules and the filter's, is printed from the very tables that were enforced. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "unenforced.h"
#include "worker.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"

struct inspection {
    const struct worker *worker;
    const struct container *container;
    int process; /* its directory in /proc */
    FILE *report;
};

static FILE *open_below(int directory, const char *name) {
    WS_AUTO_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file != NULL) (void)ws_release(&fd);
    return file;
}

static void copy_file(const struct inspection *inspection, const char *name) {
    FILE *file = open_below(inspection->process, name);
    if (file == NULL) return;
    char line[1024];
    for (size_t used = 0; used < WS_REPORT_MAX && fgets(line, sizeof line, file) != NULL; used += strlen(line))
        fputs(line, inspection->report);
    fclose(file);
}

static void print_status(const struct inspection *inspection) {
    static const char *const wanted[] = {"Name",   "Uid",    "Gid",    "Groups",     "CapInh",  "CapPrm",
                                         "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"};
    FILE *file = open_below(inspection->process, "status");
    if (file == NULL) return;
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0 && line[strlen(wanted[i])] == ':')
                fputs(line, inspection->report);
    fclose(file);
}

/* "net:[4026531840]" becomes 4026531840; 0 when the link cannot be read. */
static unsigned long namespace_inode(int directory, const char *name) {
    char target[64];
    unsigned long inode = 0;
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = '\0';
    const char *number = strchr(target, '[');
    if (number != NULL && sscanf(number, "[%lu]", &inode) != 1) inode = 0;
    return inode;
}

static void print_namespaces(const struct inspection *inspection) {
    static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
    WS_AUTO_CLOSE int its = openat(inspection->process, "ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    WS_AUTO_CLOSE int ours = openat(inspection->worker->views.proc, "self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; its >= 0 && ours >= 0 && i < sizeof names / sizeof names[0]; i++) {
        unsigned long inode = namespace_inode(its, names[i]);
        if (inode == 0) continue;
        bool own = inode != namespace_inode(ours, names[i]);
        fprintf(inspection->report, "%s %lu %s\n", names[i], inode, own ? "own" : "shared");
    }
}

static void print_id_maps(const struct inspection *inspection) {
    static const char *const files[] = {"uid_map", "gid_map"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fprintf(inspection->report, "%s", files[i]);
        copy_file(inspection, files[i]);
    }
}

static void print_mounts(const struct inspection *inspection) { copy_file(inspection, "mountinfo"); }

static void print_limits(const struct inspection *inspection) { copy_file(inspection, "limits"); }

static void print_cgroup(const struct inspection *inspection) {
    ws_cgroup_describe(&inspection->worker->host.cgroups, inspection->container->cgroup, inspection->report);
}

static void print_landlock(const struct inspection *inspection) {
    ws_landlock_describe(inspection->worker->host.landlock_abi, &inspection->container->tcp, inspection->report);
}

static void print_seccomp(const struct inspection *inspection) {
    const struct ws_narrowing *narrowing = &inspection->container->narrowing;
    const struct ws_syscall_set *only = narrowing->profile != 0 ? &narrowing->syscalls : NULL;
    ws_filter_describe(inspection->container->runtime->family, only, inspection->report);
}

static void print_unenforced(const struct inspection *inspection) {
    const struct ws_entry_host *host = &inspection->worker->host;
    unenforced_print(host->privileged, &host->cgroups, "", inspection->report);
}

static const struct {
    const char *name;
    void (*print)(const struct inspection *inspection);
} sections[] = {
    {"status", print_status},   {"namespaces", print_namespaces}, {"id_maps", print_id_maps},
    {"mounts", print_mounts},   {"limits", print_limits},         {"cgroup", print_cgroup},
    {"landlock", print_landlock}, {"seccomp", print_seccomp},     {"unenforced", print_unenforced},
};

/* Writes the sections into `file`, a memfd. -1 with EFBIG when there is more than a report may have. */
static int write_report(const struct worker *worker, const struct container *container, int file) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)container->pid);
    WS_AUTO_CLOSE int process = openat(worker->views.proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
    WS_AUTO_CLOSE int copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
    FILE *report = process < 0 || copy < 0 ? NULL : fdopen(copy, "w");
    if (report == NULL) return -1;
    (void)ws_release(&copy);
    struct inspection inspection = {.worker = worker, .container = container, .process = process, .report = report};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        fprintf(report, "[%s]\n", sections[i].name);
        sections[i].print(&inspection);
    }
    long length = ftell(report);
    bool complete = fclose(report) == 0 && length >= 0;
    if (complete && length <= (long)WS_REPORT_MAX) return 0;
    errno = complete ? EFBIG : EIO;
    return -1;
}

/* Whoever gets it can map it without fearing that it changes or shrinks under his eyes. */
static int seal(int file) {
    if (lseek(file, 0, SEEK_SET) < 0) return -1;
    return fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

void inspect_container(struct worker *worker, const struct container *container, uint64_t request_id) {
    int slots[REPLY_SLOTS];
    for (size_t i = 0; i < REPLY_SLOTS; i++) slots[i] = -1;
    WS_AUTO_CLOSE int file = memfd_create("wayside-report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0 || write_report(worker, container, file) < 0 || seal(file) < 0)
        return link_reply(worker, request_id, errno == EFBIG ? WS_STEP_LIMIT : WS_STEP_DESCRIPTORS, errno);
    slots[SLOT_REPORT] = ws_release(&file);
    link_reply_done(worker, request_id, worker_host_pid(&worker->views, container->pid), slots);
}
