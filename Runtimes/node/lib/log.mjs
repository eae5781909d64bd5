/**
 * What reaches the function's log: `console`, standard output and standard error.
 *
 * Node's own standard output is asynchronous when it is a pipe: what is still queued is lost when the process exits,
 * and arrives after the answer otherwise. Ours writes at once, so that the log of a call is complete when its answer
 * comes.
 */
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { format } from 'node:util';

const LEVELS = {
    trace: 'TRACE',
    debug: 'DEBUG',
    info: 'INFO',
    log: 'INFO',
    warn: 'WARN',
    error: 'ERROR',
    fatal: 'FATAL',
};

let requestId;

/** Console lines from here on carry `id`. */
export function setRequestId(id) {
    requestId = id;
}

/** Replace the process's streams and the console's methods by Lambda's: time, request id, level, message. */
export function configureLog() {
    for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
        Object.defineProperty(process, name, { value: new LogStream(fd), configurable: true, enumerable: true });
    }
    for (const [method, level] of Object.entries(LEVELS)) {
        console[method] = (message, ...parameters) => {
            const text = format(message, ...parameters);
            process.stdout.write(`${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
        };
    }
}

/** A stream that has written when `write` returns. */
class LogStream extends Writable {
    constructor(fd) {
        super({ decodeStrings: true });
        this.fd = fd;
    }

    _write(chunk, _encoding, done) {
        try {
            writeAll(this.fd, chunk);
        } catch {
            // User code may close its own output; it then has no log, and its answer still counts.
        }
        done();
    }
}

function writeAll(fd, bytes) {
    for (let written = 0; written < bytes.length; ) {
        try {
            written += writeSync(fd, bytes, written);
        } catch (error) {
            if (error.code !== 'EAGAIN') {
                throw error;
            }
            // A child process can make the shared pipe non-blocking. Wait for its reader, a millisecond at a time.
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
    }
}
