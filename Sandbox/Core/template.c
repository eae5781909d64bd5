/* The root file system that all sandboxes share, built once when the worker starts:
 *
 *     /                tmpfs, read-only          /dev     null zero full random urandom, links to /proc/self/fd
 *     /usr             the host's, read-only     /proc    a procfs of a PID namespace that has ended; see below
 *     /bin /lib …      links, or binds           /tmp     mount point; /dev/shm is a link to it
 *     /etc             an allow-list             /var/task /var/runtime /opt   mount points
 *     /var/lib/wayside/<runtime>                 the runtimes' directories, read-only
 *
 * The kernel lets a user namespace mount a fresh procfs only where one is already in full view, so that nothing hidden can
 * be brought to light. The one in view here belongs to a PID namespace without processes: it shows nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_mounts.h"

#define TEMPLATE_PATH_MAX 4096

static int explain(const char *what, const char *path) {
    int error = errno;
    fprintf(stderr, "wayside-launcher: the sandbox root cannot be built: %s %s: %s\n", what, path, strerror(error));
    errno = error;
    return -1;
}

static const char *const directories[] = {
    "/usr", "/etc", "/dev", "/proc", "/tmp", "/opt", "/var", WS_TASK_DIRECTORY, WS_RUNTIME_DIRECTORY, "/var/lib",
    WS_RUNTIMES_DIRECTORY,
};

/* Links on hosts that merged them into /usr, directories of their own on the others. */
static const char *const usr_neighbours[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static const struct {
    const char *path;
    unsigned major, minor;
} devices[] = {{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}};

static const struct {
    const char *path, *target;
} links[] = {
    {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/shm", "/tmp"},
};

static int add_usr_neighbour(const char *root, const char *name) {
    char path[TEMPLATE_PATH_MAX], target[TEMPLATE_PATH_MAX];
    struct stat found;
    snprintf(path, sizeof path, "%s%s", root, name);
    if (lstat(name, &found) < 0) return 0;
    if (S_ISLNK(found.st_mode)) {
        ssize_t length = readlink(name, target, sizeof target - 1);
        if (length < 0) return -1;
        target[length] = '\0';
        return symlink(target, path);
    }
    return mkdir(path, 0755) < 0 ? -1 : ws_bind_read_only(name, path);
}

static int add_device(const char *root, const char *name, unsigned major_number, unsigned minor_number) {
    char path[TEMPLATE_PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, name);
    if (mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) == 0) return chmod(path, 0666);
    /* Device nodes cannot be made inside a user namespace; the host's can be shown. */
    WS_AUTO_CLOSE int placeholder = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    return placeholder < 0 ? -1 : mount(name, path, NULL, MS_BIND, NULL);
}

int ws_template_build(const char *root) {
    char path[TEMPLATE_PATH_MAX];
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, directories[i]);
        if (mkdir(path, 0755) < 0) return explain("mkdir", path);
    }
    snprintf(path, sizeof path, "%s/usr", root);
    if (ws_bind_read_only("/usr", path) < 0) return explain("bind /usr on", path);
    for (size_t i = 0; i < sizeof usr_neighbours / sizeof usr_neighbours[0]; i++)
        if (add_usr_neighbour(root, usr_neighbours[i]) < 0) return explain("show", usr_neighbours[i]);
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (add_device(root, devices[i].path, devices[i].major, devices[i].minor) < 0)
            return explain("make", devices[i].path);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, links[i].path);
        if (symlink(links[i].target, path) < 0) return explain("link", path);
    }
    return ws_template_build_etc(root) < 0 ? explain("fill", "/etc") : 0;
}

int ws_template_add_runtime(const char *root, const char *name, const char *directory) {
    char path[TEMPLATE_PATH_MAX];
    snprintf(path, sizeof path, "%s" WS_RUNTIMES_DIRECTORY "/%s", root, name);
    if (mkdir(path, 0755) < 0) return explain("mkdir", path);
    return ws_bind_read_only(directory, path) < 0 ? explain("bind the runtime directory", directory) : 0;
}

int ws_template_add_file(const char *root, const char *source, const char *target) {
    char path[TEMPLATE_PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, target);
    return ws_copy_file(source, path) < 0 ? explain("copy", source) : 0;
}

int ws_template_seal(const char *root) {
    return mount(NULL, root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL) < 0 ? explain("seal", root) : 0;
}
