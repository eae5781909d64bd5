/* What a process gives up for good: capabilities, file-system and network reach (Landlock); ws_seccomp.h has the rest. */
#ifndef WS_PRIVILEGES_H
#define WS_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Empties the bounding and ambient sets and locks the rule "uid 0 has capabilities" off. Needs CAP_SETPCAP. */
int ws_capabilities_bound(void);

/* Empties permitted, effective and inheritable, then reads all sets back: -1 with EPERM when anything is left. */
int ws_capabilities_drop(void);

/* The same without looking at the bounding set: for processes that never execute a program. */
int ws_capabilities_drop_current(void);

int ws_no_new_privileges(void);

/* The kernel's Landlock version; 0 when it has none or it is off. */
uint32_t ws_landlock_abi(void);

/* TCP ports of 127.0.0.1 that a container may use; 0 = none. Plain numbers: sent to zygotes as they are. */
struct ws_tcp_reach {
    uint32_t api_port;    /* the Runtime API: connect */
    uint32_t egress_port; /* the proxy: connect */
    uint32_t web_port;    /* a web server of the function's own: listen and connect */
};

/* Confines the calling thread: read and execute below /, write below /tmp and to the devices, no TCP but `reach`, signals and
 * abstract sockets only inside. What the ABI lacks is left out. */
int ws_landlock_restrict(uint32_t abi, const struct ws_tcp_reach *reach);

/* The same as text: "abi N", then one "path rights", "tcp bind|connect PORT" or "scope what" line each. */
void ws_landlock_describe(uint32_t abi, const struct ws_tcp_reach *reach, FILE *report);

#endif
