#include "ws_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"

int ws_detached_bind(int directory, const char *path) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path[0] == '\0' ? AT_EMPTY_PATH : 0);
    unsigned recursive = 0;
    WS_AUTO_CLOSE int tree = open_tree(directory, path, flags);
    if (tree < 0 && errno == EINVAL) {
        /* A less privileged namespace may not separate a tree from the mounts on it: what they hide would show. */
        recursive = AT_RECURSIVE;
        tree = open_tree(directory, path, flags | recursive);
    }
    if (tree < 0) return -1;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) < 0) return -1;
    return ws_release(&tree);
}

int ws_bind_read_only(const char *source, const char *target) {
    WS_AUTO_CLOSE int tree = ws_detached_bind(AT_FDCWD, source);
    if (tree < 0) return -1;
    return move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

int ws_enter_root(const char *root) {
    if (chdir(root) < 0) return -1;
    /* A mount that came from a more privileged namespace is locked in its place; a clone of it is not. It is taken and put
     * by descriptor, because we may not be permitted to walk the path that leads here. */
    WS_AUTO_CLOSE int tree = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0 || move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0) return -1;
    /* The same directory as new root and as place of the old one stacks the old root on top, where it is let go;
     * pivot_root(2), "pivot_root(".", ".")". */
    if (ws_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0) return -1;
    return chdir("/");
}

int ws_mount_proc(void) {
    /* hidepid=2: a user sees no process but its own, so not the init either. */
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2");
}

int ws_mount_tmp(uint64_t bytes, bool again) {
    char options[96];
    /* One inode per 16 KiB, as ext4 has it: a flood of empty files is bounded as well, for inodes are kernel memory. */
    uint64_t inodes = bytes / 16384 < 64 ? 64 : bytes / 16384;
    snprintf(options, sizeof options, "size=%" PRIu64 ",nr_inodes=%" PRIu64 "%s", bytes, inodes, again ? "" : ",mode=1777");
    return mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | (again ? MS_REMOUNT : 0), options);
}

int ws_mount_runtime(const char *name) {
    char source[128];
    snprintf(source, sizeof source, WS_RUNTIMES_DIRECTORY "/%s", name);
    return mount(source, WS_RUNTIME_DIRECTORY, NULL, MS_BIND, NULL);
}
