/* The Runtime API, spoken badly. */
#include "hostile.h"

#include <poll.h>
#include <sys/socket.h>

/* The bytes of a hexadecimal word, "@ID@" in them replaced by the request id in progress. */
static size_t bytes_of(const char *word, char *bytes, size_t capacity) {
    size_t length = 0;
    for (unsigned byte; length + sizeof request_id < capacity && sscanf(word, "%2x", &byte) == 1; word += 2) {
        bytes[length++] = (char)byte;
        if (length < 4 || memcmp(bytes + length - 4, "@ID@", 4) != 0) continue;
        memcpy(bytes + length - 4, request_id, strlen(request_id));
        length += strlen(request_id) - 4;
    }
    return length;
}

/* What comes back within half a second: a status, "closed", or "silent". */
static void say_reply(struct answer *answer, int fd) {
    char response[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 500) == 0) return say(answer, "\"silent\"");
    ssize_t length = recv(fd, response, sizeof response - 1, 0);
    if (length < 12) return say(answer, "\"closed\"");
    response[length] = '\0';
    say(answer, "%d", atoi(response + 9));
}

/* raw BYTES [REPEAT]: sends them so often on one connection, or until that is closed. */
static void raw(struct answer *answer, int count, char **words) {
    static char bytes[65536];
    size_t length = bytes_of(words[0], bytes, sizeof bytes);
    long repeat = count > 1 ? atol(words[1]) : 1;
    int fd = api_connect();
    if (fd < 0) return say(answer, "\"%s\"", result_name(-1));
    while (repeat-- > 0 && send(fd, bytes, length, MSG_NOSIGNAL) > 0) continue;
    say_reply(answer, fd);
    close(fd);
}

/* endless BYTES: after them noise without an end; how many MiB were taken, and what came back. */
static void endless(struct answer *answer, int count, char **words) {
    (void)count;
    static char bytes[65536], noise[65536];
    size_t length = bytes_of(words[0], bytes, sizeof bytes);
    memset(noise, 'x', sizeof noise);
    int fd = api_connect();
    if (fd < 0 || send(fd, bytes, length, MSG_NOSIGNAL) < 0) return say(answer, "\"%s\"", result_name(-1));
    long taken = 0;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    while (taken < (1l << 30) && poll(&wait, 1, 2000) > 0) {
        ssize_t sent = send(fd, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) break;
        taken += sent;
    }
    say(answer, "{\"bounded\":%s}", taken < 256l << 20 ? "true" : "false");
    close(fd);
}

/* slow: many connections that each begin a request and never end it; they stay open. */
static void slow(struct answer *answer, int count, char **words) {
    (void)count;
    int wanted = atoi(words[0]), open = 0, first = -1;
    for (int i = 0; i < wanted; i++) {
        int fd = api_connect();
        if (fd < 0) break;
        if (open++ == 0) first = fd;
        send(fd, "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: ", 63, MSG_NOSIGNAL);
    }
    /* One of those that were let in makes room for the answer to this. */
    usleep(500000);
    shutdown(first, SHUT_RDWR);
    usleep(200000);
    say(answer, "{\"connected\":%d}", open);
}

static int second;

/* Answers, and answers again. */
static void two_answers(struct answer *answer, int count, char **words) {
    (void)answer;
    (void)count;
    (void)words;
    char request[512], response[1024];
    for (int i = 0; i < 2; i++) {
        int length = snprintf(request, sizeof request, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                              "Content-Length: 8\r\n\r\n\"answer\"", request_id);
        second = api_exchange(request, (size_t)length, response, sizeof response);
    }
}

static void second_status(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    say(answer, "%d", second);
}

const struct attempt api_attempts[] = {
    {"raw", raw}, {"endless", endless}, {"slow", slow}, {"two_answers", two_answers}, {"second_status", second_status}, {NULL, NULL},
};
