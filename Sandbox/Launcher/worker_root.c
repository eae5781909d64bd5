/* From real root to the worker's place:
 *
 *     supervisor, own mount namespace     build <state>: content/ proc/ template/       (rootless: the worker does it)
 *     clone: user, mount, pid, net, …     the supervisor maps the worker's root to an unprivileged id
 *     root directory = <state>            the host's files are out of reach
 *     template namespace                  the same once more with template/, held by a descriptor */
#include "worker_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_mounts.h"
#include "ws_namespaces.h"

static int fail(const char *step) {
    fprintf(stderr, "wayside-launcher: the worker cannot start: %s: %s\n", step, strerror(errno));
    return -1;
}

static int build_template(const struct options *options) {
    const char *root = "template";
    if (mount("wayside-root", root, "tmpfs", MS_NOSUID, "mode=0755") < 0) return fail("mount the template");
    if (ws_template_build(root) < 0) return -1;
    for (uint32_t i = 0; i < options->runtimes_count; i++)
        if (ws_template_add_runtime(root, options->runtimes[i].name, options->runtimes[i].directory) < 0) return -1;
    if (options->zygote_library != NULL &&
        ws_template_add_file(root, options->zygote_library, WS_ZYGOTE_LIBRARY_PATH) < 0)
        return -1;
    return ws_template_seal(root);
}

int worker_stage_build(const struct options *options) {
    umask(022);
    if (unshare(CLONE_NEWNS) < 0) return fail("unshare mounts");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return fail("make mounts private");
    if (mount("wayside", options->state, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0) return fail("mount over --state");
    if (chdir(options->state) < 0) return fail("enter --state");
    if (mkdir("content", 0755) < 0 || mkdir("proc", 0755) < 0 || mkdir("template", 0755) < 0) return fail("make the stage");
    if (ws_bind_read_only(options->content, "content") < 0) return fail("bind --content");
    return build_template(options);
}

static int take_ids(const struct worker_root *root, pid_t *host_pid) {
    if (read(root->gate, host_pid, sizeof *host_pid) != sizeof *host_pid) return fail("wait for the id maps");
    if (root->privileged &&
        (syscall(SYS_setgroups, 0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        return fail("set ids");
    /* Changing ids made us undumpable, which gives our files in /proc to the host's root, and clears the signal. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return fail("prctl");
    char byte;
    if (recv(root->gate, &byte, 1, MSG_DONTWAIT) == 0) return fail("the supervisor has ended");
    return 0;
}

/* In a child that is alone in a new PID namespace: the procfs it mounts is empty once the child has ended. */
static void prepare_template_namespace(int ready, int done) {
    char byte = 0;
    if (mount("proc", "/template/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) _exit(fail("mount the empty proc"));
    if (ws_enter_root("/template") < 0) _exit(fail("enter the template"));
    if (write(ready, &byte, 1) == 1 && read(done, &byte, 1) >= 0) _exit(0);
    _exit(1);
}

static int open_template_namespace(int proc) {
    int ready[2], done[2];
    char path[64], byte;
    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) return -1;
    pid_t child = ws_clone(CLONE_NEWPID | CLONE_NEWNS, -1);
    if (child == 0) {
        close(done[1]);
        prepare_template_namespace(ready[1], done[0]);
    }
    close(ready[1]);
    int result = -1;
    if (child > 0 && read(ready[0], &byte, 1) == 1) {
        snprintf(path, sizeof path, "%d/ns/mnt", (int)child);
        result = openat(proc, path, O_RDONLY | O_CLOEXEC);
    }
    close(ready[0]);
    close(done[0]);
    close(done[1]);
    if (child > 0) waitpid(child, NULL, 0);
    return result;
}

int worker_root_enter(const struct options *options, const struct worker_root *root, struct worker_views *views) {
    if (take_ids(root, &views->host_pid) < 0) return -1;
    if (!root->privileged && worker_stage_build(options) < 0) return -1;
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return fail("mount the worker's proc");
    views->host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (ws_enter_root(".") < 0) return fail("enter the stage");
    views->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    views->content = open("/content", O_PATH | O_DIRECTORY | O_CLOEXEC);
    views->own_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (views->proc < 0 || views->content < 0 || views->own_namespace < 0) return fail("open the stage");
    views->template_namespace = open_template_namespace(views->proc);
    return views->template_namespace < 0 ? fail("prepare the template namespace") : 0;
}

pid_t worker_host_pid(const struct worker_views *views, pid_t pid) {
    char path[64], text[512];
    WS_AUTO_CLOSE int pidfd = ws_pidfd_open(pid);
    if (pidfd < 0) return 0;
    /* The number in fdinfo is that of the PID namespace whose procfs one looks at; proc(5), "pidfd". */
    snprintf(path, sizeof path, "self/fdinfo/%d", pidfd);
    WS_AUTO_CLOSE int file = openat(views->host_proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0) return 0;
    text[length] = '\0';
    const char *found = strstr(text, "\nPid:");
    long number = found == NULL ? 0 : strtol(found + 5, NULL, 10);
    return number > 0 ? (pid_t)number : 0;
}
