// libarchive reads the zip packages functions arrive in. A system library target needs one header to name: this one.
#ifndef WAYSIDE_CARCHIVE_SHIM_H
#define WAYSIDE_CARCHIVE_SHIM_H

#include <archive.h>
#include <archive_entry.h>

// glibc declares syncfs(2) only under _GNU_SOURCE, which Swift's Glibc module lacks. This line may go when that changes.
int syncfs(int descriptor);

#endif
