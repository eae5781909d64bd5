/* A function of the provided runtime that does what its event names: "ATTEMPT word word …". */
#include "hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define API "/2018-06-01/runtime/invocation/"
enum { REQUEST_MAX = ANSWER_MAX + 512, EVENT_MAX = 1 << 18 };

char request_id[64];

static const struct attempt *const tables[] = {call_attempts, process_attempts, file_attempts, memory_attempts, api_attempts};

int api_connect(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return -1;
}

/* Where the body begins once all of it is there, else 0. */
static size_t complete(const char *response, size_t length) {
    const char *end = memmem(response, length, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    size_t head = (size_t)(end - response) + 4;
    const char *field = strcasestr(response, "\r\ncontent-length:");
    size_t body = field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0;
    return length >= head + body ? head : 0;
}

int api_exchange(const char *request, size_t length, char *response, size_t capacity) {
    int fd = api_connect();
    if (fd < 0) return -errno;
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(fd, request + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += (size_t)count;
    }
    size_t received = 0;
    response[0] = '\0';
    while (received + 1 < capacity && complete(response, received) == 0) {
        ssize_t count = recv(fd, response + received, capacity - received - 1, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        received += (size_t)count;
        response[received] = '\0';
    }
    close(fd);
    return received < 12 ? -ECONNRESET : atoi(response + 9);
}

static void dispatch(struct answer *answer, char *event) {
    char *words[WORDS_MAX] = {NULL};
    int count = 0;
    event += strspn(event, "\"");
    event[strcspn(event, "\"")] = '\0';
    for (char *rest = event, *word; count < WORDS_MAX && (word = strsep(&rest, " ")) != NULL;) words[count++] = word;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct attempt *attempt = tables[i]; attempt->name != NULL; attempt++)
            if (strcmp(attempt->name, words[0]) == 0) return attempt->run(answer, count - 1, words + 1);
    say(answer, "\"no such attempt\"");
}

static struct answer answer;

int main(int count, char **arguments) {
    static char response[EVENT_MAX], request[REQUEST_MAX];
    if (count > 1 && strcmp(arguments[1], "--print") == 0) {
        /* Outside a sandbox, to see what the attempts do where nothing stops them. */
        dispatch(&answer, arguments[2]);
        return puts(answer.text) < 0;
    }
    if (count <= 1 && getenv("AWS_LAMBDA_RUNTIME_API") == NULL) return 100 + count; /* what `no_arguments` looks for */
    for (;;) {
        int length = snprintf(request, sizeof request, "GET " API "next HTTP/1.1\r\nHost: x\r\n\r\n");
        if (api_exchange(request, (size_t)length, response, sizeof response) != 200) return 1;
        const char *id = strcasestr(response, "lambda-runtime-aws-request-id:");
        if (id == NULL || sscanf(id + 30, " %63[^\r\n]", request_id) != 1) return 2;
        memset(&answer, 0, sizeof answer);
        dispatch(&answer, strstr(response, "\r\n\r\n") + 4);
        if (answer.length == 0) continue; /* the attempt has answered by itself, or does not want to */
        length = snprintf(request, sizeof request, "POST " API "%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                          request_id, answer.length, answer.text);
        api_exchange(request, (size_t)length, response, sizeof response);
    }
}
