/* Where a booted interpreter keeps its small objects, so that a fork copies less.
 *
 *     boot   ws_zygote_arena_allocate: one after another in a region of whole huge pages
 *     ready  ws_zygote_gather: the used ones, and the C library's heap, become huge pages; the rest of the region is given back
 *     child  more arenas, wherever the kernel puts them
 *
 * A fork copies one entry for a huge page instead of 512, and its end takes one down. A child that writes to one gets entries for its
 * small pages in one go, and copies the 4 KiB that it writes to, as ever. Without huge pages (madvise(2), MADV_COLLAPSE; Linux 6.1)
 * all stays as it was. */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wayside_zygote.h"

#define EXPORTED __attribute__((visibility("default")))

#define HUGE_PAGE (2ul * 1024 * 1024)
#define REGION (64ul * 1024 * 1024) /* four times what the imports need; a larger interpreter has the rest elsewhere */
#define HEAP_PAGES_MAX 16u /* looked at, from the end of the heap down */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static char *region, *next, *end;

static uintptr_t round_up(uintptr_t address) { return (address + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1); }

static void *map(size_t size) {
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static void reserve(void) {
    char *mapped = map(REGION + HUGE_PAGE);
    if (mapped == NULL) return;
    region = next = (char *)round_up((uintptr_t)mapped);
    end = region + REGION;
    if (region > mapped) munmap(mapped, (size_t)(region - mapped));
    munmap(end, (size_t)(mapped + REGION + HUGE_PAGE - end));
}

EXPORTED void *ws_zygote_arena_allocate(void *context, size_t size) {
    (void)context;
    if (region == NULL) reserve();
    if ((size_t)(end - next) < size) return map(size);
    next += size;
    return next - size;
}

EXPORTED void ws_zygote_arena_free(void *context, void *address, size_t size) {
    (void)context;
    munmap(address, size);
}

static void gather(char *page) { (void)madvise(page, HUGE_PAGE, MADV_COLLAPSE); }

EXPORTED void ws_zygote_gather(void) {
    char *used = (char *)round_up((uintptr_t)next);
    if (used < end) munmap(used, (size_t)(end - used));
    next = end = used;
    for (char *page = region; page < used; page += HUGE_PAGE) gather(page);
    char *heap_end = (char *)((uintptr_t)sbrk(0) & ~(HUGE_PAGE - 1));
    /* Where the heap begins is not said; what is not wholly mapped is refused. */
    for (unsigned i = 1; i <= HEAP_PAGES_MAX; i++) gather(heap_end - i * HUGE_PAGE);
}
