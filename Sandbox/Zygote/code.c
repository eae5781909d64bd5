/* The interpreter's code in memory of its own, so that a child finds it mapped.
 *
 * A fork copies no entries for pages of a file: a child faults for every piece of the interpreter that it runs. So what the program's file
 * maps for reading and running, from its first whole huge page on, is copied, and the copy takes its place. It can be read and
 * run, not written. The read-only data among it can be run as well, which gives nothing to a process that may map code as it likes.
 * Profilers no longer see which file the code is from. */
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "huge_pages.h"

struct range {
    char *begin, *end;
};

/* What the first object, the program, maps without write permission: its first segments. */
static int find_code(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    struct range *found = context;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD) continue;
        if ((segment->p_flags & PF_W) != 0) break;
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        if (found->end != NULL && (uintptr_t)found->end != begin) break;
        if (found->end == NULL) found->begin = (char *)begin;
        found->end = (char *)end;
    }
    return 1;
}

void gather_code(void) {
    struct range code = {0};
    dl_iterate_phdr(find_code, &code);
    code.begin = huge_page_at_or_after(code.begin);
    if (code.end < code.begin + HUGE_PAGE) return;
    const size_t size = (size_t)(code.end - code.begin);
    char *mapped = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    char *copy = huge_page_at_or_after(mapped);
    memcpy(copy, code.begin, size);
    bool gathered = madvise(copy, size - size % HUGE_PAGE, MADV_COLLAPSE) == 0 && mprotect(copy, size, PROT_READ | PROT_EXEC) == 0;
    /* This takes away what was there before it can fail; nobody could go on then. */
    if (gathered && mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, code.begin) == MAP_FAILED) abort();
    munmap(mapped, size + HUGE_PAGE);
}
