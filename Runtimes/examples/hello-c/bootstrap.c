/* A Lambda runtime without libraries: the Runtime API over one keep-alive connection. It does nothing with its events,
 * and so shows what a call costs at the least.
 *
 * A call needs two requests, the answer to this event (POST …/response) and the question for the next one (GET …/next).
 * HTTP/1.1 allows sending the second before the first is answered, so both leave in one packet:
 *
 *     write  POST …/ID/response, GET …/next
 *     read   202 of the POST … 200 with the next event      (in one piece when an event is waiting already)
 *
 * A server need not keep the connection after the POST. Then it has not read the GET, which is sent again on a new
 * connection, and from there on alone. That is safe at any point: `next` hands out an event again until it is answered.
 */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "/2018-06-01/runtime/invocation/"
#define ANSWER "{\"message\":\"Hello from C\"}"
#define REQUEST_ID_MAX 128
#define HEAD_MAX 16384                             /* of one response: status line and headers */
#define BUFFER_SIZE (HEAD_MAX + 8 * 1024 * 1024)   /* an event is at most 6 MiB; untouched pages cost nothing */

struct connection {
    int fd;
    struct sockaddr_in address;
    char host[64];
    char buffer[BUFFER_SIZE + 1];
    size_t start, end; /* the unread bytes are buffer[start…end) */
};

struct response {
    int status;
    bool close;     /* the server ends the connection after this response */
    char request_id[REQUEST_ID_MAX + 1];
    char *body;     /* in the buffer; valid until the next response is read */
    size_t length;
};

static struct connection api; /* static, because it is larger than a stack */

static void fail(const char *what)
{
    fprintf(stderr, "bootstrap: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

/* "host:port" as in $AWS_LAMBDA_RUNTIME_API; the host is an IPv4 address, as it is inside the sandbox. */
static void parse_address(const char *text)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    char host[INET_ADDRSTRLEN];
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || strlen(text) >= sizeof api.host)
        fail("AWS_LAMBDA_RUNTIME_API is not ADDRESS:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    strcpy(api.host, text);
    api.address.sin_family = AF_INET;
    api.address.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &api.address.sin_addr) != 1)
        fail("AWS_LAMBDA_RUNTIME_API does not start with an IPv4 address");
}

