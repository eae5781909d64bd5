/* Packets of the daemon into the real Sandbox/Launcher/requests.c. An input is a list of packets, each behind its length in two
 * bytes; the worker lives as long as the input, so that what depends on an earlier message is reached.
 *
 * Every packet is copied into a piece of memory of exactly its size: a read beyond the message is seen by the address sanitizer.
 * The definitions below stand for the rest of the launcher, and check what the rest relies on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wayside_protocol.h"
#include "worker.h"

static const struct {
    uint16_t type;
    size_t size;
} sizes[] = {
    {WS_HELLO, sizeof(struct ws_header)},
    {WS_INSTANCE_CREATE, sizeof(struct ws_instance_create)},
    {WS_INSTANCE_KILL, sizeof(struct ws_instance_kill)},
    {WS_CONTAINER_KILL, sizeof(struct ws_container_kill)},
    {WS_CONTAINER_INSPECT, sizeof(struct ws_container_inspect)},
    {WS_ADOPT, sizeof(struct ws_header)},
};

static struct instance an_instance = {.id = 1};
static struct container a_container = {.id = 1, .instance = &an_instance, .state = CONTAINER_READY, .pid = 2};

static struct ws_header packet; /* the one being handled */
static size_t packet_length;
static unsigned answers, acts;
static bool closed;

/* Whatever is acted on is a whole message of its type, and comes after the greeting. */
static void acted(const struct worker *worker, uint16_t type) {
    acts++;
    CHECK(packet.magic == WS_PROTOCOL_MAGIC && packet.version == WS_PROTOCOL_VERSION, "only our own build is listened to");
    CHECK(packet.type == type, "a message is handled by its own function");
    CHECK(packet.length == packet_length, "a message is as long as it says");
    CHECK(worker->greeted, "nothing happens before the greeting");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        CHECK(sizes[i].type != type || sizes[i].size == packet_length, "a message of fixed size has that size");
}

static void check_strings(const struct ws_container_start *message) {
    const char *next = (const char *)(message + 1), *end = next + message->strings_length;
    CHECK(message->strings_length == packet_length - sizeof *message, "the strings end with the message");
    /* As Launcher/start.c walks them. */
    for (uint32_t i = 0; i < message->argc + message->envc + message->syscallc; i++) {
        CHECK(next < end, "there are as many strings as counted");
        next += strlen(next) + 1;
        CHECK(next <= end, "the last string is terminated");
    }
    CHECK(next == end, "nothing follows the strings");
}

static bool fits_in(const char *text, size_t capacity) { return strnlen(text, capacity) < capacity; }

/* --- the rest of the launcher --- */

void container_start(struct worker *worker, const struct ws_container_start *message) {
    acted(worker, WS_CONTAINER_START);
    CHECK(packet_length >= sizeof *message && packet_length <= WS_MESSAGE_MAX, "the fixed part is there");
    CHECK(message->container_id != 0, "0 is no container");
    const uint32_t both = WS_STAGE_PREPARE | WS_STAGE_ASSIGN;
    CHECK(message->stages != 0 && (message->stages & ~both) == 0, "the stages are known");
    CHECK((message->flags & ~(uint32_t)(WS_START_ALONE | WS_START_LEARN)) == 0, "the flags are known");
    CHECK(fits_in(message->runtime, sizeof message->runtime), "the runtime's name is terminated");
    CHECK(fits_in(message->bundle, sizeof message->bundle), "the bundle's path is terminated");
    CHECK(message->argc <= WS_ARGV_MAX && message->envc <= WS_ENVP_MAX, "start.c has room for the strings");
    CHECK(message->syscallc <= WS_SYSCALLS_MAX, "there is room for the system calls");
    CHECK(message->syscallc == 0 || message->stages == both, "a filter is given before the process runs");
    CHECK(message->egress_port <= UINT16_MAX, "a port has sixteen bits");
    check_strings(message);
}

void container_kill(struct worker *worker, struct container *container) {
    acted(worker, WS_CONTAINER_KILL);
    CHECK(container == &a_container, "the container that was found is killed");
}

void inspect_container(struct worker *worker, const struct container *container, uint64_t request_id) {
    acted(worker, WS_CONTAINER_INSPECT);
    CHECK(container == &a_container && request_id == packet.request_id, "the container that was found is inspected");
    answers++;
}

struct container *container_find(struct worker *worker, uint64_t id) {
    (void)worker;
    return id == a_container.id ? &a_container : NULL;
}

