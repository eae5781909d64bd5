/**
 * The life of one container.
 *
 *    BOOTED ──► INIT ──► READY ──► INVOKE ─► [STREAM …] RESULT or ERROR ─► INVOKE …
 *                 └────► ERROR 0, exit                        └─► ERROR with LAST, exit
 *
 * Errors that no handler caught end the process after they were answered: what they left behind is unknown.
 */
import { enterEnvironment, functionFacts, setTraceId } from './environment.mjs';
import { UnhandledPromiseRejection, errorObject, logText } from './errors.mjs';
import { FrameType, LAST, ProtocolError, parseInvocation } from './frames.mjs';
import { Invocation } from './invocation.mjs';
import { loadHandler } from './loader.mjs';
import { configureLog, setRequestId } from './log.mjs';
import { defineGlobal } from './streaming.mjs';
import { warmUp } from './warmup.mjs';

// Lambda's own exit statuses.
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

export class Runtime {
    #frames;
    #loaded; // promise: user code is being loaded; set by INIT
    #handler; // set once it is
    #facts; // the part of the context that is the same for each call
    #invocation; // the call in progress

    constructor(frames) {
        this.#frames = frames;
    }

    start() {
        configureLog();
        defineGlobal();
        this.#catchTheUncaught();
        this.#frames.onFrame((type, sequence, payload) => this.#receive(type, sequence, payload));
        this.#frames.send(FrameType.BOOTED, 0);
        warmUp(() => this.#loaded !== undefined);
    }

    #receive(type, sequence, payload) {
        if (type === FrameType.INIT && this.#loaded === undefined) {
            this.#loaded = this.#initialise(JSON.parse(payload.toString('utf8')));
        } else if (type === FrameType.INVOKE && this.#loaded !== undefined && this.#invocation === undefined) {
            const request = parseInvocation(sequence, payload);
            if (this.#handler !== undefined) {
                this.#invoke(request);
            } else {
                this.#loaded.then(() => this.#invoke(request)); // it came together with INIT
            }
        } else {
            throw new ProtocolError(`unexpected frame of type ${type}`);
        }
    }

    async #initialise({ handler, environment }) {
        try {
            const taskRoot = enterEnvironment(environment);
            this.#facts = functionFacts(environment);
            this.#handler = await loadHandler(taskRoot, handler);
        } catch (error) {
            this.#die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
            return new Promise(() => {}); // never: the process is about to end
        }
        this.#frames.send(FrameType.READY, 0);
    }

    #invoke(request) {
        setRequestId(request.requestId);
        setTraceId(request.traceId);
        this.#frames.release();
        const part = (payload, flags, then) => {
            this.#frames.send(FrameType.STREAM, request.sequence, payload, then, flags);
        };
        const finish = (isError, text, then) => {
            this.#invocation = undefined;
            this.#frames.hold();
            const type = isError ? FrameType.ERROR : FrameType.RESULT;
            this.#frames.send(type, request.sequence, text, then, then === undefined ? 0 : LAST);
        };
        this.#invocation = new Invocation(request, this.#facts, finish, part);
        this.#invocation.run(this.#handler);
    }

    /** Answer what is in progress, be it the initialisation or a call, with `error`; then exit with `status`. */
    #die(title, error, status) {
        const exit = () => process.exit(status);
        if (this.#invocation !== undefined) {
            this.#invocation.fail(title, error, exit);
            return;
        }
        console.error(title, `\t${logText(error)}`);
        if (this.#handler === undefined) {
            this.#frames.send(FrameType.ERROR, 0, JSON.stringify(errorObject(error)), exit);
        } else {
            exit(); // between two calls: there is nobody to answer
        }
    }

    #catchTheUncaught() {
        process.on('beforeExit', () => this.#invocation?.eventLoopEmpty(this.#handler));
        process.on('uncaughtException', (error) => this.#die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION));
        process.on('unhandledRejection', (reason, promise) => {
            const error = new UnhandledPromiseRejection(reason, promise);
            this.#die('Unhandled Promise Rejection', error, EXIT_UNHANDLED_REJECTION);
        });
    }
}
