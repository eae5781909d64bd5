/* What a filter's program answers to a call, as seccomp(2) says that the kernel runs it. What no kernel would take ends the process. */
#ifndef SECCOMP_MODEL_H
#define SECCOMP_MODEL_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Attributes of these functions, for who runs them very often. */
#ifndef SECCOMP_MODEL
#define SECCOMP_MODEL
#endif

SECCOMP_MODEL static uint32_t seccomp_model_load(const struct seccomp_data *data, uint32_t offset) {
    uint32_t word;
    if (offset % 4 != 0 || offset + sizeof word > sizeof *data) abort();
    memcpy(&word, (const char *)data + offset, sizeof word);
    return word;
}

SECCOMP_MODEL static bool seccomp_model_jumps(const struct sock_filter *instruction, uint32_t value) {
    switch (BPF_OP(instruction->code)) {
    case BPF_JEQ: return value == instruction->k;
    case BPF_JGT: return value > instruction->k;
    case BPF_JGE: return value >= instruction->k;
    case BPF_JSET: return (value & instruction->k) != 0;
    default: abort(); /* a comparison that is not known here */
    }
}

/* Jumps lead forward, so it ends. */
SECCOMP_MODEL static uint32_t seccomp_model_answer(const struct sock_filter *program, uint32_t count, const struct seccomp_data *data) {
    uint32_t value = 0;
    for (uint64_t next = 0; next < count;) {
        const struct sock_filter *instruction = &program[next++];
        switch (BPF_CLASS(instruction->code)) {
        case BPF_LD: value = seccomp_model_load(data, instruction->k); break;
        case BPF_ALU: value &= instruction->k; break;
        case BPF_JMP:
            if (BPF_OP(instruction->code) == BPF_JA)
                next += instruction->k;
            else
                next += seccomp_model_jumps(instruction, value) ? instruction->jt : instruction->jf;
            break;
        case BPF_RET: return instruction->k;
        default: abort(); /* an instruction that is not known here */
        }
    }
    abort(); /* no way may lead out of the program but an answer */
}

#endif
