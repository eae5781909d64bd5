/* What the attempts in C share. An attempt gets its words and says in JSON what it has seen: an errno's name, a number, a list. */
#ifndef HOSTILE_H
#define HOSTILE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 48, ANSWER_MAX = 1 << 18 };

struct answer {
    char text[ANSWER_MAX];
    size_t length;
};

typedef void attempt_function(struct answer *answer, int count, char **words);

struct attempt {
    const char *name;
    attempt_function *run;
};

/* One table for each file of attempts; each ends with an empty name. */
extern const struct attempt call_attempts[], process_attempts[], file_attempts[], memory_attempts[], api_attempts[];

void say(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds `text` as one more JSON string of a list that `say` has begun. */
void say_item(struct answer *answer, const char *text);

/* The name of what a call came to: "ok" or an errno's name. */
const char *result_name(long result);

/* Makes a system call from words: numbers, "text:…", "bytes:HEX", "buffer" (zeroed memory), or nothing for 0. */
long call_of_words(int count, char **words);

/* Runs `run` in a child and says how that ended: its answer, or {"signal":"NAME"}. */
void in_child(struct answer *answer, attempt_function *run, int count, char **words);

/* The request id of the event in progress, and one HTTP exchange with the Runtime API: the status, or -errno. */
extern char request_id[64];
int api_connect(void);
int api_exchange(const char *request, size_t length, char *response, size_t capacity);

#endif
