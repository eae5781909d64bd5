/* One function per message of the daemon, found in a table by type; sizes are checked before a function sees the bytes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

struct descriptors {
    int *fds; /* -1 in place of one that is kept */
    size_t count;
};

static void take_hello(struct worker *worker, const void *data, struct descriptors given) {
    const struct ws_header *header = data;
    worker->greeted = true;
    /* Ours have gone with the daemon that started us. One that cannot be used leaves us silent, which harms nothing. */
    if (given.count > 0) (void)dup2(given.fds[0], STDERR_FILENO);
    struct ws_hello_reply reply = {
        .launcher_pid = (uint32_t)worker->views.host_pid,
        .privileged = worker->host.privileged,
        .cgroup_version = worker->host.cgroups.version,
        .landlock_abi = worker->host.landlock_abi,
        .instances_max = worker->options->instances_max,
        .containers_max = worker->options->containers_max,
        .parked = worker->parked_count,
        .parked_number_max = park_number_max(worker),
    };
    link_send(worker, &reply, sizeof reply, WS_HELLO_REPLY, header->request_id, NULL, 0);
}

static void take_instance_create(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    instance_create(worker, data);
}

static void take_instance_kill(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    const struct ws_instance_kill *message = data;
    struct instance *instance = instance_find(worker, message->instance_id);
    if (instance == NULL) {
        link_reply(worker, message->header.request_id, WS_STEP_UNKNOWN_INSTANCE, ESRCH);
        return;
    }
    link_reply(worker, message->header.request_id, WS_STEP_NONE, 0);
    instance_kill(worker, instance);
}

static void take_container_start(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    container_start(worker, data);
}

static void take_container_kill(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    const struct ws_container_kill *message = data;
    struct container *container = container_find(worker, message->container_id);
    if (container == NULL) {
        link_reply(worker, message->header.request_id, WS_STEP_UNKNOWN_CONTAINER, ESRCH);
        return;
    }
    link_reply(worker, message->header.request_id, WS_STEP_NONE, 0);
    container_kill(worker, container);
}

static void take_container_inspect(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    const struct ws_container_inspect *message = data;
    const struct container *container = container_find(worker, message->container_id);
    if (container == NULL || container->state != CONTAINER_READY || container->pid == 0)
        link_reply(worker, message->header.request_id, WS_STEP_UNKNOWN_CONTAINER, ESRCH);
    else
        inspect_container(worker, container, message->header.request_id);
}

static void take_container_park(struct worker *worker, const void *data, struct descriptors given) {
    park_container(worker, data, given.fds, given.count);
}

static void take_adopt(struct worker *worker, const void *data, struct descriptors given) {
    (void)given;
    park_adopt(worker, ((const struct ws_header *)data)->request_id);
}

static bool terminated(const char *text, size_t capacity) { return memchr(text, '\0', capacity) != NULL; }

/* What needs both stages in one message: a process that runs already cannot be given it. */
static bool policy_is_well_formed(const struct ws_container_start *message) {
    const uint32_t both = WS_STAGE_PREPARE | WS_STAGE_ASSIGN, known = WS_START_ALONE | WS_START_LEARN;
    if ((message->flags & ~known) != 0 || message->egress_port > UINT16_MAX || message->syscallc > WS_SYSCALLS_MAX) return false;
    if (message->egress_port != 0 && (message->stages & WS_STAGE_PREPARE) == 0) return false;
    return message->stages == both || (message->syscallc == 0 && (message->flags & WS_START_LEARN) == 0);
}

/* The variable part: strings_length bytes that are exactly argc + envc + syscallc NUL-terminated strings. */
static bool start_is_well_formed(const void *data, size_t length) {
    const struct ws_container_start *message = data;
    const uint32_t known = WS_STAGE_PREPARE | WS_STAGE_ASSIGN;
    if (message->container_id == 0 || message->stages == 0 || (message->stages & ~known) != 0) return false;
    if (!terminated(message->runtime, sizeof message->runtime) || !terminated(message->bundle, sizeof message->bundle)) return false;
    if (message->argc > WS_ARGV_MAX || message->envc > WS_ENVP_MAX || !policy_is_well_formed(message)) return false;
    if (message->strings_length != length - sizeof *message) return false;
    const char *strings = (const char *)(message + 1);
    uint32_t ends = 0;
    for (uint32_t i = 0; i < message->strings_length; i++) ends += strings[i] == '\0';
    bool closed = message->strings_length == 0 || strings[message->strings_length - 1] == '\0';
    return closed && ends == message->argc + message->envc + message->syscallc;
}

static bool create_is_well_formed(const void *data, size_t length) {
    (void)length;
    return ((const struct ws_instance_create *)data)->instance_id != 0;
}

static bool park_is_well_formed(const void *data, size_t length) {
    const struct ws_container_park *message = data;
    return message->seconds >= 1 && message->seconds <= WS_PARK_SECONDS_MAX && message->label_length <= WS_LABEL_MAX &&
           message->label_length == length - sizeof *message;
}

static const struct request {
    uint16_t type;
    size_t size;
    bool variable;
    bool (*well_formed)(const void *data, size_t length); /* NULL: nothing beyond the size */
    void (*take)(struct worker *worker, const void *data, struct descriptors given);
} requests[] = {
    {WS_HELLO, sizeof(struct ws_header), false, NULL, take_hello},
    {WS_INSTANCE_CREATE, sizeof(struct ws_instance_create), false, create_is_well_formed, take_instance_create},
    {WS_INSTANCE_KILL, sizeof(struct ws_instance_kill), false, NULL, take_instance_kill},
    {WS_CONTAINER_START, sizeof(struct ws_container_start), true, start_is_well_formed, take_container_start},
    {WS_CONTAINER_KILL, sizeof(struct ws_container_kill), false, NULL, take_container_kill},
    {WS_CONTAINER_INSPECT, sizeof(struct ws_container_inspect), false, NULL, take_container_inspect},
    {WS_CONTAINER_PARK, sizeof(struct ws_container_park), true, park_is_well_formed, take_container_park},
    {WS_ADOPT, sizeof(struct ws_header), false, NULL, take_adopt},
};

static bool fits(const struct request *request, const void *data, size_t length) {
    if (request->variable ? length < request->size : length != request->size) return false;
    return request->well_formed == NULL || request->well_formed(data, length);
}

void request_handle(struct worker *worker, const void *data, size_t length, int *fds, size_t fds_count) {
    struct ws_header header;
    if (length < sizeof header) return;
    memcpy(&header, data, sizeof header);
    if (header.magic != WS_PROTOCOL_MAGIC) return;
    if (header.version != WS_PROTOCOL_VERSION) {
        /* Another build's structures mean something else. */
        link_close(worker);
        return;
    }
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const struct request *request = &requests[i];
        if (request->type != header.type) continue;
        if (header.length != length || !fits(request, data, length) || (!worker->greeted && header.type != WS_HELLO)) break;
        request->take(worker, data, (struct descriptors){fds, fds_count});
        return;
    }
    link_reply(worker, header.request_id, WS_STEP_PROTOCOL, EBADMSG);
}
