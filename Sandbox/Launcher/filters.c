/* The compiled filters: one for each family that has a runtime, one more where a zygote needs its own. */
#include <sys/mman.h>

#include "worker.h"
#include "ws_kernel.h"

static int keep_as_file(struct family_filters *filters) {
    const struct ws_filter *filter = &filters->runtime;
    const size_t bytes = filter->count * sizeof *filter->instructions;
    filters->runtime_file = memfd_create("wayside-filter", MFD_CLOEXEC);
    if (filters->runtime_file < 0) return -1;
    return write(filters->runtime_file, filter->instructions, bytes) == (ssize_t)bytes ? 0 : -1;
}

int filters_compile(struct worker *worker) {
    for (uint32_t i = 0; i < worker->options->runtimes_count; i++) {
        const struct runtime *runtime = &worker->options->runtimes[i];
        struct family_filters *filters = &worker->filters[runtime->family];
        if (filters->runtime.count == 0 && ws_filter_compile(runtime->family, false, &filters->runtime) < 0) return -1;
        if (runtime->kind != KIND_FORK || filters->zygote.count != 0) continue;
        if (ws_filter_compile(runtime->family, true, &filters->zygote) < 0 || keep_as_file(filters) < 0) return -1;
    }
    return 0;
}
