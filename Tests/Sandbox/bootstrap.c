/* A `bootstrap` for the tests: connects to the Runtime API's port, then obeys one-line commands until the end of file. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int reach(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : fd;
}

static int serve(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0 ? -1 : fd;
}

/* The same call, getpid, by another architecture's number. */
static void call_as_i386(void) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
#endif
}

static void call_as_x32(void) {
#ifdef __x86_64__
    syscall(0x40000000L | SYS_getpid);
#endif
}

int main(int argc, char **argv) {
    int fd = reach(9001);
    if (fd < 0) {
        perror("connect");
        return 3;
    }
    dprintf(fd, "%s %d %s\n", argv[0], argc, getenv("GREETING") ? getenv("GREETING") : "-");
    char line[256];
    for (ssize_t length; (length = read(fd, line, sizeof line - 1)) > 0;) {
        line[length] = '\0';
        if (strncmp(line, "exit", 4) == 0) return atoi(line + 5);
        if (strncmp(line, "abort", 5) == 0) abort();
        if (strncmp(line, "reach", 5) == 0) dprintf(fd, "%d\n", reach(atoi(line + 6)) < 0 ? errno : 0);
        if (strncmp(line, "serve", 5) == 0) dprintf(fd, "%d\n", serve(atoi(line + 6)) < 0 ? errno : 0);
        if (strncmp(line, "call", 4) == 0) dprintf(fd, "%d\n", syscall(atoi(line + 5), 0L, 4096L, 01600L) < 0 ? errno : 0);
        if (strncmp(line, "i386", 4) == 0) call_as_i386();
        if (strncmp(line, "x32", 3) == 0) call_as_x32();
        if (strncmp(line, "eat", 3) == 0)
            for (;;) memset(malloc(1 << 20), 1, 1 << 20);
        if (strncmp(line, "fork", 4) == 0) {
            int made = 0;
            while (made < 100000 && fork() >= 0) made++;
            dprintf(fd, "%d\n", made);
        }
    }
    return 0;
}
