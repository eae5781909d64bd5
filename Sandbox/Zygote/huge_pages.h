/* What the files of this folder share about huge pages. */
#ifndef ZYGOTE_HUGE_PAGES_H
#define ZYGOTE_HUGE_PAGES_H

#include <stdint.h>

#define HUGE_PAGE (2ul * 1024 * 1024)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static inline char *huge_page_at_or_after(char *address) {
    return (char *)(((uintptr_t)address + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

/* Has the program's code lie in huge pages (code.c). */
void gather_code(void);

#endif
