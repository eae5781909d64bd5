/* System calls, one by one and all of them; other architectures' calls. */
#include "hostile.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char buffer[65536];

/* Memory with the bytes of a hexadecimal word; it is never given back. */
static long bytes_of(const char *word) {
    char *bytes = calloc(1, strlen(word) / 2 + 1);
    for (unsigned i = 0, byte; bytes != NULL && sscanf(word + 2 * i, "%2x", &byte) == 1; i++) bytes[i] = (char)byte;
    return (long)bytes;
}

static long value_of(const char *word) {
    if (strncmp(word, "bytes:", 6) == 0) return bytes_of(word + 6);
    if (strncmp(word, "text:", 5) == 0) return (long)(word + 5);
    if (strcmp(word, "buffer") == 0) return (long)buffer;
    return (long)strtoull(word, NULL, 0);
}

long call_of_words(int count, char **words) {
    long values[7] = {0};
    for (int i = 0; i < count && i < 7; i++) values[i] = value_of(words[i]);
    return syscall(values[0], values[1], values[2], values[3], values[4], values[5], values[6]);
}

static void one(struct answer *answer, int count, char **words) {
    pid_t self = getpid();
    long result = call_of_words(count, words);
    if (getpid() != self) _exit(0); /* a clone that was let through */
    say(answer, "\"%s\"", result_name(result));
}

static void call(struct answer *answer, int count, char **words) { in_child(answer, one, count, words); }

/* All numbers up to the first word's but for those in the bits of the others (hexadecimal, 64 numbers each): whatever does not
 * answer EPERM or ENOSYS is named. */
static void sweep(struct answer *answer, int count, char **words) {
    long last = strtol(words[0], NULL, 0), tried = 0;
    say(answer, "[");
    for (long number = 0; number < last; number++) {
        int word = 1 + (int)(number / 64);
        if (word < count && (strtoull(words[word], NULL, 16) >> (number % 64) & 1) != 0) continue;
        char text[64];
        long result = syscall(number, -1, buffer, buffer, -1, -1, -1);
        tried++;
        if (result < 0 && (errno == EPERM || errno == ENOSYS)) continue;
        snprintf(text, sizeof text, "%ld %s", number, result_name(result));
        say_item(answer, text);
    }
    say(answer, "%s%ld]", answer->text[answer->length - 1] == '[' ? "" : ",", tried);
}

#ifdef __x86_64__
static void x32(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    say(answer, "\"%s\"", result_name(syscall(0x40000000 | SYS_getpid)));
}

/* getpid of the 32-bit table through its gate. */
static void i386(struct answer *answer, int count, char **words) {
    (void)count;
    (void)words;
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    say(answer, "\"pid %ld\"", result > 0 ? 1 : result);
}

static void x32_call(struct answer *answer, int count, char **words) { in_child(answer, x32, count, words); }
static void i386_call(struct answer *answer, int count, char **words) { in_child(answer, i386, count, words); }
#endif

const struct attempt call_attempts[] = {
    {"call", call},
    {"sweep", sweep},
#ifdef __x86_64__
    {"x32_call", x32_call},
    {"i386_call", i386_call},
#endif
    {NULL, NULL},
};
