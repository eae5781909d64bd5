#include <errno.h>
#include <linux/securebits.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "ws_privileges.h"

int ws_capabilities_bound(void) {
    /* The kernel may know more capabilities than this libcap: go on until it says there are no more. */
    int capability = 0;
    while (cap_drop_bound(capability) == 0) capability++;
    if (capability == 0 || errno != EINVAL) return -1;
    /* cap_reset_ambient(3) asks for each capability first; one call clears them all. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                        SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
}

int ws_capabilities_drop_current(void) {
    cap_t none = cap_init();
    if (none == NULL) return -1;
    int result = cap_set_proc(none);
    cap_free(none);
    return result;
}

/* Half-dropped privilege is worse than a failure: the sets are read back and compared with empty ones. */
static int verify_nothing_left(void) {
    cap_t none = cap_init(), now = cap_get_proc();
    bool equal = none != NULL && now != NULL && cap_compare(none, now) == 0;
    cap_free(none);
    cap_free(now);
    for (int capability = 0, bound; equal && (bound = cap_get_bound(capability)) >= 0; capability++) equal = bound == 0;
    if (equal) return 0;
    errno = EPERM;
    return -1;
}

int ws_capabilities_drop(void) { return ws_capabilities_drop_current() < 0 ? -1 : verify_nothing_left(); }

int ws_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
