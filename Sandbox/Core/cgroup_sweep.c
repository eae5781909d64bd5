/* Ending what an earlier life left in our cgroups: the one place that finds processes no one remembers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ws_cgroup.h"
#include "ws_cleanup.h"
#include "ws_kernel.h"

static void kill_processes(int directory) {
    WS_AUTO_CLOSE int list = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (list < 0) return;
    FILE *file = fdopen(ws_release(&list), "r");
    if (file == NULL) return;
    long pid;
    /* 0 stands for a process that this PID namespace cannot see, and kill(0) would end the caller's own group. */
    while (fscanf(file, "%ld", &pid) == 1)
        if (pid > 1 && pid != (long)getpid()) kill((pid_t)pid, SIGKILL);
    fclose(file);
}

/* A process frozen by a v1 freezer stays deaf even to SIGKILL. The file exists in that hierarchy alone. */
static void thaw(int directory) {
    WS_AUTO_CLOSE int state = openat(directory, "freezer.state", O_WRONLY | O_CLOEXEC);
    if (state >= 0) (void)!write(state, "THAWED", strlen("THAWED"));
}

/* Depth first: the children of `directory`, killed and removed. Returns how many are still there. */
static int sweep_children(int directory, int depth) {
    if (depth == 0) return 1;
    WS_AUTO_CLOSE int listing = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (listing < 0) return 1;
    DIR *entries = fdopendir(listing);
    if (entries == NULL) return 1;
    (void)ws_release(&listing);
    int left = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) continue;
        WS_AUTO_CLOSE int child = openat(directory, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (child < 0) continue;
        kill_processes(child);
        thaw(child);
        left += sweep_children(child, depth - 1);
        if (unlinkat(directory, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT) left++;
    }
    closedir(entries);
    return left;
}

int ws_cgroups_sweep(const struct ws_cgroups *cgroups, int timeout_ms) {
    for (int waited_ms = 0;; waited_ms += 5) {
        int left = 0;
        for (uint32_t i = 0; i < cgroups->count; i++) left += sweep_children(cgroups->hierarchies[i].base, 4);
        if (left == 0) return 0;
        if (waited_ms >= timeout_ms) return -1;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void ws_cgroups_remove_base(const struct ws_cgroups *cgroups) {
    for (uint32_t i = 0; i < cgroups->count; i++) rmdir(cgroups->hierarchies[i].path);
}
