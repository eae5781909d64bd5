/* The whole visible tree: what of it can be written, what of it should not be there; races over links. */
#include "hostile.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static struct answer *walked;
static const char *marker;
static long visited;

static void note(const char *what, const char *path) {
    char text[4200];
    snprintf(text, sizeof text, "%s %s", what, path);
    say_item(walked, text);
}

static void try_file(const char *path, const struct stat *found) {
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        note("open", path);
        close(fd);
    }
    if (S_ISREG(found->st_mode) && truncate(path, found->st_size) == 0) note("truncate", path);
}

static void try_directory(const char *path) {
    char inside[4200];
    snprintf(inside, sizeof inside, "%s/hostile", path);
    int fd = open(inside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        note("create", inside);
        close(fd);
        unlink(inside);
    }
    if (mkdir(inside, 0700) == 0 && rmdir(inside) == 0) note("mkdir", inside);
    if (symlink("/", inside) == 0 && unlink(inside) == 0) note("symlink", inside);
    if (rename("/tmp/pawn", inside) == 0 && rename(inside, "/tmp/pawn") == 0) note("rename", inside);
    if (link("/tmp/pawn", inside) == 0 && unlink(inside) == 0) note("link", inside);
}

static int visit(const char *path, const struct stat *found, int type, struct FTW *where) {
    (void)where;
    visited++;
    if (strcmp(path, "/tmp") == 0) return FTW_SKIP_SUBTREE;
    if (marker != NULL && strstr(path, marker) != NULL) note("found", path);
    if (type == FTW_SL || type == FTW_NS || type == FTW_SLN) return FTW_CONTINUE;
    if (type == FTW_D || type == FTW_DNR)
        try_directory(path);
    else
        try_file(path, found);
    if (chmod(path, found->st_mode & 07777) == 0) note("chmod", path);
    if (setxattr(path, "user.hostile", "x", 1, 0) == 0) note("setxattr", path);
    if (S_ISSOCK(found->st_mode) || S_ISBLK(found->st_mode)) note("special", path);
    return FTW_CONTINUE;
}

/* The first word, if any, is a part of a name that must not be found. */
static void write_everywhere(struct answer *answer, int count, char **words) {
    walked = answer;
    marker = count > 0 ? words[0] : NULL;
    visited = 0;
    close(open("/tmp/pawn", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    say(answer, "{\"writable\":[");
    int result = nftw("/", visit, 64, FTW_PHYS | FTW_ACTIONRETVAL);
    say(answer, "],\"visited\":%ld,\"end\":%d}", visited, result);
    unlink("/tmp/pawn");
}

/* Which of the words can be opened, and for what. */
static void open_paths(struct answer *answer, int count, char **words) {
    say(answer, "[");
    for (int i = 0; i < count; i++) {
        int read_only = open(words[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        say_item(answer, result_name(read_only));
        if (read_only >= 0) close(read_only);
        int write_only = open(words[i], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        say_item(answer, result_name(write_only));
        if (write_only >= 0) close(write_only);
    }
    say(answer, "]");
}

/* One process swaps a directory and a link to the root for each other, the other walks through: never beyond its own root. */
static void link_race(struct answer *answer, int count, char **words) {
    (void)count;
    mkdir("/tmp/race", 0700);
    mkdir("/tmp/race/place", 0700);
    symlink("/proc/self/root/../../..", "/tmp/race/link");
    pid_t swapper = fork();
    if (swapper == 0)
        for (;;) renameat2(AT_FDCWD, "/tmp/race/place", AT_FDCWD, "/tmp/race/link", RENAME_EXCHANGE);
    char path[4200];
    snprintf(path, sizeof path, "/tmp/race/place/%s", words[0]);
    int reached = 0, through = 0;
    for (int i = 0; i < 50000; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) close(fd);
        reached += fd >= 0;
        through += access("/tmp/race/place/tmp/race", F_OK) == 0;
    }
    kill(swapper, SIGKILL);
    waitpid(swapper, NULL, 0);
    say(answer, "{\"reached\":%d,\"raced\":%s}", reached, through > 0 ? "true" : "false");
}

/* Every descriptor that was inherited, as a way to a directory above the root (CVE-2024-21626). */
static void leaked_descriptors(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    walked = answer;
    say(answer, "[");
    for (int fd = 0; fd < 65536; fd++) {
        struct stat found;
        char path[64], target[256] = "";
        if (fcntl(fd, F_GETFD) < 0) continue;
        fstat(fd, &found);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        readlink(path, target, sizeof target - 1);
        if (S_ISDIR(found.st_mode) || openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0) note("directory", target);
        target[strcspn(target, ":")] = '\0';
        say_item(answer, target);
    }
    say(answer, "]");
}

const struct attempt file_attempts[] = {
    {"write_everywhere", write_everywhere},
    {"open_paths", open_paths},
    {"link_race", link_race},
    {"leaked_descriptors", leaked_descriptors},
    {NULL, NULL},
};
