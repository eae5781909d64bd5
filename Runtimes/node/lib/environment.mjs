/** What INIT asks for: variables, working directory, where modules are looked for. */
import Module from 'node:module';

/** Make `variables` (name → value) the process's own, and the function's folder its home; returns that folder. */
export function enterEnvironment(variables) {
    for (const name of Object.keys(process.env)) {
        delete process.env[name]; // nothing of the engine's own environment reaches user code
    }
    Object.assign(process.env, variables); // also takes over TZ: Node looks again when it is set
    const taskRoot = variables.LAMBDA_TASK_ROOT ?? '/var/task';
    process.chdir(taskRoot);
    Module._initPaths(); // NODE_PATH was read at start; layers are found through it
    return taskRoot;
}

/** What the environment says about the function, read once: process.env is slow. */
export function functionFacts(variables) {
    return {
        context: {
            functionName: variables.AWS_LAMBDA_FUNCTION_NAME,
            functionVersion: variables.AWS_LAMBDA_FUNCTION_VERSION,
            memoryLimitInMB: variables.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
            logGroupName: variables.AWS_LAMBDA_LOG_GROUP_NAME,
            logStreamName: variables.AWS_LAMBDA_LOG_STREAM_NAME,
        },
        // From nodejs24.x on, what a handler without a promise returns is its result. Before, only the callback
        // counted, and `(event, context) => setTimeout(…)` must not answer with the timer.
        returnsPlainValues: Number(/nodejs(\d+)/.exec(variables.AWS_EXECUTION_ENV ?? '')?.[1] ?? 0) >= 24,
    };
}

/** Tell tracing libraries which trace the running call belongs to. */
export function setTraceId(traceId) {
    if (traceId === '') {
        delete process.env._X_AMZN_TRACE_ID;
    } else {
        process.env._X_AMZN_TRACE_ID = traceId;
    }
}
