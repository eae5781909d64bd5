/* What every target shares. A target is one libFuzzer entry that feeds a real parser, and definitions of what lies below that
 * parser which check what the code there relies on. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Ends the run, with the sentence that did not hold. */
#define CHECK(condition, sentence)                                                                                     \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, sentence);                              \
            __builtin_trap();                                                                                          \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

/* The input, taken piece by piece from its front; what is missing reads as zero. */
struct source {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t take_byte(struct source *source) {
    if (source->size == 0) return 0;
    source->size--;
    return *source->data++;
}

static inline size_t take_length(struct source *source) {
    size_t length = take_byte(source);
    length |= (size_t)take_byte(source) << 8;
    return length < source->size ? length : source->size;
}

#endif
