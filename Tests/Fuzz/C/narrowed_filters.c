/* Sets of system calls into the real Sandbox/Core/seccomp_narrow.c: the program that it writes is run, call by call, beside the
 * family's own, as seccomp(2) says that the kernel runs them.
 *
 * An input is one byte of flags (1: a profile, 2: learning) and up to 64 bytes that are the set; then up to 32 bytes that are names. */
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <linux/filter.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/* The kernel's part is run for every call there is; watching it as well would only make it slow. */
#define SECCOMP_MODEL __attribute__((no_sanitize("address", "undefined", "coverage")))
#include "../../Sandbox/seccomp_model.h"
#include "ws_kernel.h"
#include "ws_seccomp.h"

static long take_program(long number, unsigned operation, unsigned flags, const void *wanted);
#define syscall(number, operation, flags, wanted) take_program(number, operation, flags, wanted)
#include "Core/seccomp_narrow.c"
#undef syscall

enum { X86_64 = 0xC000003E, I386 = 0x40000003, X32_BIT = 0x40000000 };

static struct sock_filter written[BPF_MAXINSNS];
static unsigned written_count;
static struct ws_filter family;
static uint32_t family_answers[WS_SYSCALLS_MAX + 8]; /* of its own architecture's calls, which do not change */

static long take_program(long number, unsigned operation, unsigned flags, const void *wanted) {
    const struct sock_fprog *program = wanted;
    CHECK(number == SYS_seccomp && operation == SECCOMP_SET_MODE_FILTER, "a filter is installed and nothing else");
    CHECK(program->len > 0 && program->len <= BPF_MAXINSNS, "the kernel takes a program of this length");
    written_count = program->len;
    memcpy(written, program->filter, written_count * sizeof *written);
    return flags == SECCOMP_FILTER_FLAG_NEW_LISTENER ? 7 : 0;
}

static void check_call(const struct ws_narrowing *narrowing, uint32_t arch, uint32_t number) {
    const struct seccomp_data data = {.nr = (int)number, .arch = arch};
    bool known = arch == X86_64 && number < sizeof family_answers / sizeof *family_answers;
    uint32_t expected = known ? family_answers[number] : seccomp_model_answer(family.instructions, family.count, &data);
    bool listed = arch != X86_64 || number >= WS_SYSCALLS_MAX || ws_syscall_set_has(&narrowing->syscalls, number);
    if (narrowing->learn != 0 && expected == SECCOMP_RET_ALLOW) expected = SECCOMP_RET_USER_NOTIF;
    if (narrowing->profile != 0 && !listed) expected = SECCOMP_RET_ERRNO | ENOSYS;
    CHECK(seccomp_model_answer(written, written_count, &data) == expected, "a call is answered as its family and its profile say");
    if (arch != X86_64 || (number & X32_BIT) != 0)
        CHECK((expected & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW, "no call of another architecture is allowed");
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    CHECK(ws_filter_compile(WS_FAMILY_NATIVE, false, &family) == 0, "the rules are compiled");
    for (uint32_t number = 0; number < sizeof family_answers / sizeof *family_answers; number++) {
        const struct seccomp_data data = {.nr = (int)number, .arch = X86_64};
        family_answers[number] = seccomp_model_answer(family.instructions, family.count, &data);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct source source = {data, size};
    uint8_t flags = take_byte(&source);
    struct ws_narrowing narrowing = {.profile = flags & 1, .learn = flags >> 1 & 1};
    size_t length = source.size < sizeof narrowing.syscalls ? source.size : sizeof narrowing.syscalls;
    memcpy(&narrowing.syscalls, source.data, length);
    char name[33] = {0};
    memcpy(name, source.data + length, source.size - length < 32 ? source.size - length : 32);
    if (name[0] != '\0') ws_syscall_set_add_name(&narrowing.syscalls, name);
    if ((flags & 4) != 0) ws_syscall_set_add_floor(&narrowing.syscalls, (flags & 8) != 0);
    int listener = ws_filter_install_narrowed(&family, &narrowing);
    CHECK(listener == (narrowing.learn != 0 ? 7 : 0), "every set of calls fits into a program, and a listener is asked for");
    for (uint32_t number = 0; number < WS_SYSCALLS_MAX + 8; number++) check_call(&narrowing, X86_64, number);
    check_call(&narrowing, X86_64, X32_BIT | take_byte(&source));
    check_call(&narrowing, X86_64, UINT32_MAX);
    check_call(&narrowing, I386, take_byte(&source));
    return 0;
}
