/* A container's shell is what it is made of before anything runs in it: an init, namespaces, a cgroup. Making one and taking it down
 * costs more than the runtime process, so a container that ends alone leaves its shell to the next container of its instance:
 *
 *     READY ──kill, and one task is in its cgroup: the runtime──► CLEARING: that one is killed
 *     CLEARING ──reaped, and the cgroup is empty──► BLANK: counters at zero; the instance's init takes the mounts away
 *     BLANK ──the init has answered──► BLANK, ready
 *
 * All processes of a container are in its cgroup and cannot leave it, and one counts until it has been waited for: an empty cgroup means
 * that nothing runs in the namespaces but their init. Whatever differs (other processes, a container that ended by itself or for want of
 * memory, memory that stays charged, no cgroups) is the end of the shell too.
 * A shell never leaves its instance, so never its account. Of the last container, the next can find higher process numbers, a network's
 * counters and closing connections where it has one of its own, and up to a period of 100 ms in which its quota is used up already. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "init_wire.h"
#include "wayside_socket.h"
#include "worker.h"

static bool has_room(const struct worker *worker, const struct instance *instance) {
    return instance->blanks < SHELLS_MAX && worker->blanks < worker->options->instances_max;
}

static bool may_leave_shell(const struct worker *worker, const struct container *container) {
    const struct instance *instance = container->instance;
    if (container->state != CONTAINER_READY || container->pid == 0 || container->parked != NULL) return false;
    if (container->narrowing.learn != 0 || container->init_pidfd < 0) return false;
    if (instance->state != INSTANCE_LIVE || instance->kept || instance->link_generation != worker->link_generation) return false;
    return has_room(worker, instance);
}

bool shell_clear(struct worker *worker, struct container *container) {
    if (!may_leave_shell(worker, container) || ws_cgroup_tasks(&worker->host.cgroups, container->cgroup) != 1) return false;
    container->state = CONTAINER_CLEARING;
    /* Not reaped, so the number is still its own. */
    kill(container->pid, SIGKILL);
    ws_cgroup_thaw_killed(&worker->host.cgroups, container->cgroup);
    container->deadline_ms = wake_at(worker, now_ms() + THAW_RETRY_MS);
    return true;
}

/* System V objects outlive their processes; only they do (message queues of POSIX are limited to none). */
static bool has_objects(void) {
    struct shm_info memory;
    struct seminfo semaphores;
    struct msginfo messages;
    if (shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&memory) < 0 || semctl(0, 0, SEM_INFO, &semaphores) < 0 ||
        msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&messages) < 0)
        return true;
    return memory.used_ids != 0 || semaphores.semusz != 0 || messages.msgpool != 0;
}

static bool left_objects(const struct worker *worker, int init_pidfd) {
    if (setns(init_pidfd, CLONE_NEWIPC) < 0) return true;
    bool found = has_objects();
    if (setns(worker->own_objects, CLONE_NEWIPC) < 0) _exit(71); /* what we look at next would be a sandbox's */
    return found;
}

static int order_mounts(const struct container *container) {
    const struct init_order order = {.token = container->token, .tmp_bytes = container->tmp_bytes};
    return ws_socket_send(container->instance->control, &order, sizeof order, &container->init_pidfd, 1) < 0 ? -1 : 0;
}

bool shell_keep(struct worker *worker, struct container *container) {
    const struct instance *instance = container->instance;
    struct ws_cgroup_usage usage;
    if (instance->state != INSTANCE_LIVE || instance->link_generation != worker->link_generation) return false;
    /* Others may have been killed at the same time. */
    if (!has_room(worker, instance)) return false;
    ws_cgroup_usage(&worker->host.cgroups, container->cgroup, &usage);
    if (usage.out_of_memory_kills > 0 || left_objects(worker, container->init_pidfd)) return false;
    if (ws_cgroup_renew(&worker->host.cgroups, container->cgroup) < 0) return false;
    container_send_exit(worker, container, &usage);
    (void)instance_weigh(worker, container, 0);
    network_leave(container);
    index_remove(&worker->containers_by_id, (struct index_key){.id = container->id, .generation = instance->link_generation});
    worker->containers_used--;
    const struct container shell = *container;
    container_be_blank(worker, container);
    container_to_front(container);
    container->init_pidfd = shell.init_pidfd;
    if (worker->host.cgroups.version == 1) container->limits = shell.limits;
    memcpy(container->cgroup, shell.cgroup, sizeof container->cgroup);
    container->init_expected = true;
    if (watch_as(worker, container->init_pidfd, EVENT_INIT, container->token) < 0 || order_mounts(container) < 0) {
        container->init_expected = false;
        container_fail(worker, container, WS_STEP_RENEW, errno);
    }
    return true;
}
