/* wayside-launcher: starts functions in sandboxes on behalf of `wayside serve`. See Sandbox/README.md. */
#include <sys/resource.h>

#include "options.h"
#include "supervisor.h"

/* Descriptors in flight between processes are counted against this limit too, for all of one host user together; unix(7). */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **arguments) {
    struct options options;
    raise_descriptor_limit();
    return options_parse(&options, count, arguments) ? supervisor_run(&options) : 2;
}
