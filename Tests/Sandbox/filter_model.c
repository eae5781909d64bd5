/* The filters as seccomp_shorten.c makes them, run beside what libseccomp compiled: for all numbers, and arguments around every
 * constant. Exits with 0 when all answers are the same. */
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seccomp_model.h"
#include "seccomp_shorten.h"

static int keep_and_shorten(struct ws_filter *filter);
#define ws_filter_shorten keep_and_shorten
#include "seccomp.c"
#undef ws_filter_shorten
int ws_filter_shorten(struct ws_filter *filter);

enum { I386 = 0x40000003, X32_BIT = 0x40000000, TRIES = 500, TRIES_OF_THE_UNKNOWN = 4 };

static struct ws_filter original;
static unsigned seed = 1;

static int keep_and_shorten(struct ws_filter *filter) {
    const size_t bytes = filter->count * sizeof *filter->instructions;
    original = (struct ws_filter){malloc(bytes), filter->count};
    if (original.instructions == NULL) return -1;
    memcpy(original.instructions, filter->instructions, bytes);
    return ws_filter_shorten(filter);
}

/* A constant of the program or its neighbour, or a small number; with stray high bits now and then. */
static uint64_t argument(void) {
    uint64_t constant = original.instructions[(unsigned)rand_r(&seed) % original.count].k;
    uint64_t low = rand_r(&seed) % 3 == 0 ? (uint64_t)(rand_r(&seed) % 64) : constant + (uint64_t)(rand_r(&seed) % 3) - 1;
    return rand_r(&seed) % 4 == 0 ? low | (uint64_t)rand_r(&seed) << 32 : low & UINT32_MAX;
}

static uint32_t answer(const struct ws_filter *filter, const struct seccomp_data *data) {
    return seccomp_model_answer(filter->instructions, filter->count, data);
}

static void compare(const struct ws_filter *filter, uint32_t arch, uint32_t number, unsigned tries) {
    for (unsigned i = 0; i < tries; i++) {
        struct seccomp_data data = {.nr = (int)number, .arch = arch};
        for (size_t j = 0; j < 6; j++) data.args[j] = argument();
        if (answer(filter, &data) == answer(&original, &data)) continue;
        fprintf(stderr, "call %u of architecture %x is answered differently\n", number, arch);
        exit(1);
    }
}

int main(void) {
    for (unsigned kind = 0; kind < 2 * WS_FAMILY_COUNT; kind++) {
        struct ws_filter filter;
        if (ws_filter_compile((enum ws_family)(kind / 2), kind % 2 != 0, &filter) < 0) return 4;
        for (uint32_t number = 0; number < WS_SYSCALLS_MAX; number++) compare(&filter, seccomp_arch_native(), number, TRIES);
        for (uint32_t offset = 0; offset < 2 * WS_SYSCALLS_MAX; offset++) {
            compare(&filter, seccomp_arch_native(), X32_BIT - WS_SYSCALLS_MAX + offset, TRIES_OF_THE_UNKNOWN);
            compare(&filter, seccomp_arch_native(), UINT32_MAX - offset, TRIES_OF_THE_UNKNOWN);
            compare(&filter, I386, offset, TRIES_OF_THE_UNKNOWN);
        }
        if (filter.count * 3 > original.count * 2) {
            fprintf(stderr, "%u instructions of %u are left\n", filter.count, original.count);
            return 5;
        }
    }
    return 0;
}
