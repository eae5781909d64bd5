/* A shared library in the clothes of a Node.js addon. Loading it runs `attack`: it makes the system calls that the file named by
 * HOSTILE_CALLS lists, one in each line, and writes beside it what each came to. */
#include "../native/hostile.h"

__attribute__((constructor)) static void attack(void) {
    const char *path = getenv("HOSTILE_CALLS");
    char line[1024], output[1024];
    if (path == NULL) return;
    snprintf(output, sizeof output, "%s.out", path);
    FILE *calls = fopen(path, "re"), *results = fopen(output, "we");
    while (calls != NULL && results != NULL && fgets(line, sizeof line, calls) != NULL) {
        char *words[WORDS_MAX];
        int count = 0;
        line[strcspn(line, "\n")] = '\0';
        for (char *rest = line, *word; count < WORDS_MAX && (word = strsep(&rest, " ")) != NULL;) words[count++] = word;
        fprintf(results, "%s\n", result_name(call_of_words(count, words)));
    }
    if (calls != NULL) fclose(calls);
    if (results != NULL) fclose(results);
}
