/* User-namespace maps and the network of a namespace that has nothing but loopback. */
#ifndef WS_NAMESPACES_H
#define WS_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The user every function runs as, the one Lambda uses; "sbx_user1051" in /etc/passwd of the sandbox. */
#define WS_USER_ID 1051u
/* Ids of one instance: 0 and WS_USER_ID are used, the rest are for programs that drop to "nobody" and the like. */
#define WS_IDS_PER_INSTANCE 2048u

/* Writes uid_map and gid_map of `process`: `count` ids from `inside` on become those from `outside` on.
 * `proc` is a descriptor of a procfs that shows the process. A single id needs no privilege, and forbids setgroups(2). */
int ws_write_id_maps(int proc, pid_t process, uint32_t inside, uint32_t outside, uint32_t count, bool privileged);

/* Sets the loopback interface of the current network namespace up; a new one starts with it down. */
int ws_loopback_up(void);

/* A non-blocking socket that listens on 127.0.0.1:`port` of the current network namespace. */
int ws_listen_on_loopback(uint16_t port);

#endif
