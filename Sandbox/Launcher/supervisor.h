/* The outer process: holds what only real root can do, and does nothing else with it. */
#ifndef LAUNCHER_SUPERVISOR_H
#define LAUNCHER_SUPERVISOR_H

#include "options.h"

/* Runs until SIGTERM or SIGINT; returns the exit status. */
int supervisor_run(const struct options *options);

#endif
