/* What attempts say, and children to make them in. */
#include "hostile.h"

#include <sys/mman.h>
#include <sys/wait.h>

void say(struct answer *answer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(answer->text + answer->length, ANSWER_MAX - answer->length, format, arguments);
    va_end(arguments);
    if (length > 0 && answer->length + (size_t)length < ANSWER_MAX) answer->length += (size_t)length;
}

void say_item(struct answer *answer, const char *text) {
    say(answer, "%s\"", answer->text[answer->length - 1] == '[' ? "" : ",");
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            say(answer, "\\u%04x", (unsigned char)*text);
        else
            say(answer, "%c", *text);
    say(answer, "\"");
}

const char *result_name(long result) {
    if (result >= 0) return "ok";
    const char *name = strerrorname_np(errno);
    return name == NULL ? "unknown errno" : name;
}

void in_child(struct answer *answer, attempt_function *run, int count, char **words) {
    struct answer *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return say(answer, "\"no memory\"");
    pid_t child = fork();
    if (child == 0) {
        run(shared, count, words);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        say(answer, "\"no child: %s\"", result_name(-1));
    else if (WIFSIGNALED(status))
        say(answer, "{\"signal\":\"SIG%s\"}", sigabbrev_np(WTERMSIG(status)));
    else
        say(answer, "%s", shared->text);
    munmap(shared, sizeof *shared);
}
