/* Containers that outlive the connection they were started over, so that a daemon can be restarted around them.
 *
 *     READY ──PARK──► READY, parked ──the connection ends──► kept ──ADOPT──► READY, the next connection's
 *                         └──its time is over, killed, died by itself──► ENDING
 *
 * Their descriptors come back with PARK and wait in the places they once left from; nothing is held twice while a daemon has them. An
 * instance is kept as long as one of its containers is parked: the instance's processes are few and its account is theirs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"
#include "ws_cleanup.h"

_Static_assert(sizeof(struct ws_adopted) + WS_LABEL_MAX <= WS_MESSAGE_MAX, "a label fits");

/* What a container's start can have brought, and the connection that waits. */
#define PARKABLE                                                                                                       \
    (WS_DESCRIPTOR_CHANNEL | WS_DESCRIPTOR_LOG | WS_DESCRIPTOR_MEMORY | WS_DESCRIPTOR_CPU | WS_DESCRIPTOR_FREEZER |     \
     WS_DESCRIPTOR_EGRESS | WS_DESCRIPTOR_CONNECTION)

static int why_not(const struct container *container, uint32_t descriptors, size_t fds_count) {
    const uint32_t needed = WS_DESCRIPTOR_CHANNEL | WS_DESCRIPTOR_LOG;
    if (container->parked != NULL) return EALREADY;
    if (container->state != CONTAINER_READY || container->pid == 0 || !container->assigned) return EBUSY;
    if (container->narrowing.learn != 0 || container->instance->state != INSTANCE_LIVE) return EBUSY;
    if ((descriptors & needed) != needed || (descriptors & ~(uint32_t)PARKABLE) != 0) return EINVAL;
    return (size_t)__builtin_popcount(descriptors) == fds_count ? 0 : EINVAL;
}

void park_container(struct worker *worker, const struct ws_container_park *message, int *fds, size_t fds_count) {
    struct container *container = container_find(worker, message->container_id);
    if (container == NULL) return link_reply(worker, message->header.request_id, WS_STEP_UNKNOWN_CONTAINER, ESRCH);
    int error = why_not(container, message->descriptors, fds_count);
    struct ws_container_park *copy = error == 0 ? malloc(sizeof *message + message->label_length) : NULL;
    if (copy == NULL) return link_reply(worker, message->header.request_id, WS_STEP_PARK, error == 0 ? ENOMEM : error);
    memcpy(copy, message, sizeof *message + message->label_length);
    container->parked = copy;
    worker->parked_count++;
    for (uint32_t slot = 0, next = 0; slot < REPLY_SLOTS; slot++)
        if ((message->descriptors >> slot & 1) != 0) container->reply_fds[slot] = ws_release(&fds[next++]);
    container->deadline_ms = wake_at(worker, now_ms() + (uint64_t)message->seconds * 1000);
    link_reply(worker, message->header.request_id, WS_STEP_NONE, 0);
}

void park_forget(struct worker *worker, struct container *container) {
    if (container->parked == NULL) return;
    free(container->parked);
    container->parked = NULL;
    worker->parked_count--;
}

static bool holds_parked(const struct instance *instance) {
    const struct container *container = instance->first;
    while (container != NULL && container->parked == NULL) container = container->next;
    return container != NULL;
}

void park_abandon(struct worker *worker, struct instance *instance) {
    if (instance->state != INSTANCE_LIVE || !holds_parked(instance)) return instance_kill(worker, instance);
    instance->kept = true;
    for (struct container *container = instance->first, *next; container != NULL; container = next) {
        next = container->next; /* killing may free it */
        if (container->parked == NULL && container->state != CONTAINER_BLANK) container_kill(worker, container);
    }
}

void park_check(struct worker *worker, struct instance *instance) {
    if (instance->kept && !holds_parked(instance)) instance_kill(worker, instance);
}

uint64_t park_number_max(const struct worker *worker) {
    uint64_t most = 0;
    for (uint32_t i = 0; worker->parked_count > 0 && i < worker->container_slots; i++) {
        const struct container *container = &worker->containers[i];
        if (container->state == CONTAINER_FREE || container->parked == NULL) continue;
        if (container->id > most) most = container->id;
        if (container->instance->id > most) most = container->instance->id;
    }
    return most;
}

/* True when no other instance or container of the present connection has one of the numbers. */
static bool numbers_are_free(struct worker *worker, const struct instance *instance) {
    if (instance_find(worker, instance->id) != NULL) return false;
    for (const struct container *container = instance->first; container != NULL; container = container->next)
        if (container->id != 0 && container_find(worker, container->id) != NULL) return false;
    return true;
}

static void move(struct index *index, uint64_t id, uint32_t from, uint32_t to, uint32_t slot) {
    index_remove(index, (struct index_key){.id = id, .generation = from});
    index_add(index, (struct index_key){.id = id, .generation = to}, slot);
}

/* The instance and all in it are the present connection's; also what is parked in it still, or just ending. */
static void take_over(struct worker *worker, struct instance *instance) {
    const uint32_t from = instance->link_generation, to = worker->link_generation;
    move(&worker->instances_by_id, instance->id, from, to, (uint32_t)(instance - worker->instances));
    for (const struct container *container = instance->first; container != NULL; container = container->next)
        if (container->id != 0) move(&worker->containers_by_id, container->id, from, to, (uint32_t)(container - worker->containers));
    instance->link_generation = to;
    instance->kept = false;
}

static void give(struct worker *worker, struct container *container, uint64_t request_id) {
    static char message[sizeof(struct ws_adopted) + WS_LABEL_MAX];
    const struct ws_container_park *parked = container->parked;
    struct ws_adopted adopted = {
        .instance_id = container->instance->id,
        .container_id = container->id,
        .process_id = (uint32_t)worker_host_pid(&worker->views, container->pid),
        .descriptors = parked->descriptors,
        .state = parked->state,
        .label_length = parked->label_length,
    };
    memcpy(adopted.runtime, container->runtime->name, sizeof adopted.runtime);
    memcpy(message, &adopted, sizeof adopted);
    memcpy(message + sizeof adopted, parked + 1, parked->label_length);
    size_t length = sizeof adopted + parked->label_length, count = 0;
    int fds[REPLY_SLOTS];
    for (uint32_t slot = 0; slot < REPLY_SLOTS; slot++)
        if (container->reply_fds[slot] >= 0) fds[count++] = ws_release(&container->reply_fds[slot]);
    park_forget(worker, container);
    container->deadline_ms = NEVER;
    link_send(worker, message, length, WS_ADOPTED, request_id, fds, count);
}

void park_adopt(struct worker *worker, uint64_t request_id) {
    for (uint32_t i = 0; worker->parked_count > 0 && i < worker->container_slots; i++) {
        struct container *container = &worker->containers[i];
        if (container->state == CONTAINER_FREE || container->parked == NULL) continue;
        struct instance *instance = container->instance;
        if (instance->link_generation == worker->link_generation) return give(worker, container, request_id);
        if (numbers_are_free(worker, instance)) {
            take_over(worker, instance);
            return give(worker, container, request_id);
        }
        /* Whoever gives its numbers away a second time cannot have it back. */
        instance_kill(worker, instance);
    }
    struct ws_adopted none = {.instance_id = 0};
    link_send(worker, &none, sizeof none, WS_ADOPTED, request_id, NULL, 0);
}
