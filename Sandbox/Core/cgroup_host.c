/* Finding and preparing the host's cgroup hierarchies; the work of the supervisor, which alone is real root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ws_cgroup.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"

struct wanted_controller {
    const char *name;
    uint32_t bit;
};

static const struct wanted_controller wanted[] = {
    {"memory", WS_CONTROLLER_MEMORY},   {"pids", WS_CONTROLLER_PIDS},       {"cpu", WS_CONTROLLER_CPU},
    {"cpuacct", WS_CONTROLLER_CPUACCT}, {"freezer", WS_CONTROLLER_FREEZER},
};
#define WANTED_COUNT (sizeof wanted / sizeof wanted[0])

static uint32_t controllers_named(const char *text, const char *separators) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    uint32_t set = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, separators, &rest); word != NULL; word = strtok_r(NULL, separators, &rest))
        for (size_t i = 0; i < WANTED_COUNT; i++)
            if (strcmp(word, wanted[i].name) == 0) set |= wanted[i].bit;
    return set;
}

static bool read_text(int directory, const char *path, char *text, size_t capacity) {
    WS_AUTO_CLOSE int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t length = read(fd, text, capacity - 1);
    if (length < 0) return false;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

static bool write_text(int directory, const char *path, const char *text) {
    WS_AUTO_CLOSE int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The caller's cgroup in the hierarchy that has `controllers` (0: the v2 hierarchy); "/" when it is not listed. */
static void own_cgroup(uint32_t controllers, char *path, size_t capacity) {
    snprintf(path, capacity, "/");
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) return;
    char line[PATH_MAX + 256];
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':');
        char *own = names == NULL ? NULL : strchr(names + 1, ':');
        if (own == NULL) continue;
        *own++ = '\0';
        names++;
        bool match = controllers == 0 ? names[0] == '\0' : (controllers_named(names, ",") & controllers) != 0;
        if (match) snprintf(path, capacity, "%s", own);
    }
    fclose(file);
}

/* One line of mountinfo: "36 35 98:0 /root /mount rw,relatime shared:1 - cgroup cgroup rw,memory"; proc(5). */
struct mount_line {
    char root[PATH_MAX];
    char point[PATH_MAX];
    char type[32];
    char options[512];
};

static bool parse_mount(const char *line, struct mount_line *mount) {
    const char *tail = strstr(line, " - ");
    return tail != NULL && sscanf(line, "%*s %*s %*s %4095s %4095s", mount->root, mount->point) == 2 &&
           sscanf(tail, " - %31s %*s %511s", mount->type, mount->options) == 2;
}

/* Where a cgroup lies below a mount that may show only part of the hierarchy (containers bind their own part). */
static const char *below_mount_root(const char *own, const char *root) {
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    return strncmp(own, root, length) == 0 ? own + length : "";
}

static bool add_hierarchy(struct ws_cgroups *cgroups, const char *directory, const char *name, uint32_t controllers,
                          uid_t owner) {
    if (cgroups->count == WS_CGROUP_HIERARCHIES_MAX) return false;
    struct ws_hierarchy *hierarchy = &cgroups->hierarchies[cgroups->count];
    int length = snprintf(hierarchy->path, sizeof hierarchy->path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof hierarchy->path) return false;
    if (mkdir(hierarchy->path, 0755) < 0 && errno != EEXIST) return false;
    WS_AUTO_CLOSE int base = open(hierarchy->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0 || chown(hierarchy->path, owner, owner) < 0) return false;
    static const char *const delegated[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"};
    for (size_t i = 0; i < sizeof delegated / sizeof delegated[0]; i++)
        if (fchownat(base, delegated[i], owner, owner, 0) < 0 && errno != ENOENT) return false;
    hierarchy->controllers = controllers;
    hierarchy->base = ws_release(&base);
    cgroups->count++;
    return true;
}

/* Three quarters of the host's process numbers: what runs on the host itself must always be able to fork. */
static uint32_t processes_for_sandboxes(void) {
    char text[32];
    if (!read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof text)) return 0;
    unsigned long most = strtoul(text, NULL, 10);
    return (uint32_t)(most / 4 * 3);
}

