#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unenforced.h"
#include "wayside_socket.h"
#include "worker.h"
#include "worker_root.h"
#include "ws_cleanup.h"
#include "ws_clone.h"
#include "ws_kernel.h"
#include "ws_namespaces.h"

/* A worker that dies is started again after these pauses; one that lived for STEADY_SECONDS begins at the first again. */
static const int backoff_ms[] = {10, 100, 500, 2000, 5000};
#define BACKOFF_COUNT (sizeof backoff_ms / sizeof backoff_ms[0])
#define STEADY_SECONDS 30
#define SWEEP_TIMEOUT_MS 5000

struct supervisor {
    const struct options *options;
    struct ws_cgroups cgroups;
    int listener;
    int signals;
    int gate; /* to the living worker; its end of file tells the worker of our end */
    int lifeline; /* -1: none, or its other end is closed */
    bool orphaned; /* it is closed: the worker has been told, and is the last one */
    bool privileged;
};

static int complain(const char *what, const char *path) {
    fprintf(stderr, "wayside-launcher: %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

static bool wait_readable(int fd, int timeout_ms) {
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    return poll(&waited, 1, timeout_ms) == 1;
}

/* Two launchers with one state directory would sweep each other's sandboxes. The lock ends with the process, whose number is in the
 * file for whoever finds it locked. */
static int lock_state(const char *directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s/launcher.lock", directory);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) return complain("another launcher may be running; cannot lock", path);
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) return complain("cannot write", path);
    return fd;
}

static int open_listener(const struct options *options, bool privileged) {
    WS_AUTO_CLOSE int fd = ws_socket_listen(options->socket, 16);
    if (fd < 0) return complain("cannot listen at", options->socket);
    if (privileged && chown(options->socket, options->peer, (gid_t)-1) < 0) return complain("cannot give away", options->socket);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) return complain("cannot set up", options->socket);
    return ws_release(&fd);
}

/* Maps the worker's ids from outside, as newuidmap(1) would: its root becomes an unprivileged host id, or our own. Then
 * tells it to go on, with its pid as the host counts, which it cannot see itself. */
static int admit_worker(const struct supervisor *supervisor, pid_t worker, int gate) {
    WS_AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint32_t count = (supervisor->options->instances_max + 1) * WS_IDS_PER_INSTANCE;
    int mapped = supervisor->privileged
                     ? ws_write_id_maps(proc, worker, 0, supervisor->options->uid_base, count, true)
                     : ws_write_id_maps(proc, worker, 0, geteuid(), 1, false);
    if (mapped < 0) return complain("cannot map ids of the worker;", "uid_map");
    return write(gate, &worker, sizeof worker) == sizeof worker ? 0 : -1;
}

/* The namespaces all belong to the worker's user namespace. The PID namespace is among them because the worker puts
 * children into containers and must come back to its own afterwards, for which it has to own it (setns(2)); and because
 * the kernel then ends everything that the worker started when the worker ends. */
static pid_t start_worker(struct supervisor *supervisor) {
    int gate[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0) return -1;
    const uint64_t all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    pid_t pid = ws_clone(all, -1);
    if (pid == 0) {
        close(gate[0]);
        ws_close_quietly(&supervisor->signals);
        struct worker_root root = {.gate = gate[1], .privileged = supervisor->privileged};
        _exit(worker_run(supervisor->options, &supervisor->cgroups, supervisor->listener, &root));
    }
    close(gate[1]);
    ws_close_quietly(&supervisor->gate);
    supervisor->gate = gate[0];
    if (pid < 0) return complain("cannot start", "the worker");
    if (admit_worker(supervisor, pid, gate[0]) < 0) kill(pid, SIGKILL);
    return pid;
}

static void sweep(const struct supervisor *supervisor) {
    if (ws_cgroups_sweep(&supervisor->cgroups, SWEEP_TIMEOUT_MS) < 0)
        fprintf(stderr, "wayside-launcher: cgroups of an earlier life could not be removed\n");
}

