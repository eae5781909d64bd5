#ifndef CORE_SECCOMP_SHORTEN_H
#define CORE_SECCOMP_SHORTEN_H

#include "ws_seccomp.h"

/* Makes a compiled filter shorter, with the same answers; one that is not understood stays as it is. -1: out of memory. */
int ws_filter_shorten(struct ws_filter *filter);

#endif
