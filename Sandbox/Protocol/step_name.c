#include "wayside_protocol.h"
#include "wayside_socket.h"

static const char *const names[WS_STEP_COUNT] = {
#define WS_STEP_TEXT(name, text) [WS_STEP_##name] = text,
    WS_STEPS(WS_STEP_TEXT)
#undef WS_STEP_TEXT
};

__attribute__((visibility("default"))) const char *ws_step_name(uint32_t step) {
    return step < WS_STEP_COUNT ? names[step] : "unknown";
}