static void open_connection(void)
{
    if (api.fd >= 0)
        close(api.fd);
    api.start = api.end = 0;
    api.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (api.fd < 0 || connect(api.fd, (struct sockaddr *)&api.address, sizeof api.address) != 0)
        fail("no connection to the Runtime API");
    /* Requests are written whole; holding them back for more would only delay them. */
    int one = 1;
    setsockopt(api.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static bool send_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(api.fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Read more; false at the end of the connection. */
static bool receive_more(void)
{
    if (api.end == BUFFER_SIZE)
        fail("a response is too large");
    ssize_t received;
    do
        received = recv(api.fd, api.buffer + api.end, BUFFER_SIZE - api.end, 0);
    while (received < 0 && errno == EINTR);
    if (received <= 0)
        return false;
    api.end += (size_t)received;
    return true;
}

/* The value of a header line that starts with `name`, or NULL. */
static char *header_value(char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

/* Parse status line and headers, which end with an empty line; lines are cut apart in place. */
static void parse_head(char *head, struct response *response)
{
    *response = (struct response){0};
    bool has_length = false;
    if (strncmp(head, "HTTP/1.", 7) != 0 || sscanf(head + 7, "%*d %d", &response->status) != 1)
        fail("the Runtime API does not speak HTTP/1");
    response->close = head[7] == '0';
    char *rest;
    for (char *line = strtok_r(head, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        char *value, *end;
        if ((value = header_value(line, "Content-Length")) != NULL) {
            response->length = strtoul(value, &end, 10);
            if (end == value || response->length > BUFFER_SIZE - HEAD_MAX)
                fail("the Runtime API sent a wrong Content-Length");
            has_length = true;
        } else if ((value = header_value(line, "Lambda-Runtime-Aws-Request-Id")) != NULL) {
            if (strlen(value) > REQUEST_ID_MAX)
                fail("the Runtime API sent a request id that is too long");
            strcpy(response->request_id, value);
        } else if ((value = header_value(line, "Connection")) != NULL) {
            response->close = strcasecmp(value, "close") == 0;
        } else if (header_value(line, "Transfer-Encoding") != NULL) {
            fail("the Runtime API sent a chunked body, which this example does not read");
        }
    }
    if (!has_length && response->status != 204)
        fail("the Runtime API sent no Content-Length");
}

/* Read one response, body included; false when the connection ended before it was complete. */
static bool read_response(struct response *response)
{
    if (api.start == api.end) {
        api.start = api.end = 0;
    } else if (api.start > 0) { /* what came together with the previous response is usually short */
        memmove(api.buffer, api.buffer + api.start, api.end - api.start);
        api.end -= api.start;
        api.start = 0;
    }
    char *head_end;
    for (;;) {
        api.buffer[api.end] = '\0';
        if ((head_end = memmem(api.buffer, api.end, "\r\n\r\n", 4)) != NULL)
            break;
        if (api.end > HEAD_MAX)
            fail("the Runtime API sent too many headers");
        if (!receive_more())
            return false;
    }
    *head_end = '\0';
    size_t head_length = (size_t)(head_end - api.buffer) + 4;
    parse_head(api.buffer, response);
    while (api.end < head_length + response->length)
        if (!receive_more())
            return false;
    response->body = api.buffer + head_length;
    api.start = head_length + response->length;
    return true;
}

/* Both requests in one buffer, so that they are one write; `post_length` is where the second one starts. */
static size_t write_requests(char *out, size_t size, const char *request_id, size_t *post_length)
{
    *post_length = 0;
    if (request_id[0] != '\0')
        *post_length = (size_t)snprintf(out, size,
            "POST " PREFIX "%s/response HTTP/1.1\r\nHost: %s\r\n"
            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            request_id, api.host, sizeof ANSWER - 1, ANSWER);
    out += *post_length;
    size -= *post_length;
    return *post_length + (size_t)snprintf(out, size, "GET " PREFIX "next HTTP/1.1\r\nHost: %s\r\n\r\n", api.host);
}

/* Answer `request_id` (none if empty), then wait for the next event. */
static void next_event(const char *request_id, struct response *event)
{
    static bool pipelining = true;
    char out[1024];
    size_t post_length, length = write_requests(out, sizeof out, request_id, &post_length);
    bool alive = send_all(out, pipelining ? length : post_length);
    if (alive && post_length > 0) {
        struct response accepted;
        alive = read_response(&accepted);
        if (alive && accepted.status != 202)
            fprintf(stderr, "bootstrap: the answer to %s was refused with status %d\n", request_id, accepted.status);
        if (!alive || accepted.close) {
            alive = false;
            pipelining = false;
        }
    }
    if (alive && !pipelining)
        alive = send_all(out + post_length, length - post_length);
    for (int attempt = 0; !(alive && read_response(event)); attempt++) {
        if (attempt == 3)
            fail("the Runtime API closes every connection");
        open_connection();
        alive = send_all(out + post_length, length - post_length);
    }
    if (event->close)
        open_connection();
}

int main(void)
{
    api.fd = -1;
    parse_address(getenv("AWS_LAMBDA_RUNTIME_API"));
    open_connection();
    struct response event = {0};
    for (;;) {
        char request_id[REQUEST_ID_MAX + 1];
        strcpy(request_id, event.request_id);
        next_event(request_id, &event);
        errno = 0;
        if (event.status != 200 || event.request_id[0] == '\0')
            fail("the Runtime API gave no event");
        /* A function that does something would read event.body, event.length bytes of JSON, here. */
    }
}
