#include "index.h"

#include <stdbool.h>
#include <stdlib.h>

int index_make(struct index *index, uint32_t capacity) {
    uint32_t size = 16;
    while (size < 2 * capacity) size *= 2;
    index->mask = size - 1;
    index->entries = calloc(size, sizeof *index->entries);
    return index->entries == NULL ? -1 : 0;
}

/* Ids are counted up by whoever gives them; multiplying spreads neighbours over the table. */
static uint32_t home_of(const struct index *index, struct index_key key) {
    return (uint32_t)(((key.id ^ (uint64_t)key.generation << 40) * 0x9E3779B97F4A7C15ull) >> 32) & index->mask;
}

static bool equal(struct index_key one, struct index_key other) {
    return one.id == other.id && one.generation == other.generation;
}

/* Where the key is, or the empty place where it would go. */
static uint32_t place_of(const struct index *index, struct index_key key) {
    uint32_t place = home_of(index, key);
    while (index->entries[place].slot_plus_one != 0 && !equal(index->entries[place].key, key)) place = (place + 1) & index->mask;
    return place;
}

uint32_t index_find(const struct index *index, struct index_key key) {
    return index->entries[place_of(index, key)].slot_plus_one - 1; /* empty: 0 - 1 is INDEX_NONE */
}

void index_add(struct index *index, struct index_key key, uint32_t slot) {
    index->entries[place_of(index, key)] = (struct index_entry){.key = key, .slot_plus_one = slot + 1};
}

void index_remove(struct index *index, struct index_key key) {
    uint32_t hole = place_of(index, key);
    if (index->entries[hole].slot_plus_one == 0) return;
    for (uint32_t next = (hole + 1) & index->mask; index->entries[next].slot_plus_one != 0; next = (next + 1) & index->mask) {
        /* It may move back only if that does not take it before its home. */
        uint32_t home = home_of(index, index->entries[next].key);
        if (((next - home) & index->mask) < ((next - hole) & index->mask)) continue;
        index->entries[hole] = index->entries[next];
        hole = next;
    }
    index->entries[hole].slot_plus_one = 0;
}
