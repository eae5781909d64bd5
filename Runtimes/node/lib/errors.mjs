/** Failures as a caller of a Lambda function knows them: {errorType, errorMessage, trace}. */
import { types } from 'node:util';

/** An error with a name of Lambda's own. */
class RuntimeError extends Error {
    get name() {
        return `Runtime.${this.constructor.name}`;
    }
}

export class ImportModuleError extends RuntimeError {}
export class HandlerNotFound extends RuntimeError {}
export class MalformedHandlerName extends RuntimeError {}
export class UserCodeSyntaxError extends RuntimeError {}
export class UnhandledPromiseRejection extends RuntimeError {
    constructor(reason, promise) {
        super(reason);
        this.reason = reason;
        this.promise = promise;
    }
}
export class NodeJsExit extends RuntimeError {
    constructor() {
        super(
            'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a ' +
                'Promise that was never settled. For more information, see ' +
                'https://nodejs.org/docs/latest/api/process.html#exit-codes',
        );
    }
}

/** The error object of anything that can be thrown, which in JavaScript is anything. */
export function errorObject(error) {
    try {
        if (types.isNativeError(error) || looksLikeError(error)) {
            return { errorType: error.name, errorMessage: error.message, trace: error.stack.split('\n') };
        }
        return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    } catch {
        // User code decides what its error's properties do; some throw, some are not strings.
        return {
            errorType: 'handled',
            errorMessage:
                'callback called with Error argument, but there was a problem while retrieving one or more of its ' +
                'message, name, and stack',
        };
    }
}

/** The text of `error` for the log: with the fields that JSON.stringify leaves out of errors. */
export function logText(error) {
    const shown = error instanceof Error ? error : new Error(error);
    try {
        return JSON.stringify(shown, (_key, value) => (value instanceof Error ? enumerable(value) : value));
    } catch {
        return JSON.stringify(errorObject(error)); // cycles, getters that throw
    }
}

function looksLikeError(value) {
    return [value?.name, value?.message, value?.stack].every((part) => typeof part === 'string' && part !== '');
}

function enumerable(error) {
    const fields = { errorType: error.name, errorMessage: error.message, code: error.code, ...error };
    if (typeof error.stack === 'string') {
        fields.stack = error.stack.split('\n');
    }
    return fields;
}
