/** Loaded once by warmup.mjs, to no effect but that loading a CommonJS module has been done before. */
exports.handler = async (event) => event;
