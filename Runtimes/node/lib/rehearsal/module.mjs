/** Loaded once by warmup.mjs, to no effect but that loading an ES module has been done before. */
export const handler = async (event) => event;
