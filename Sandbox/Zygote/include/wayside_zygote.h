/* libwayside-zygote: what a booted interpreter calls (Python: ctypes.PyDLL) to be forked into containers.
 *
 *     (boot, with the library in LD_PRELOAD: arenas.c);  ws_zygote_gather();  PyOS_BeforeFork()
 *     ws_zygote_ready(control);  if ws_zygote_serve(control, PyOS_AfterFork_Child) != 0: _exit(0);  serve fd 3
 *
 * The caller must be single-threaded: a thread would keep the kernel from joining a user namespace (setns(2)), and its
 * locks would stay locked in the child. `control` is the number in the environment variable WAYSIDE_ZYGOTE_FD. */
#ifndef WAYSIDE_ZYGOTE_H
#define WAYSIDE_ZYGOTE_H

/* Once, before the first fork and after all that is to be shared was made: has forks copy less. */
void ws_zygote_gather(void);

/* Tells the worker that the interpreter is booted. 0, or -1 with errno. */
int ws_zygote_ready(int control_fd);

/* For each order of the worker, a fork into the container's PID namespace and as a child of the worker. The zygote stays in here, so
 * that it writes to nothing of the interpreter's, which each fork would share again. Returns 0 in a child: `forked` was called in it,
 * and then it has joined its container and given up every privilege; one that cannot do that reports the failing step and ends.
 * Returns -1 in the zygote when the worker is gone. */
int ws_zygote_serve(int control_fd, void (*forked)(void));

#endif
