/** From a handler's name to the function it names. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { HandlerNotFound, ImportModuleError, MalformedHandlerName, UserCodeSyntaxError } from './errors.mjs';

const require = createRequire(import.meta.url);

/**
 * Load the function named by `handler`: "folder/module.function" or "module.object.function".
 * Throws Lambda's own errors for what the runtime recognises, and whatever user code throws while it loads.
 */
export async function loadHandler(taskRoot, handler) {
    if (handler.includes('..')) {
        throw new MalformedHandlerName(
            `'${handler}' is not a valid handler name. ` +
                'Use absolute paths when specifying root directories in handler names.',
        );
    }
    const base = path.basename(handler);
    const folder = handler.substring(0, handler.indexOf(base));
    const match = base.match(/^([^.]*)\.(.*)$/);
    if (!match) {
        throw new MalformedHandlerName('Bad handler');
    }
    const [, moduleName, property] = match;
    const module = await loadModule(taskRoot, folder, moduleName);
    const found = property.split('.').reduce((object, key) => object && object[key], module);
    if (!found) {
        throw new HandlerNotFound(`${handler} is undefined or not exported`);
    }
    if (typeof found !== 'function') {
        throw new HandlerNotFound(`${handler} is not a function`);
    }
    return found;
}

async function loadModule(taskRoot, folder, name) {
    try {
        const file = findFile(path.resolve(taskRoot, folder, name));
        if (file !== undefined) {
            return isESModule(file) ? await import(pathToFileURL(file)) : require(file);
        }
        // Not a file of the bundle: a package in its node_modules or in a layer.
        return require(require.resolve(name, { paths: [taskRoot, path.join(taskRoot, folder)] }));
    } catch (error) {
        if (error instanceof SyntaxError) {
            throw new UserCodeSyntaxError(error);
        }
        if (error?.code === 'MODULE_NOT_FOUND') {
            throw new ImportModuleError(error);
        }
        throw error;
    }
}

function findFile(file) {
    return ['', '.js', '.mjs', '.cjs'].map((extension) => file + extension).find((candidate) => existsSync(candidate));
}

/** Node's rule: the extension decides; for .js, "type" in the nearest package.json. */
function isESModule(file) {
    switch (path.extname(file)) {
        case '.mjs':
            return true;
        case '.js':
            return nearestPackageType(path.dirname(file)) === 'module';
        default:
            return false;
    }
}

function nearestPackageType(folder) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) {
        try {
            return require(manifest).type;
        } catch (error) {
            console.warn(`${manifest} cannot be read, it will be ignored for ES module detection purposes.`, error);
            return undefined;
        }
    }
    const parent = path.dirname(folder);
    return parent === folder || folder.endsWith('/node_modules') ? undefined : nearestPackageType(parent);
}
