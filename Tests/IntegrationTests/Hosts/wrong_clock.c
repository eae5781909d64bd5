// A wall clock that is wrong by WRONG_CLOCK_SECONDS, put between a program and the C library (ld.so(8), LD_PRELOAD).
//
// It emulates a machine whose clock is wrong: what a program reads of the wall clock is shifted, and the times until which it waits by
// that clock are shifted back for the kernel. Monotonic clocks are left alone. Not libfaketime, which sets environment variables before
// main() and so hides its arguments from a Swift program: that finds them below its environment.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) {
    const char *text = getenv("WRONG_CLOCK_SECONDS");
    return text ? (time_t)atol(text) : 0;
}

// The caller's kind of clock is not known here; no machine has been up for thirty years.
static struct timespec for_the_kernel(const struct timespec *until) {
    struct timespec shifted = *until;
    if (shifted.tv_sec > 1000000000) shifted.tv_sec -= shift();
    return shifted;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    *now = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    // On x86-64 the first version of the symbol is of another condition variable.
    if (!real) real = (__typeof__(real))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec shifted = for_the_kernel(until);
    return real(condition, mutex, &shifted);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec shifted = for_the_kernel(until);
    return real(semaphore, &shifted);
}
