/**
 * Bytes ↔ frames. The wire is fixed by Sandbox/Protocol/include/wayside_frames.h; its text is not repeated here.
 *
 * A socket on the event loop, not a blocking readSync: measured, they cost the same, and this way timers, signals and
 * connections of user code go on while it waits. The socket keeps the event loop alive only while the runtime waits for
 * a frame (`hold`, `release`); in between, an empty event loop means that user code has nothing left to do.
 */
import { Socket } from 'node:net';

const VERSION = 1;
const HEADER_SIZE = 12;
const INVOKE_HEAD_SIZE = 16;
const PAYLOAD_MAX = 8 * 1024 * 1024;
const READ_SIZE = 64 * 1024;

export const FrameType = Object.freeze({ BOOTED: 1, INIT: 2, READY: 3, INVOKE: 4, RESULT: 5, ERROR: 6, STREAM: 7 });

/** Flag of an ERROR frame: the process ends after it, so nobody may send another call. */
export const LAST = 1;

/** Flag of the first STREAM frame of a result, whose payload is the content type. */
export const HEAD = 2;

/** Bytes of one STREAM frame. */
export const STREAM_MAX = 64 * 1024;

/** The daemon sent something the wire does not allow. There is no way to go on. */
export class ProtocolError extends Error {}

export class Frames {
    #socket;
    #missing = 0; // how many bytes more the frame in #chunks needs
    #chunks = []; // of a frame that has not arrived whole
    #onFrame = () => {};

    constructor(fd) {
        this.#socket = new Socket({
            fd,
            readable: true,
            writable: true,
            // One buffer for all reads; a fresh 64 KiB for each would cost more than the rest of a call.
            onread: {
                buffer: Buffer.allocUnsafe(READ_SIZE),
                callback: (count, buffer) => this.#receive(count, buffer),
            },
        });
        // The container is being taken away when the connection ends; nobody is left to answer.
        this.#socket.on('end', () => process.exit(0));
        this.#socket.on('error', () => process.exit(0));
    }

    /** `receiver(type, sequence, payload)` gets each frame; the payload is valid only until it returns. */
    onFrame(receiver) {
        this.#onFrame = receiver;
    }

    /** Let waiting for a frame keep the process alive. */
    hold() {
        this.#socket.ref();
    }

    /** Leave it to user code how long the event loop runs. */
    release() {
        this.#socket.unref();
    }

    /** Send one frame, text or bytes; `then` is called once the kernel has all of it. */
    send(type, sequence, payload = '', then = undefined, flags = 0) {
        const length = Buffer.byteLength(payload);
        const frame = Buffer.allocUnsafe(HEADER_SIZE + length);
        frame.writeUInt32LE(length, 0);
        frame.writeUInt8(type, 4);
        frame.writeUInt8(VERSION, 5);
        frame.writeUInt16LE(flags, 6);
        frame.writeUInt32LE(sequence, 8);
        if (typeof payload === 'string') {
            frame.write(payload, HEADER_SIZE, 'utf8');
        } else {
            frame.set(payload, HEADER_SIZE);
        }
        this.#socket.write(frame, then);
    }

    #receive(count, buffer) {
        let bytes = buffer.subarray(0, count);
        if (this.#chunks.length > 0) {
            this.#chunks.push(Buffer.from(bytes));
            this.#missing -= count;
            if (this.#missing > 0) {
                return true; // joining at every read would copy a large event many times
            }
            bytes = Buffer.concat(this.#chunks);
            this.#chunks = [];
        }
        while (bytes.length >= HEADER_SIZE) {
            const end = HEADER_SIZE + payloadLength(bytes);
            if (bytes.length < end) {
                break;
            }
            this.#onFrame(bytes.readUInt8(4), bytes.readUInt32LE(8), bytes.subarray(HEADER_SIZE, end));
            bytes = bytes.subarray(end);
        }
        if (bytes.length > 0) {
            const needed = bytes.length < HEADER_SIZE ? HEADER_SIZE : HEADER_SIZE + payloadLength(bytes);
            this.#chunks = [Buffer.from(bytes)];
            this.#missing = needed - bytes.length;
        }
        return true; // go on reading
    }
}

/** The length field of the header at the start of `bytes`, checked, as is the version beside it. */
function payloadLength(bytes) {
    const length = bytes.readUInt32LE(0);
    const version = bytes.readUInt8(5);
    if (version !== VERSION) {
        throw new ProtocolError(`frame version ${version}, expected ${VERSION}`);
    }
    if (length > PAYLOAD_MAX) {
        throw new ProtocolError(`frame of ${length} bytes, at most ${PAYLOAD_MAX} are allowed`);
    }
    return length;
}

/** The parts of an INVOKE frame's payload, as strings; the event is JSON text. */
export function parseInvocation(sequence, payload) {
    if (payload.length < INVOKE_HEAD_SIZE) {
        throw new ProtocolError('INVOKE is too short');
    }
    const deadline = payload.readUInt32LE(0) + payload.readUInt32LE(4) * 2 ** 32;
    let start = INVOKE_HEAD_SIZE;
    const [requestId, functionArn, traceId, clientContext] = [8, 10, 12, 14].map((offset) => {
        const end = start + payload.readUInt16LE(offset);
        const text = payload.toString('utf8', start, end);
        start = end;
        return text;
    });
    if (start > payload.length) {
        throw new ProtocolError('INVOKE is shorter than its strings');
    }
    const event = payload.toString('utf8', start);
    return { sequence, deadline, requestId, functionArn, traceId, clientContext, event };
}
