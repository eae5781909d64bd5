/* What a process gives up for good: capabilities, file-system and network reach (Landlock), system calls (seccomp). */
#ifndef WS_PRIVILEGES_H
#define WS_PRIVILEGES_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* Empties the bounding and ambient sets and locks the rule "uid 0 has capabilities" off. Needs CAP_SETPCAP. */
int ws_capabilities_bound(void);

/* Empties permitted, effective and inheritable, then reads all sets back: -1 with EPERM when anything is left. */
int ws_capabilities_drop(void);

/* The same without looking at the bounding set: for processes that never execute a program. */
int ws_capabilities_drop_current(void);

int ws_no_new_privileges(void);

/* The kernel's Landlock version; 0 when it has none or it is off. */
uint32_t ws_landlock_abi(void);

/* Confines the calling thread: read and execute below /, write below /tmp and to the devices, no TCP except connecting to
 * 127.0.0.1:`api_port` (0: none), signals and abstract sockets only inside. What the ABI lacks is left out. */
int ws_landlock_restrict(uint32_t abi, uint16_t api_port);

struct ws_filter {
    struct sock_filter *instructions;
    unsigned short count;
};

/* Compiles seccomp_rules.def; the caller frees `instructions`. */
int ws_filter_compile(struct ws_filter *filter);

/* Installs a compiled filter in the calling thread. Needs no_new_privs. */
int ws_filter_install(const struct ws_filter *filter);

/* The filter of the inits: they may wait, and end. */
int ws_filter_install_for_init(void);

#endif
