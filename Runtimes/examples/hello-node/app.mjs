// The smallest useful handler: greets whom the event names.
export const handler = async (event, context) => {
    const name = event.name ?? 'world';
    console.log(`greeting ${name} in call ${context.awsRequestId}`);
    return { message: `Hello, ${name}!`, function: context.functionName };
};
