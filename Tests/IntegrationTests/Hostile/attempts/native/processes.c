/* Other processes: finding them, signalling them, becoming another user, starting programs in odd ways. */
#include "hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void signal_everyone(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    pid_t self = getpid(), parent = getppid();
    say(answer, "[");
    for (pid_t pid = 1; pid < 40000; pid++) {
        char text[64];
        if (pid == self || pid == parent || (kill(pid, 0) < 0 && errno == ESRCH)) continue;
        /* Something is there. A signal that it would notice shows whether it can be had. */
        snprintf(text, sizeof text, "%d %s", pid, result_name(kill(pid, SIGTERM)));
        say_item(answer, text);
    }
    say(answer, "]");
}

static void signal_init(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    const int signals[] = {SIGKILL, SIGSTOP, SIGTERM, SIGSEGV, SIGHUP, SIGRTMIN};
    say(answer, "[");
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) say_item(answer, result_name(kill(1, signals[i])));
    int init = (int)syscall(SYS_pidfd_open, 1, 0);
    say_item(answer, init < 0 ? result_name(-1) : result_name(syscall(SYS_pidfd_send_signal, init, SIGKILL, NULL, 0)));
    say(answer, "]");
}

static void kill_all_that_is_seen(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    (void)answer;
    if (fork() == 0) _exit(kill(-1, SIGKILL));
    pause();
}

static void fork_bomb(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    int made = 0;
    while (made < 20000) {
        pid_t child = fork();
        if (child == 0)
            for (;;) pause();
        if (child < 0) break;
        made++;
    }
    say(answer, "{\"error\":\"%s\",\"made\":%d}", made < 20000 ? result_name(-1) : "ok", made);
}

static void *idle_thread(void *unused) {
    pause();
    return unused;
}

static void thread_bomb(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    int made = 0, error = 0;
    pthread_t thread;
    while (made < 20000 && (error = pthread_create(&thread, &attributes, idle_thread, NULL)) == 0) made++;
    say(answer, "{\"error\":\"%s\",\"made\":%d}", error == 0 ? "ok" : strerrorname_np(error), made);
}

/* CVE-2021-4034: a program that takes its first argument for granted. */
static void no_arguments(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    pid_t child = fork();
    if (child == 0) {
        char *const none[] = {NULL};
        execve("/proc/self/exe", none, none);
        _exit(errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    say(answer, "\"argc %d\"", WEXITSTATUS(status) - 100);
}

static void huge_arguments(struct answer *answer, int count, char **words) {
    (void)count;
    char **list = calloc(4096, sizeof *list), *large = malloc(100001);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    for (int i = 0; i < 64; i++) list[i] = large;
    char *const small[] = {"/bin/true", NULL};
    bool environment = strcmp(words[0], "environment") == 0;
    say(answer, "\"%s\"", result_name(execve("/bin/true", environment ? small : list, environment ? list : NULL)));
}

static void core_dump(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    pid_t child = fork();
    if (child == 0) {
        chdir("/tmp");
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    int status = 0;
    waitpid(child, &status, 0);
    struct stat found;
    int left = stat("/tmp/core", &found) == 0;
    say(answer, "{\"signal\":%d,\"core\":%d,\"file\":%d}", WTERMSIG(status), WCOREDUMP(status) != 0, left);
}

const struct attempt process_attempts[] = {
    {"signal_everyone", signal_everyone},
    {"signal_init", signal_init},
    {"kill_all_that_is_seen", kill_all_that_is_seen},
    {"fork_bomb", fork_bomb},
    {"thread_bomb", thread_bomb},
    {"no_arguments", no_arguments},
    {"huge_arguments", huge_arguments},
    {"core_dump", core_dump},
    {NULL, NULL},
};
