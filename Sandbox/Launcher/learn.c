/* WS_START_LEARN: which system calls a container makes.
 *
 *     process                                           worker
 *     writes the listener's number to the status pipe ─► learn_begin
 *     installs its filter, stops at its next call        learn_retry, every ms: takes the listener out of the process
 *     each call stops it                               ─► learn_readable: notes the number, lets it go on
 *     ends                                               learn_report, just before the exit is announced */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "worker.h"
#include "ws_cleanup.h"

void learn_begin(struct worker *worker, struct container *container, int number) {
    container->learning.number = number;
    learn_retry(worker, container);
}

/* The time that all this may take is the start's own (STEP_TIMEOUT_MS), whose end ends the container. */
void learn_retry(struct worker *worker, struct container *container) {
    container->learning.retry_at_ms = NEVER;
    if (container->learning.number < 0 || container->state != CONTAINER_STARTING) return;
    /* A zygote's child has written before the zygote has told us its pid. */
    if (container->pid != 0) container->learning.listener = ws_learn_take_listener(container->pid, container->learning.number);
    if (container->learning.listener < 0) {
        container->learning.retry_at_ms = wake_at(worker, now_ms() + LISTENER_RETRY_MS);
        return;
    }
    container->learning.number = -1;
    if (watch(worker, container->learning.listener, EVENT_LEARN, container->token) < 0)
        container_fail(worker, container, WS_STEP_SECCOMP, errno);
}

void learn_readable(struct worker *worker, struct container *container, uint32_t events) {
    if ((events & EPOLLIN) != 0) return ws_learn_next(container->learning.listener, &container->learning.seen);
    /* EPOLLHUP: nobody is left who could call. */
    epoll_forget(worker, container->learning.listener);
    ws_close_quietly(&container->learning.listener);
}

void learn_report(struct worker *worker, const struct container *container) {
    static struct {
        struct ws_container_syscalls head;
        char names[WS_SYSCALLS_MAX * WS_SYSCALL_NAME_MAX];
    } message;
    _Static_assert(sizeof message <= WS_MESSAGE_MAX, "the longest report is one message");
    message.head = (struct ws_container_syscalls){.container_id = container->id};
    size_t length = ws_learn_names(&container->learning.seen, message.names, sizeof message.names, &message.head.count);
    message.head.strings_length = (uint32_t)length;
    link_send(worker, &message, sizeof message.head + length, WS_CONTAINER_SYSCALLS, 0, NULL, 0);
}
