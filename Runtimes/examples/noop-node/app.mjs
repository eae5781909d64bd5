// Does nothing: what is left is the cost of the call.
export const handler = async (event) => event;
