#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ws_cleanup.h"
#include "ws_namespaces.h"

static int write_proc(int proc, pid_t process, const char *file, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "%d/%s", (int)process, file);
    WS_AUTO_CLOSE int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

int ws_write_id_maps(int proc, pid_t process, uint32_t inside, uint32_t outside, uint32_t count, bool privileged) {
    char text[64];
    snprintf(text, sizeof text, "%u %u %u\n", inside, outside, count);
    if (write_proc(proc, process, "uid_map", text) < 0) return -1;
    /* Without privilege the kernel insists on this first: leaving a group must not be a way around its denials. */
    if (!privileged && write_proc(proc, process, "setgroups", "deny") < 0) return -1;
    return write_proc(proc, process, "gid_map", text);
}
