/* Frames between the daemon and a built-in runtime (Python, Node, Ruby): one Unix stream socket, the runtime's end is fd 3.
 *
 * Little-endian. A frame is a 12-byte header and `length` bytes of payload:
 *
 *    0        4      5         6       8          12
 *    +--------+------+---------+-------+----------+---------------
 *    | length | type | version | flags | sequence | payload …
 *    +--------+------+---------+-------+----------+---------------
 *      u32      u8     u8        u16     u32
 *
 * Order, from the daemon's side:
 *
 *    booting ──BOOTED──► spare ──(INIT)──► initialising ──READY──► idle ──(INVOKE n)──► busy ──RESULT n──► idle
 *                                               │                                        └──ERROR n───► idle
 *                                               │                                        ├──ERROR n, LAST──► over
 *                                               │                                        └──STREAM n, HEAD──► streaming
 *                                               └──ERROR 0──► failed
 *
 *    streaming ──STREAM n──► streaming ──RESULT n, empty──► idle
 *                                └──────ERROR n──► idle, or over
 *
 * A result may be streamed: its first frame is the head, each further one has the next bytes, and an empty RESULT ends it. An ERROR
 * says that it failed midway; what was streamed until then has been sent on. A daemon that reads no further makes the runtime wait.
 *
 * In `failed` and `over` the runtime exits by itself: an error that no handler caught has left it in an unknown state. Its
 * answer counts, but it must not be given another call, which would be lost.
 *
 * Anything else (unknown type, version or flag, a length over the type's maximum, a wrong sequence, a second answer) is a protocol
 * error of the function: its container is thrown away and the caller gets Runtime.ProtocolError.
 */
#ifndef WAYSIDE_FRAMES_H
#define WAYSIDE_FRAMES_H

#include <stdint.h>

#define WS_FRAME_VERSION 1u
#define WS_FRAME_HEADER_SIZE 12u
#define WS_FRAME_PAYLOAD_MAX (8u * 1024u * 1024u)
#define WS_FRAME_STREAM_MAX (64u * 1024u) /* of a STREAM frame; the bytes of its head: 256 */
#define WS_FRAME_FD 3

#define WS_FRAME_FLAG_LAST 1u /* runtime, with ERROR n: it ends after this frame */
#define WS_FRAME_FLAG_HEAD 2u /* runtime, with STREAM n: the first; the payload is the content type, empty for none */

enum ws_frame_type {
    WS_FRAME_BOOTED = 1, /* runtime: interpreter is up, no user code, waiting for INIT. No payload. sequence 0 */
    WS_FRAME_INIT = 2,   /* daemon: JSON object, see below. sequence 0 */
    WS_FRAME_READY = 3,  /* runtime: user code loaded. No payload. sequence 0 */
    WS_FRAME_INVOKE = 4, /* daemon: struct ws_frame_invoke, its four strings, then the event (JSON text). sequence n */
    WS_FRAME_RESULT = 5, /* runtime: the result as JSON text. sequence n */
    WS_FRAME_ERROR = 6,  /* runtime: JSON {"errorMessage","errorType","stackTrace"|"trace",["requestId"]}.
                            sequence n, or 0 when initialising failed */
    WS_FRAME_STREAM = 7, /* runtime: the next bytes of the result, or with HEAD its beginning. sequence n */
};

/* INIT: {"handler":"app.handler","environment":{NAME:value,…}}. The environment is complete: the reserved Lambda variables
 * (AWS_LAMBDA_FUNCTION_NAME, AWS_REGION, LAMBDA_TASK_ROOT=/var/task …) are in it, and the runtime replaces its own with it. */

struct ws_frame_invoke {
    uint64_t deadline_epoch_ms;
    uint16_t request_id_length;
    uint16_t function_arn_length;
    uint16_t trace_id_length;       /* may be 0 */
    uint16_t client_context_length; /* decoded JSON text; may be 0 */
};

_Static_assert(sizeof(struct ws_frame_invoke) == 16, "wire size");

#endif
