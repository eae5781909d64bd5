/* A shorter program with the same answers. Each start of a runtime has the kernel check and translate its filter, which takes as long
 * as the filter is. libseccomp answers number by number; here neighbours with one answer are one range:
 *
 *     architecture and number are looked at, as in the original
 *     a binary tree over ranges of numbers leads to an answer, or to conditions on arguments
 *     the answers, each once
 *     the conditions, copied from the original in their order
 *
 * Where a number leads is found by following the original, not by knowing how libseccomp writes it. Comparisons of numbers cut all
 * numbers into ranges; within one of them the original takes one way. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "seccomp_shorten.h"

#define RANGES_MAX 1000u
#define NOWHERE UINT32_MAX

enum { ARCH = offsetof(struct seccomp_data, arch), NUMBER = offsetof(struct seccomp_data, nr) };

struct range {
    uint32_t first;
    uint32_t end;  /* index of the original's instruction that answers it, or that begins to look at its arguments */
    uint32_t leaf; /* index of the tree's instruction that jumps to its answer, or to the copy of `end` */
};

struct shortening {
    const struct sock_filter *from;
    uint32_t from_count;
    struct sock_filter *to; /* BPF_MAXINSNS of them */
    uint32_t count;
    struct range ranges[RANGES_MAX];
    uint32_t ranges_count;
    uint32_t tree_end; /* where the answers begin */
    bool failed;       /* it became too long */
    bool copied[BPF_MAXINSNS];
    uint32_t place[BPF_MAXINSNS]; /* of a copied instruction */
};

static bool is_load(struct sock_filter instruction, uint32_t offset) {
    return instruction.code == (BPF_LD | BPF_W | BPF_ABS) && instruction.k == offset;
}

static bool is_answer(struct sock_filter instruction) { return BPF_CLASS(instruction.code) == BPF_RET; }

/* The instruction behind `index` when the accumulator holds `value`; NOWHERE for one that is not a jump known here. */
static uint32_t follow(const struct sock_filter *program, uint32_t index, uint32_t value) {
    const struct sock_filter *jump = &program[index];
    switch (jump->code) {
    case BPF_JMP | BPF_JA: return index + 1 + jump->k;
    case BPF_JMP | BPF_JEQ | BPF_K: return index + 1 + (value == jump->k ? jump->jt : jump->jf);
    case BPF_JMP | BPF_JGT | BPF_K: return index + 1 + (value > jump->k ? jump->jt : jump->jf);
    case BPF_JMP | BPF_JGE | BPF_K: return index + 1 + (value >= jump->k ? jump->jt : jump->jf);
    default: return NOWHERE;
    }
}

/* Where the native architecture's call `number` leads to. */
static uint32_t end_of(const struct shortening *work, uint32_t number) {
    uint32_t value = 0, index = 0;
    while (index < work->from_count) {
        struct sock_filter instruction = work->from[index];
        if (is_answer(instruction)) return index;
        if (BPF_CLASS(instruction.code) == BPF_LD) {
            if (!is_load(instruction, ARCH) && !is_load(instruction, NUMBER)) return index;
            value = is_load(instruction, ARCH) ? seccomp_arch_native() : number;
            index++;
        } else {
            index = follow(work->from, index, value);
        }
    }
    return NOWHERE;
}

static bool same_end(const struct shortening *work, uint32_t one, uint32_t other) {
    if (one == other) return true;
    return is_answer(work->from[one]) && is_answer(work->from[other]) && work->from[one].k == work->from[other].k;
}

static int by_number(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static bool find_ranges(struct shortening *work) {
    static uint32_t cuts[2 * BPF_MAXINSNS + 1];
    uint32_t count = 0;
    cuts[count++] = 0;
    /* More than are needed, for constants of arguments are among them. */
    for (uint32_t i = 0; i < work->from_count; i++) {
        if (BPF_CLASS(work->from[i].code) != BPF_JMP) continue;
        cuts[count++] = work->from[i].k;
        if (work->from[i].k != UINT32_MAX) cuts[count++] = work->from[i].k + 1;
    }
    qsort(cuts, count, sizeof *cuts, by_number);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = end_of(work, cuts[i]);
        if (end == NOWHERE) return false;
        if (work->ranges_count > 0 && same_end(work, work->ranges[work->ranges_count - 1].end, end)) continue;
        if (work->ranges_count == RANGES_MAX) return false;
        work->ranges[work->ranges_count++] = (struct range){.first = cuts[i], .end = end};
    }
    return work->ranges_count > 1;
}

static uint32_t emit(struct shortening *work, struct sock_filter instruction) {
    if (work->count == BPF_MAXINSNS) {
        work->failed = true;
        return 0;
    }
    work->to[work->count] = instruction;
    return work->count++;
}

/* The jump from `from` to `to`; one that is too far for a byte gives the whole up. */
static uint8_t reach(struct shortening *work, uint32_t from, uint32_t to) {
    if (to - from - 1 > UINT8_MAX) work->failed = true;
    return (uint8_t)(to - from - 1);
}

