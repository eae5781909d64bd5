/* A `provided` function that asks its proxy for what its event says, and answers with the first line that comes back.
 *
 * The event is a JSON string without escapes: a request line without its version ("CONNECT 127.0.0.2:443"), or "direct ADDRESS
 * PORT" for a connection past the proxy. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "/2018-06-01/runtime/invocation/"

enum { API_PORT = 9001, PROXY_PORT = 3128 };

static int open_connection(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Sends `request` and reads until the other side closes, or, with `line`, until its first line is there. */
static void exchange(int port, const char *request, char *answer, size_t capacity, int line) {
    int fd = open_connection("127.0.0.1", port);
    size_t length = 0;
    answer[0] = '\0';
    if (fd < 0) {
        snprintf(answer, capacity, "errno %d", errno);
        return;
    }
    if (write(fd, request, strlen(request)) < 0) exit(1);
    while (length < capacity - 1 && !(line && strstr(answer, "\r\n") != NULL)) {
        ssize_t received = read(fd, answer + length, capacity - 1 - length);
        if (received <= 0) break;
        length += (size_t)received;
        answer[length] = '\0';
    }
    close(fd);
}

static void ask(const char *event, char *answer, size_t capacity) {
    char host[64], request[1024];
    int port;
    if (sscanf(event, "direct %63s %d", host, &port) == 2) {
        int fd = open_connection(host, port);
        snprintf(answer, capacity, fd < 0 ? "errno %d" : "connected", errno);
        if (fd >= 0) close(fd);
        return;
    }
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n\r\n", event);
    exchange(PROXY_PORT, request, answer, capacity, 1);
    answer[strcspn(answer, "\r\n")] = '\0';
}

int main(void) {
    static char next[65536], answer[1024], result[2048], reply[4096];
    for (;;) {
        exchange(API_PORT, "GET " PREFIX "next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", next, sizeof next, 0);
        char *id = strcasestr(next, "Lambda-Runtime-Aws-Request-Id: "), *event = strstr(next, "\r\n\r\n\"");
        if (id == NULL || event == NULL) return 1;
        id += strlen("Lambda-Runtime-Aws-Request-Id: ");
        event += 5;
        id[strcspn(id, "\r\n")] = '\0';
        event[strcspn(event, "\"")] = '\0';
        ask(event, answer, sizeof answer);
        snprintf(result, sizeof result, "\"%s\"", answer);
        snprintf(reply, sizeof reply,
                 "POST " PREFIX "%s/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", id,
                 strlen(result), result);
        exchange(API_PORT, reply, next, sizeof next, 0);
    }
}
