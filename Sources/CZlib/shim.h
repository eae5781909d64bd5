// zlib has the checksum of event streams. A system library target needs one header to name: this one.
#ifndef WAYSIDE_CZLIB_SHIM_H
#define WAYSIDE_CZLIB_SHIM_H

#include <zlib.h>

#endif