/* Blocks until a signal is there, and tells the worker when who started us is gone. A worker that is ending has closed its end of the
 * gate, but ends only when everything in its PID namespace has, and what is frozen does not die by itself: then it is swept here. */
static void wait_for_signal(struct supervisor *supervisor, pid_t worker) {
    struct pollfd waited[3] = {{.fd = supervisor->signals, .events = POLLIN},
                               {.fd = supervisor->gate, .events = POLLIN},
                               {.fd = supervisor->lifeline}};
    while (poll(waited, 3, -1) < 0 || waited[0].revents == 0) {
        if ((waited[2].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
            supervisor->orphaned = true;
            supervisor->lifeline = waited[2].fd = -1;
            waited[2].revents = 0;
            kill(worker, SIGUSR1);
        }
        if (waited[1].revents == 0) continue;
        ws_close_quietly(&supervisor->gate);
        waited[1].fd = -1;
        sweep(supervisor);
    }
}

/* Returns true when no other worker is wanted: the supervisor was asked to end, or nobody is there any more to want one. */
static bool watch_worker(struct supervisor *supervisor, pid_t worker) {
    bool asked = false;
    for (;;) {
        struct signalfd_siginfo signal_info;
        wait_for_signal(supervisor, worker);
        if (read(supervisor->signals, &signal_info, sizeof signal_info) != sizeof signal_info) continue;
        if (signal_info.ssi_signo != SIGCHLD) {
            asked = true;
            kill(worker, SIGTERM);
        }
        int status;
        for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (ended != worker) continue;
            if (asked || supervisor->orphaned) return true;
            fprintf(stderr, "wayside-launcher: the worker ended (wait status 0x%x) and is started again\n", status);
            return false;
        }
    }
}

static bool pause_or_asked(const struct supervisor *supervisor, int milliseconds) {
    struct signalfd_siginfo signal_info;
    if (!wait_readable(supervisor->signals, milliseconds)) return false;
    return read(supervisor->signals, &signal_info, sizeof signal_info) == sizeof signal_info && signal_info.ssi_signo != SIGCHLD;
}

static void keep_worker(struct supervisor *supervisor) {
    size_t failures = 0;
    for (;;) {
        sweep(supervisor);
        time_t started = time(NULL);
        pid_t worker = start_worker(supervisor);
        if (worker > 0 && watch_worker(supervisor, worker)) return;
        failures = time(NULL) - started > STEADY_SECONDS ? 0 : failures;
        if (pause_or_asked(supervisor, backoff_ms[failures])) return;
        if (failures + 1 < BACKOFF_COUNT) failures++;
    }
}

int supervisor_run(const struct options *options) {
    static struct supervisor supervisor;
    supervisor.options = options;
    supervisor.privileged = geteuid() == 0;
    supervisor.gate = -1;
    supervisor.lifeline = options->lifeline ? STDIN_FILENO : -1;
    /* Standard error may be a pipe of a daemon that we outlive; entry.c gives functions the signal back. */
    signal(SIGPIPE, SIG_IGN);
    sigset_t handled, blocked;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    blocked = handled;
    /* For the worker, which inherits the mask: it must not be lost before it can be taken. */
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    supervisor.signals = signalfd(-1, &handled, SFD_CLOEXEC);
    WS_AUTO_CLOSE int lock = lock_state(options->state);
    if (supervisor.signals < 0 || lock < 0) return 1;
    if (supervisor.privileged) ws_cgroups_set_up(&supervisor.cgroups, options->cgroup, options->uid_base);
    unenforced_print(supervisor.privileged, &supervisor.cgroups, "wayside-launcher: ", stderr);
    supervisor.listener = open_listener(options, supervisor.privileged);
    if (supervisor.listener < 0) return 1;
    /* As real root, so that the paths may lie in directories that only their owner can enter. */
    if (supervisor.privileged && worker_stage_build(options) < 0) return 1;
    keep_worker(&supervisor);
    ws_cgroups_sweep(&supervisor.cgroups, SWEEP_TIMEOUT_MS);
    ws_cgroups_remove_base(&supervisor.cgroups);
    unlink(options->socket);
    return 0;
}
