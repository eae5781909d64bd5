/* Where a booted interpreter keeps its objects, so that a fork copies less. The library is loaded before the interpreter (LD_PRELOAD).
 *
 *     boot   mmap: the interpreter's arenas lie one after another in a region of whole huge pages; the C library's heap begins with one
 *     ready  ws_zygote_gather: what is used of both, and the interpreter's code (code.c), become huge pages; the rest is given back
 *     child  more arenas, wherever the kernel puts them
 *
 * A fork copies one entry for a huge page instead of 512, and its end takes one down. A child that writes to one gets entries for its
 * small pages in one go, and copies the 4 KiB that it writes to, as ever. Without huge pages (madvise(2), MADV_COLLAPSE; Linux 6.1)
 * all stays as it was. */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "huge_pages.h"
#include "wayside_zygote.h"

#define EXPORTED __attribute__((visibility("default")))

#define REGION (64ul * 1024 * 1024) /* four times what the imports need; a larger interpreter has the rest elsewhere */

/* What the interpreter asks for at a time: CPython's ARENA_SIZE, since 3.10 and before. */
#define ARENA_MAX (1024ul * 1024)
#define ARENA_MIN (256ul * 1024)

static char *region, *next, *end, *heap;
static bool booting;

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

__attribute__((constructor)) static void begin(void) {
    char *mapped = map(NULL, REGION + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    region = next = huge_page_at_or_after(mapped);
    end = region + REGION;
    if (region > mapped) munmap(mapped, (size_t)(region - mapped));
    munmap(end, (size_t)(mapped + REGION + HUGE_PAGE - end));
    char *heap_begin = sbrk(0);
    heap = huge_page_at_or_after(heap_begin);
    if (sbrk(heap - heap_begin) == (void *)-1) heap = NULL;
    booting = true;
}

static bool is_arena(const void *address, size_t size, int protection, int flags) {
    bool plain = address == NULL && protection == (PROT_READ | PROT_WRITE) && flags == (MAP_PRIVATE | MAP_ANONYMOUS);
    return booting && plain && (size == ARENA_MAX || size == ARENA_MIN) && (size_t)(end - next) >= size;
}

EXPORTED void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (!is_arena(address, size, protection, flags)) return map(address, size, protection, flags, fd, offset);
    next += size;
    return next - size;
}

EXPORTED void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

static void gather(char *from, const char *to) {
    for (char *page = from; page < to; page += HUGE_PAGE) (void)madvise(page, HUGE_PAGE, MADV_COLLAPSE);
}

EXPORTED void ws_zygote_gather(void) {
    if (!booting) return;
    booting = false;
    char *used = huge_page_at_or_after(next);
    if (used < end) munmap(used, (size_t)(end - used));
    gather(region, used);
    /* The C library goes on behind a heap's end that has been moved. */
    char *heap_end = sbrk(0), *whole = huge_page_at_or_after(heap_end);
    if (heap != NULL && sbrk(whole - heap_end) != (void *)-1) gather(heap, whole);
    gather_code();
}
