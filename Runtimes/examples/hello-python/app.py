"""The smallest useful handler: greets whom the event names."""


def handler(event, context):
    name = event.get("name", "world")
    print(f"greeting {name} in call {context.aws_request_id}")
    return {"message": f"Hello, {name}!", "function": context.function_name}
