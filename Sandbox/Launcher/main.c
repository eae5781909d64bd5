/* wayside-launcher: starts functions in sandboxes on behalf of `wayside serve`. See Sandbox/README.md. */
#include "options.h"
#include "supervisor.h"

int main(int count, char **arguments) {
    struct options options;
    return options_parse(&options, count, arguments) ? supervisor_run(&options) : 2;
}
