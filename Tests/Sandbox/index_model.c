/* The launcher's index against a plain list, for a long random run; exits with the number of the first step that differs. */
#include <stdio.h>
#include <stdlib.h>

#include "index.h"

#define SLOTS 200u
#define STEPS 400000u

static struct {
    struct index_key key;
    int present;
} model[SLOTS];

int main(int count, char **arguments) {
    struct index index;
    unsigned seed = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 1;
    if (index_make(&index, SLOTS) < 0) return 2;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned slot = (unsigned)rand_r(&seed) % SLOTS;
        if (model[slot].present) {
            index_remove(&index, model[slot].key);
        } else {
            /* Keys of few different values, so that many meet; unique because the slot is part of them. */
            model[slot].key = (struct index_key){.id = (uint64_t)(rand_r(&seed) % 8) * SLOTS + slot,
                                                 .generation = (uint32_t)(rand_r(&seed) % 3)};
            index_add(&index, model[slot].key, slot);
        }
        model[slot].present = !model[slot].present;
        unsigned looked_at = (unsigned)rand_r(&seed) % SLOTS;
        uint32_t found = index_find(&index, model[looked_at].key);
        if (found != (model[looked_at].present ? looked_at : INDEX_NONE)) {
            fprintf(stderr, "step %u: slot %u was found as %u\n", step, looked_at, found);
            return 1;
        }
    }
    return 0;
}
