/**
 * Results that are sent while they are made: `awslambda`, the global object that Lambda gives to functions, and the
 * stream that a handler writes to.
 */
import { Writable } from 'node:stream';
import { HEAD, STREAM_MAX } from './frames.mjs';

/** Lambda's own mark on a handler that streams. */
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');

/** A response that begins with its HTTP status and headers as JSON and eight zero bytes. */
const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';

/** Give functions the global object `awslambda`. */
export function defineGlobal() {
    globalThis.awslambda = {
        streamifyResponse(handler) {
            handler[STREAMING] = 'response';
            return handler;
        },
        HttpResponseStream: {
            from(stream, prelude) {
                stream.setContentType(WITH_PRELUDE);
                stream.write(JSON.stringify(prelude));
                stream.write(new Uint8Array(8));
                return stream;
            },
        },
    };
}

export function isStreaming(handler) {
    return handler[STREAMING] === 'response';
}

/** What a handler writes goes to the caller at once; a caller that does not read makes the stream ask to wait. */
export class ResponseStream extends Writable {
    #send;
    #contentType = '';
    #hasBegun = false;

    /** `send(payload, flags, then)` sends one STREAM frame; `then` is called once the kernel has it. */
    constructor(send) {
        super({ highWaterMark: STREAM_MAX });
        this.#send = send;
    }

    /** Before the first write. */
    setContentType(type) {
        this.#contentType = String(type);
    }

    _write(chunk, _encoding, then) {
        this.#begin();
        for (let start = 0; start < chunk.length; start += STREAM_MAX) {
            const end = start + STREAM_MAX;
            this.#send(chunk.subarray(start, end), 0, end >= chunk.length ? then : undefined);
        }
        if (chunk.length === 0) {
            then();
        }
    }

    _final(then) {
        this.#begin();
        then();
    }

    #begin() {
        if (!this.#hasBegun) {
            this.#hasBegun = true;
            this.#send(this.#contentType, HEAD);
        }
    }
}
