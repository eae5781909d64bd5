/* What this launcher, on this host, cannot enforce: printed at start and at the end of every report. */
#ifndef LAUNCHER_UNENFORCED_H
#define LAUNCHER_UNENFORCED_H

#include <stdbool.h>
#include <stdio.h>

#include "ws_cgroup.h"

/* One sentence a line, each after `prefix`. */
void unenforced_print(bool privileged, const struct ws_cgroups *cgroups, const char *prefix, FILE *to);

#endif