static void limit_processes(struct ws_cgroups *cgroups) {
    char text[32];
    uint32_t most = processes_for_sandboxes();
    snprintf(text, sizeof text, "%u", most);
    for (uint32_t i = 0; most > 0 && i < cgroups->count; i++)
        if ((cgroups->hierarchies[i].controllers & WS_CONTROLLER_PIDS) != 0 &&
            write_text(cgroups->hierarchies[i].base, "pids.max", text))
            cgroups->processes_max = most;
}

static void add_v1(struct ws_cgroups *cgroups, const struct mount_line *mount, const char *name, uid_t owner) {
    uint32_t controllers = controllers_named(mount->options, ",");
    for (uint32_t i = 0; i < cgroups->count; i++) controllers &= ~cgroups->hierarchies[i].controllers;
    if (controllers == 0) return;
    char own[PATH_MAX], directory[2 * PATH_MAX];
    own_cgroup(controllers, own, sizeof own);
    snprintf(directory, sizeof directory, "%s%s", mount->point, below_mount_root(own, mount->root));
    if (add_hierarchy(cgroups, directory, name, controllers, owner)) cgroups->version = 1;
}

/* v2 refuses to enable controllers for the children of a cgroup that itself holds processes, except at the root. So the
 * processes of our cgroup, the daemon's among them, move one level down first. cgroups(7), "no internal processes". */
static void move_processes_to_leaf(int directory) {
    if (mkdirat(directory, "wayside.host", 0755) < 0 && errno != EEXIST) return;
    WS_AUTO_CLOSE int list = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (list < 0) return;
    FILE *file = fdopen(ws_release(&list), "r");
    if (file == NULL) return;
    char pid[32];
    while (fgets(pid, sizeof pid, file) != NULL) write_text(directory, "wayside.host/cgroup.procs", pid);
    fclose(file);
}

static void enable_controllers(int directory, uint32_t available) {
    for (size_t i = 0; i < WANTED_COUNT; i++) {
        char text[32];
        snprintf(text, sizeof text, "+%s", wanted[i].name);
        if ((available & wanted[i].bit) != 0) write_text(directory, "cgroup.subtree_control", text);
    }
}

static void add_v2(struct ws_cgroups *cgroups, const struct mount_line *mount, const char *name, uid_t owner) {
    char own[PATH_MAX], directory[2 * PATH_MAX], text[512];
    own_cgroup(0, own, sizeof own);
    /* A supervisor that is started again from the leaf it made before belongs beside it, not below it. */
    char *leaf = strstr(own, "/wayside.host");
    if (leaf != NULL) *leaf = '\0';
    snprintf(directory, sizeof directory, "%s%s", mount->point, below_mount_root(own, mount->root));
    WS_AUTO_CLOSE int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !read_text(fd, "cgroup.controllers", text, sizeof text)) return;
    uint32_t available = controllers_named(text, " ") & (WS_CONTROLLER_MEMORY | WS_CONTROLLER_PIDS | WS_CONTROLLER_CPU);
    if (available == 0) return;
    bool at_root = faccessat(fd, "cgroup.type", F_OK, 0) != 0;
    if (!at_root) move_processes_to_leaf(fd);
    enable_controllers(fd, available);
    /* cpu.stat exists in every v2 cgroup, and cgroup.freeze too. */
    if (!add_hierarchy(cgroups, directory, name, available | WS_CONTROLLER_CPUACCT | WS_CONTROLLER_FREEZER, owner)) return;
    enable_controllers(cgroups->hierarchies[0].base, available);
    cgroups->version = 2;
}

void ws_cgroups_set_up(struct ws_cgroups *cgroups, const char *name, uid_t owner) {
    memset(cgroups, 0, sizeof *cgroups);
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) return;
    static struct mount_line mount, unified;
    char line[3 * PATH_MAX];
    bool has_unified = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (!parse_mount(line, &mount)) continue;
        if (strcmp(mount.type, "cgroup") == 0) add_v1(cgroups, &mount, name, owner);
        if (strcmp(mount.type, "cgroup2") == 0) {
            unified = mount;
            has_unified = true;
        }
    }
    fclose(file);
    /* A hybrid host keeps its controllers on v1; its v2 tree is empty and of no use. */
    if (cgroups->count == 0 && has_unified) add_v2(cgroups, &unified, name, owner);
    limit_processes(cgroups);
}
