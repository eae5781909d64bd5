/* What is made ahead of any request, while nothing starts: network namespaces, blank instances, and one blank container in each
 * instance that has had one. Blank means namespaces, mounts, cgroups and an init, but no account, no function and no user code.
 *
 *   a start is asked for or under way ──► wait until REFILL_AFTER_MS after the last ──► one thing at a time, REFILL_EVERY_MS apart
 *
 * A request finds the stock or makes what it needs itself, the same way; so the stock only moves the work. Under a storm it stays
 * empty and costs nothing. */
#include "worker.h"

void stock_disturb(struct worker *worker) { worker->refill_at_ms = wake_at(worker, now_ms() + REFILL_AFTER_MS); }

static bool is_starting(const struct worker *worker) {
    for (uint32_t i = 0; i < worker->options->instances_max; i++)
        if (worker->instances[i].state == INSTANCE_STARTING) return true;
    for (uint32_t i = 0; i < worker->container_slots; i++) {
        const struct container *container = &worker->containers[i];
        if (container->state == CONTAINER_PREPARING || container->state == CONTAINER_STARTING) return true;
        if (container->state == CONTAINER_BLANK && container->init_expected) return true;
    }
    return false;
}

/* The next thing that is missing; false when nothing is, or it could not be made. */
static bool refill_one(struct worker *worker) {
    if (network_refill(worker)) return true;
    /* Shells and stock have as many places as there may be instances. */
    if (worker->blanks >= worker->options->instances_max) return false;
    for (uint32_t i = 0; i < worker->options->instances_max; i++) {
        struct instance *instance = &worker->instances[i];
        struct container *container;
        if (instance->state == INSTANCE_LIVE && instance->wants_blank && instance->blanks == 0 &&
            container_make_blank(worker, instance, &container) == WS_STEP_NONE)
            return true;
    }
    uint32_t blank = 0;
    for (uint32_t i = 0; i < worker->options->instances_max; i++) blank += worker->instances[i].state == INSTANCE_BLANK;
    return blank < worker->options->blank_instances && instance_make_blank(worker);
}

void stock_refill(struct worker *worker) {
    uint64_t now = now_ms();
    if (worker->refill_at_ms > now) {
        if (worker->refill_at_ms != NEVER) wake_at(worker, worker->refill_at_ms);
        return;
    }
    if (is_starting(worker))
        worker->refill_at_ms = wake_at(worker, now + REFILL_AFTER_MS);
    else
        worker->refill_at_ms = refill_one(worker) ? wake_at(worker, now + REFILL_EVERY_MS) : NEVER;
}