void instance_create(struct worker *worker, const struct ws_instance_create *message) {
    acted(worker, WS_INSTANCE_CREATE);
    CHECK(message->instance_id != 0, "0 is no instance");
}

void instance_kill(struct worker *worker, struct instance *instance) {
    acted(worker, WS_INSTANCE_KILL);
    CHECK(instance == &an_instance, "the instance that was found is killed");
}

struct instance *instance_find(struct worker *worker, uint64_t id) {
    (void)worker;
    return id == an_instance.id ? &an_instance : NULL;
}

void park_container(struct worker *worker, const struct ws_container_park *message, int *fds, size_t fds_count) {
    acted(worker, WS_CONTAINER_PARK);
    CHECK(packet_length == sizeof *message + message->label_length, "the label ends with the message");
    CHECK(message->label_length <= WS_LABEL_MAX, "the launcher has room for the label");
    CHECK(message->seconds >= 1 && message->seconds <= WS_PARK_SECONDS_MAX, "nothing is kept for ever");
    CHECK(fds_count == 1 && fds[0] == -1, "what came beside the message is handed on");
    answers++;
}

void park_adopt(struct worker *worker, uint64_t request_id) {
    acted(worker, WS_ADOPT);
    CHECK(request_id == packet.request_id, "an answer names its request");
    answers++;
}

uint64_t park_number_max(const struct worker *worker) {
    (void)worker;
    return 0;
}

void link_send(struct worker *worker, void *message, size_t length, uint16_t type, uint64_t request_id, const int *fds,
               size_t fds_count) {
    (void)fds;
    CHECK(worker->link >= 0, "nothing is sent over a closed connection");
    CHECK(type == WS_HELLO_REPLY && length == sizeof(struct ws_hello_reply) && fds_count == 0, "a greeting is answered by one");
    acted(worker, WS_HELLO);
    CHECK(request_id == packet.request_id, "an answer names its request");
    memset(message, 0, sizeof(struct ws_header));
    answers++;
}

void link_reply(struct worker *worker, uint64_t request_id, enum ws_step step, int error) {
    CHECK(worker->link >= 0, "nothing is sent over a closed connection");
    CHECK(request_id == packet.request_id, "an answer names its request");
    CHECK(step < WS_STEP_COUNT && (step == WS_STEP_NONE) == (error == 0), "a step that failed has its error");
    answers++;
}

void link_reply_done(struct worker *worker, uint64_t request_id, pid_t process, int slots[REPLY_SLOTS]) {
    CHECK(slots == NULL && process == 0, "what is killed has nothing to hand out");
    link_reply(worker, request_id, WS_STEP_NONE, 0);
}

void link_close(struct worker *worker) {
    worker->link = -1;
    worker->greeted = false;
    closed = true;
}

/* --- the packets --- */

static bool is_start_or_create(void) { return packet.type == WS_CONTAINER_START || packet.type == WS_INSTANCE_CREATE; }

/* The rules of the header's first comment: whatever has a header is answered, at once or by who starts something. */
static void handle(struct worker *worker, const uint8_t *data, size_t length) {
    memset(&packet, 0, sizeof packet);
    if (length >= sizeof packet) memcpy(&packet, data, sizeof packet);
    packet_length = length;
    answers = acts = 0;
    /* No descriptor, which every call that is given it refuses. */
    int fds[] = {-1};
    request_handle(worker, data, length, fds, 1);
    CHECK(acts <= 1, "a packet is one message");
    if (length < sizeof packet || packet.magic != WS_PROTOCOL_MAGIC)
        CHECK(answers == 0 && acts == 0 && !closed, "what is no message is ignored");
    else if (packet.version != WS_PROTOCOL_VERSION)
        CHECK(closed && answers == 0 && acts == 0, "another version ends the connection");
    else if (acts == 1 && is_start_or_create())
        CHECK(answers == 0, "who starts something answers for it");
    else
        CHECK(answers == 1 && !closed, "every other message is answered once");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct options options = {.instances_max = 1, .containers_max = 1};
    struct worker worker = {.options = &options};
    struct source source = {data, size};
    closed = false;
    while (source.size > 0 && !closed) {
        size_t length = take_length(&source);
        uint8_t *copy = malloc(length > 0 ? length : 1);
        if (copy == NULL) return 0;
        memcpy(copy, source.data, length);
        source.data += length;
        source.size -= length;
        handle(&worker, copy, length);
        free(copy);
    }
    return 0;
}
