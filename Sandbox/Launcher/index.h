/* A hash table of slots, so that finding one takes as long among thousands as among few: open addressing, linear probing, removal by
 * moving back what follows (D. Knuth, TAOCP 3, 6.4, algorithm R). Its room is given once and is never more than half used. */
#ifndef LAUNCHER_INDEX_H
#define LAUNCHER_INDEX_H

#include <stdint.h>

struct index_key {
    uint64_t id;
    uint32_t generation; /* of the link the id came over; ids of different links may be equal */
};

struct index_entry {
    struct index_key key;
    uint32_t slot_plus_one; /* 0: empty */
};

struct index {
    struct index_entry *entries;
    uint32_t mask;
};

#define INDEX_NONE UINT32_MAX

/* Room for `capacity` slots; -1 without memory. */
int index_make(struct index *index, uint32_t capacity);

/* The slot, or INDEX_NONE. */
uint32_t index_find(const struct index *index, struct index_key key);

/* Adds a slot under a key that is not there yet. */
void index_add(struct index *index, struct index_key key, uint32_t slot);

/* Nothing if it is not there. */
void index_remove(struct index *index, struct index_key key);

#endif
