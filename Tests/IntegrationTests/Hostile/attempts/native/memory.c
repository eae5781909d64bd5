/* Taking all there is of something, and keeping it; writing where memory is only to be read. */
#include "hostile.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <time.h>

enum { MIB = 1 << 20 };

static void took(struct answer *answer, bool stopped, long amount) {
    say(answer, "{\"error\":\"%s\",\"amount\":%ld}", stopped ? result_name(-1) : "ok", amount);
}

static void hog(struct answer *answer, int count, char **words) {
    (void)count;
    long limit = atol(words[0]), amount = 0;
    for (; amount < limit; amount++) {
        char *piece = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) break;
        memset(piece, 1, MIB);
    }
    took(answer, amount < limit, amount);
}

static void fill_tmp(struct answer *answer, int count, char **words) {
    (void)count;
    static char piece[MIB];
    memset(piece, 1, sizeof piece);
    long limit = atol(words[0]), amount = 0;
    int fd = open("/tmp/fill", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (amount < limit && write(fd, piece, sizeof piece) == MIB) amount++;
    took(answer, amount < limit, amount);
}

static void inodes(struct answer *answer, int count, char **words) {
    (void)count;
    long limit = atol(words[0]), amount = 0;
    mkdir("/tmp/inodes", 0700);
    for (; amount < limit; amount++) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/inodes/%ld", amount);
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0) break;
        close(fd);
    }
    took(answer, amount < limit, amount);
}

static void descriptors(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    long amount = 0;
    int last = -1;
    for (int fd; amount < 100000 && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0; amount++) last = fd;
    took(answer, amount < 100000, amount);
    close(last); /* for the answer */
}

static void inotify(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    long amount = 0;
    while (amount < 1000 && inotify_init1(IN_CLOEXEC) >= 0) amount++;
    took(answer, amount < 1000, amount);
}

static void timers(struct answer *answer, int count, char **words) {
    (void)count;
    long limit = atol(words[0]), amount = 0;
    struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    while (amount < limit && timer_create(CLOCK_MONOTONIC, &quiet, &timer) == 0) amount++;
    took(answer, amount < limit, amount);
}

static void pipes(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    static char piece[65536];
    long bytes = 0;
    int ends[2], error = 0;
    while (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        if (fcntl(ends[1], F_SETPIPE_SZ, MIB) < 0) error = errno;
        for (ssize_t written; (written = write(ends[1], piece, sizeof piece)) > 0;) bytes += written;
    }
    if (error != 0) errno = error;
    took(answer, true, bytes / MIB);
}

/* Descriptors that are under way in sockets are counted for each host user, against the sender's limit of open files. */
static void in_flight(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    enum { EACH = 250 };
    long amount = 0;
    int fds[EACH], pair[2];
    for (int i = 0; i < EACH; i++) fds[i] = 0;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof fds)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
    struct iovec byte = {"x", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    while (amount < 1000000 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0)
        while (sendmsg(pair[0], &message, MSG_DONTWAIT) > 0) amount += EACH;
    took(answer, amount < 1000000, amount);
}

static void shared_memory(struct answer *answer, int count, char **words) {
    (void)count;
    long limit = atol(words[0]), amount = 0;
    for (; amount < limit; amount += 16) {
        int segment = shmget(IPC_PRIVATE, 16 * MIB, IPC_CREAT | 0600);
        char *memory = segment < 0 ? (char *)-1 : shmat(segment, NULL, 0);
        if (memory == (char *)-1) break;
        memset(memory, 1, 16 * MIB);
        shmdt(memory);
    }
    took(answer, amount < limit, amount);
}

static void shared_memory_left(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    char line[512];
    int lines = -1;
    FILE *file = fopen("/proc/sysvipc/shm", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) lines++;
    say(answer, "%d", lines);
}

static void sparse_file(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("/tmp/sparse", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    say(answer, "[");
    say_item(answer, result_name(ftruncate(fd, 1l << 40)));
    say_item(answer, result_name(fallocate(fd, 0, 0, 1l << 40)));
    say(answer, "]");
    unlink("/tmp/sparse");
}

/* CVE-2016-5195 wrote through /proc/self/mem into pages that were mapped to be read only. */
static void write_own_memory(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    say_item((say(answer, "["), answer), result_name(open("/proc/self/mem", O_RDWR | O_CLOEXEC)));
    int file = open("/var/task/bootstrap", O_RDONLY | O_CLOEXEC);
    void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    say_item(answer, shared == MAP_FAILED ? "no mapping" : result_name(mprotect(shared, 4096, PROT_READ | PROT_WRITE)));
    void *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    say_item(answer, writable == MAP_FAILED ? result_name(-1) : "ok");
    say(answer, "]");
}

/* CVE-2019-5736 wrote into the running program of the host by way of /proc. */
static void overwrite_program(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    static const char *const programs[] = {"/proc/self/exe", "/proc/1/exe", "/proc/2/exe"};
    char again[64];
    say(answer, "[");
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        int place = open(programs[i], O_PATH | O_CLOEXEC);
        snprintf(again, sizeof again, "/proc/self/fd/%d", place);
        say_item(answer, result_name(open(place < 0 ? programs[i] : again, O_WRONLY | O_CLOEXEC)));
    }
    say(answer, "]");
}

const struct attempt memory_attempts[] = {
    {"hog", hog},
    {"fill_tmp", fill_tmp},
    {"inodes", inodes},
    {"descriptors", descriptors},
    {"inotify", inotify},
    {"timers", timers},
    {"pipes", pipes},
    {"in_flight", in_flight},
    {"shared_memory", shared_memory},
    {"shared_memory_left", shared_memory_left},
    {"sparse_file", sparse_file},
    {"write_own_memory", write_own_memory},
    {"overwrite_program", overwrite_program},
    {NULL, NULL},
};