/* Emits the tree over some ranges, but for ranges that are one answer, to which their parents will jump. Its first instruction. */
static uint32_t emit_tree(struct shortening *work, uint32_t first, uint32_t count) {
    struct range *range = &work->ranges[first];
    if (count == 1) {
        bool answered = is_answer(work->from[range->end]);
        return range->leaf = answered ? NOWHERE : emit(work, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
    }
    const uint32_t lower = count / 2;
    uint32_t jump = emit(work, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, range[lower].first, 0, 0));
    if (emit_tree(work, first, lower) == NOWHERE) range->leaf = jump;
    uint32_t right = emit_tree(work, first + lower, count - lower);
    if (right == NOWHERE)
        range[lower].leaf = jump;
    else
        work->to[jump].jt = reach(work, jump, right);
    return jump;
}

/* Each answer once, and the jumps to it. */
static void emit_answers(struct shortening *work) {
    for (uint32_t i = 0; i < work->ranges_count; i++) {
        const struct range *range = &work->ranges[i];
        struct sock_filter answer = work->from[range->end];
        if (!is_answer(answer)) continue;
        uint32_t place = work->tree_end;
        while (place < work->count && work->to[place].k != answer.k) place++;
        if (place == work->count) emit(work, answer);
        struct sock_filter *parent = &work->to[range->leaf];
        if (parent->k == range->first)
            parent->jt = reach(work, range->leaf, place);
        else
            parent->jf = reach(work, range->leaf, place);
    }
}

/* Marks what can be reached from the conditions that ranges lead to. Jumps lead forward only; the kernel insists. */
static void mark_conditions(struct shortening *work) {
    for (uint32_t i = 0; i < work->ranges_count; i++) work->copied[work->ranges[i].end] = !is_answer(work->from[work->ranges[i].end]);
    for (uint32_t i = 0; i < work->from_count; i++) {
        const struct sock_filter *instruction = &work->from[i];
        if (!work->copied[i] || is_answer(*instruction)) continue;
        bool jump = BPF_CLASS(instruction->code) == BPF_JMP, always = jump && BPF_OP(instruction->code) == BPF_JA;
        work->copied[i + 1 + (always ? instruction->k : jump ? instruction->jt : 0)] = true;
        if (jump && !always) work->copied[i + 1 + instruction->jf] = true;
    }
}

static uint32_t distance(const struct shortening *work, uint32_t from, uint32_t step) {
    return work->place[from + 1 + step] - work->place[from] - 1;
}

static void copy_conditions(struct shortening *work) {
    mark_conditions(work);
    for (uint32_t i = 0; i < work->from_count; i++)
        if (work->copied[i]) work->place[i] = emit(work, work->from[i]);
    /* No distance has grown: the order is the same and what is left out is gone. */
    for (uint32_t i = 0; i < work->from_count; i++) {
        if (!work->copied[i] || BPF_CLASS(work->from[i].code) != BPF_JMP) continue;
        struct sock_filter *copy = &work->to[work->place[i]];
        if (BPF_OP(copy->code) == BPF_JA) {
            copy->k = distance(work, i, copy->k);
        } else {
            copy->jt = (uint8_t)distance(work, i, copy->jt);
            copy->jf = (uint8_t)distance(work, i, copy->jf);
        }
    }
    for (uint32_t i = 0; i < work->ranges_count; i++) {
        const struct range *range = &work->ranges[i];
        if (!is_answer(work->from[range->end])) work->to[range->leaf].k = work->place[range->end] - range->leaf - 1;
    }
}

/* The original's answer to other architectures: what follows when its first comparison fails. NULL when it does not begin so. */
static const struct sock_filter *foreign_answer(const struct ws_filter *filter) {
    const struct sock_filter *from = filter->instructions;
    if (filter->count < 3 || !is_load(from[0], ARCH)) return NULL;
    if (from[1].code != (BPF_JMP | BPF_JEQ | BPF_K) || from[1].k != seccomp_arch_native()) return NULL;
    const struct sock_filter *answer = &from[2 + from[1].jf];
    return answer < from + filter->count && is_answer(*answer) ? answer : NULL;
}

int ws_filter_shorten(struct ws_filter *filter) {
    const struct sock_filter *foreign = foreign_answer(filter);
    struct shortening *work = calloc(1, sizeof *work);
    struct sock_filter *to = calloc(BPF_MAXINSNS, sizeof *to);
    if (work != NULL && to != NULL && foreign != NULL) {
        work->from = filter->instructions;
        work->from_count = filter->count;
        work->to = to;
        emit(work, work->from[0]);
        emit(work, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, work->from[1].k, 1, 0));
        emit(work, *foreign);
        emit(work, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER));
        if (find_ranges(work)) {
            emit_tree(work, 0, work->ranges_count);
            work->tree_end = work->count;
            emit_answers(work);
            copy_conditions(work);
            if (!work->failed && work->count < filter->count) {
                memcpy(filter->instructions, to, work->count * sizeof *to);
                filter->count = (unsigned short)work->count;
            }
        }
    }
    bool memory = work != NULL && to != NULL;
    free(work);
    free(to);
    return memory ? 0 : -1;
}
