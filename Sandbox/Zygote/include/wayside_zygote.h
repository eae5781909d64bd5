/* libwayside-zygote: what a booted interpreter calls (Python: ctypes.PyDLL) to be forked into containers.
 *
 *     (boot, with ws_zygote_arena_allocate);  ws_zygote_gather();  ws_zygote_ready(control)
 *     while ws_zygote_receive(control) == 0:
 *         PyOS_BeforeFork(); pid = ws_zygote_fork()
 *         if pid == 0:  PyOS_AfterFork_Child(); if ws_zygote_enter() != 0: _exit(70); serve fd 3
 *         else:         PyOS_AfterFork_Parent(); ws_zygote_reply(control, pid)
 *
 * The caller must be single-threaded: a thread would keep the kernel from joining a user namespace (setns(2)), and its
 * locks would stay locked in the child. `control` is the number in the environment variable WAYSIDE_ZYGOTE_FD. */
#ifndef WAYSIDE_ZYGOTE_H
#define WAYSIDE_ZYGOTE_H

#include <stddef.h>

/* An allocator of what the interpreter keeps its small objects in (Python: PyObject_SetArenaAllocator): `size` bytes, or NULL. */
void *ws_zygote_arena_allocate(void *context, size_t size);
void ws_zygote_arena_free(void *context, void *address, size_t size);

/* Once, before the first fork and after all that is to be shared was made: has forks copy less. */
void ws_zygote_gather(void);

/* Tells the worker that the interpreter is booted. 0, or -1 with errno. */
int ws_zygote_ready(int control_fd);

/* Blocks for the next order. 0: one is there; -1: the worker is gone, the zygote ends. */
int ws_zygote_receive(int control_fd);

/* Like fork(2), into the container's PID namespace and as a child of the worker: 0, the child's pid, or -1 with errno. */
int ws_zygote_fork(void);

/* In the child: joins the container and gives up every privilege. 0; or -1 after the failing step was reported. */
int ws_zygote_enter(void);

/* In the parent: answers the order with the child's pid, or with -errno. Closes the order's descriptors. */
int ws_zygote_reply(int control_fd, int pid);

#endif
