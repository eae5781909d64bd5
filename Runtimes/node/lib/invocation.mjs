/**
 * One call of a handler, from event to answer.
 *
 * A handler may answer by the promise it returns, by the callback, or by the context's old functions (succeed, fail,
 * done). The first answer counts; the rest are ignored. The callback has a rule of its own: while
 * `callbackWaitsForEmptyEventLoop` is true (the default), its result is held back until the event loop is empty. An
 * empty event loop without any answer ends the call too.
 *
 * A handler made by `awslambda.streamifyResponse` answers by its stream: the call is over when the stream has been ended
 * and the promise has settled.
 */
import { NodeJsExit, errorObject, logText } from './errors.mjs';
import { ResponseStream, isStreaming } from './streaming.mjs';

const RESPONSE_MAX = 6_291_556; // bytes; 6 MiB and 100 bytes is Lambda's own limit

const TOO_LARGE = {
    errorMessage: `Response payload size exceeded maximum allowed payload size (${RESPONSE_MAX} bytes).`,
    errorType: 'Function.ResponseSizeTooLarge',
};

export class Invocation {
    #request;
    #facts;
    #finish;
    #part;
    #settled = false; // an answer was chosen
    #held; // a callback's result, waiting for the event loop to be empty

    /**
     * `request`: see parseInvocation. `facts`: see functionFacts. `finish(isError, text, then)` gets the answer as JSON
     * text, once. When the process ends after it, `then` is given, and called when the answer is sent. `part(payload,
     * flags, then)` gets what a handler streams before it.
     */
    constructor(request, facts, finish, part) {
        this.#request = request;
        this.#facts = facts;
        this.#finish = finish;
        this.#part = part;
    }

    run(handler) {
        try {
            const context = this.#context();
            if (isStreaming(handler)) {
                this.#stream(handler, context);
                return;
            }
            const callback = (error, result) => this.#callback(error, result, context);
            const returned = handler(JSON.parse(this.#request.event), context, callback);
            if (typeof returned?.then === 'function') {
                returned.then(context.succeed, context.fail);
            } else if (returned !== undefined && this.#facts.returnsPlainValues) {
                context.succeed(returned);
            }
        } catch (error) {
            this.#settle(error ?? 'handled');
        }
    }

    /** The event loop is empty: nothing of this call can happen any more. */
    eventLoopEmpty(handler) {
        if (this.#held !== undefined) {
            this.#answer(this.#held.result);
        } else if (!this.#settled) {
            if (handler.constructor.name === 'AsyncFunction' || isStreaming(handler)) {
                this.fail('Invoke Error', new NodeJsExit());
            } else {
                this.#settle(null, null); // a callback that was never called
            }
        }
    }

    /** Answer with `error`, whatever user code may still do; `title` is what the log calls it. */
    fail(title, error, then) {
        this.#settled = true;
        this.#held = undefined;
        console.error(title, `\t${logText(error)}`);
        const text = JSON.stringify(errorObject(error));
        this.#finish(true, Buffer.byteLength(text) > RESPONSE_MAX ? JSON.stringify(TOO_LARGE) : text, then);
    }

    #stream(handler, context) {
        const stream = new ResponseStream((payload, flags, then) => {
            if (!this.#settled) {
                this.#part(payload, flags, then);
            } else {
                then?.(); // what comes too late is dropped
            }
        });
        const ended = new Promise((resolve, reject) => stream.on('finish', resolve).on('error', reject));
        const returned = handler(JSON.parse(this.#request.event), stream, context);
        if (typeof returned?.then !== 'function') {
            ended.catch(() => {});
            throw new Error('Streaming does not support non-async handlers.');
        }
        Promise.all([returned, ended]).then(
            () => this.#end(),
            (error) => {
                const fail = () => this.#settle(error ?? 'handled');
                if (stream.writableLength > 0) {
                    stream.write('', fail); // behind what was written before
                } else {
                    fail();
                }
            },
        );
    }

    #end() {
        if (!this.#settled) {
            this.#settled = true;
            this.#finish(false, '');
        }
    }

    #callback(error, result, context) {
        if (this.#settled) {
            return;
        }
        if (isGiven(error) || !context.callbackWaitsForEmptyEventLoop) {
            this.#settle(error, result);
        } else {
            this.#settled = true;
            this.#held = { result };
        }
    }

    #settle(error, result) {
        if (this.#settled) {
            return;
        }
        this.#settled = true;
        if (isGiven(error)) {
            this.fail('Invoke Error', error);
        } else {
            this.#answer(result);
        }
    }

    #answer(result) {
        let text;
        try {
            text = JSON.stringify(result) ?? 'null'; // undefined, functions and symbols have no JSON text
        } catch {
            this.fail('Invoke Error', new Error('Unable to stringify response body'));
            return;
        }
        if (Buffer.byteLength(text) > RESPONSE_MAX) {
            this.#finish(true, JSON.stringify(TOO_LARGE));
        } else {
            this.#finish(false, text);
        }
    }

    #context() {
        const { deadline, requestId, functionArn, clientContext } = this.#request;
        return {
            callbackWaitsForEmptyEventLoop: true,
            succeed: (result) => this.#settle(null, result),
            fail: (error) => this.#settle(error ?? 'handled'),
            done: (error, result) => this.#settle(error, result),
            ...this.#facts.context,
            clientContext: clientContext === '' ? undefined : JSON.parse(clientContext),
            identity: undefined, // Wayside has no Cognito
            invokedFunctionArn: functionArn,
            awsRequestId: requestId,
            getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
        };
    }
}

function isGiven(error) {
    return error !== undefined && error !== null;
}
