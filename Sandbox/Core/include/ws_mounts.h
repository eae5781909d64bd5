/* Mounts: the read-only root every sandbox shares, and the few that are a container's own. */
#ifndef WS_MOUNTS_H
#define WS_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* Where the template keeps each runtime's directory, <name>/, and the zygote library. A container binds its own runtime's
 * on /var/runtime. */
#define WS_RUNTIMES_DIRECTORY "/var/lib/wayside"
#define WS_ZYGOTE_LIBRARY_PATH WS_RUNTIMES_DIRECTORY "/libwayside-zygote.so"
#define WS_RUNTIME_DIRECTORY "/var/runtime"
#define WS_TASK_DIRECTORY "/var/task"

/* A detached, read-only, nosuid, nodev bind of `path` below `directory`; an empty path means `directory` itself. */
int ws_detached_bind(int directory, const char *path);

/* Binds `source` read-only on `target`. */
int ws_bind_read_only(const char *source, const char *target);

/* Makes `root` (a directory) the root of the calling process's mount namespace and lets go of everything else. */
int ws_enter_root(const char *root);

/* Builds the read-only root below `root`, an empty directory: /usr, a short list of /etc, /dev, mount points. Runtimes are
 * added afterwards by ws_template_add_runtime; ws_template_seal ends the building. -1 and a printed sentence on failure. */
int ws_template_build(const char *root);
int ws_template_add_runtime(const char *root, const char *name, const char *directory);
int ws_template_add_file(const char *root, const char *source, const char *target);
int ws_template_seal(const char *root);

/* Fills <root>/etc: copies what programs need and what tells nothing of the host, writes passwd, group and hosts afresh. */
int ws_template_build_etc(const char *root);

/* Copies a regular file, at most 16 MiB. Files that not everyone may read are skipped: they are not meant for functions. */
int ws_copy_file(const char *source, const char *target);

/* The container's own mounts, called inside its mount namespace. */
int ws_mount_proc(void);
int ws_mount_tmp(uint64_t bytes, bool again);
int ws_mount_runtime(const char *name);

#endif
