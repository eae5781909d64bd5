/**
 * What a booted process does while it waits for its function: it loads what functions are likely to load.
 *
 * Node compiles its built-in modules, and its own module loaders, when they are first used: milliseconds which a call
 * that waits for the function would pay. Step by step on the event loop, and only until INIT comes: a process that is
 * needed at once is not held up by more than one step.
 */
import { createRequire } from 'node:module';
import { functionFacts } from './environment.mjs';
import { Invocation } from './invocation.mjs';
import { loadHandler } from './loader.mjs';

const require = createRequire(import.meta.url);

// The order is that of how often functions use them. All are without effect until they are called.
const BUILT_INS = [
    'node:events', 'node:util', 'node:path', 'node:url', 'node:crypto', 'node:stream', 'node:fs/promises', 'node:os',
    'node:http', 'node:https', 'node:zlib', 'node:stream/promises', 'node:timers/promises', 'node:async_hooks',
    'node:child_process', 'node:dns', 'node:tls', 'node:querystring', 'node:string_decoder', 'node:assert', 'node:http2',
];

const REHEARSALS = ['common.handler', 'module.handler'];

/** Go on until all is done or `isNeeded` answers true. */
export async function warmUp(isNeeded) {
    const steps = [
        ...REHEARSALS.map((handler) => () => rehearse(handler)),
        ...BUILT_INS.map((name) => () => require(name)),
    ];
    for (const step of steps) {
        await new Promise(setImmediate); // frames that have arrived are received now
        if (isNeeded()) {
            return;
        }
        await step();
    }
}

/** Load and call a function as INIT and INVOKE would. */
async function rehearse(name) {
    const handler = await loadHandler(new URL('./rehearsal', import.meta.url).pathname, name);
    const request = { sequence: 0, deadline: 0, requestId: '', functionArn: '', traceId: '', clientContext: '', event: '{}' };
    await new Promise((done) => new Invocation(request, functionFacts({}), done).run(handler));
    delete require.cache[require.resolve('./rehearsal/common.cjs')];
}
