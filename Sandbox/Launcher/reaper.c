/* Ends of the worker's children: inits of instances, runtime processes, zygotes. */
#include <sys/wait.h>

#include "worker.h"

static bool give_to_container(struct worker *worker, pid_t pid, int wait_status) {
    const struct index_key key = {.id = (uint64_t)pid};
    uint32_t slot = index_find(&worker->containers_by_pid, key);
    if (slot == INDEX_NONE) return false;
    index_remove(&worker->containers_by_pid, key);
    container_reaped(worker, &worker->containers[slot], wait_status);
    return true;
}

static bool give_to_instance(struct worker *worker, pid_t pid) {
    for (uint32_t i = 0; i < worker->options->instances_max; i++) {
        struct instance *instance = &worker->instances[i];
        if (instance->state == INSTANCE_FREE || instance->pid != pid) continue;
        instance_reaped(worker, instance);
        return true;
    }
    return false;
}

static bool give_to_zygote(struct worker *worker, pid_t pid, int wait_status) {
    for (uint32_t i = 0; i < worker->options->runtimes_count; i++) {
        if (worker->zygotes[i].pid != pid) continue;
        zygote_reaped(worker, &worker->zygotes[i], wait_status);
        return true;
    }
    return false;
}

void reap_children(struct worker *worker) {
    int wait_status;
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        if (give_to_container(worker, pid, wait_status) || give_to_instance(worker, pid) ||
            give_to_zygote(worker, pid, wait_status))
            continue;
        uint32_t slot = worker->unclaimed_next++ % UNCLAIMED_MAX;
        worker->unclaimed[slot].pid = pid;
        worker->unclaimed[slot].wait_status = wait_status;
    }
}

bool claim_exit(struct worker *worker, pid_t pid, int *wait_status) {
    for (uint32_t i = 0; i < UNCLAIMED_MAX; i++) {
        if (worker->unclaimed[i].pid != pid) continue;
        *wait_status = worker->unclaimed[i].wait_status;
        worker->unclaimed[i].pid = 0;
        return true;
    }
    return false;
}
