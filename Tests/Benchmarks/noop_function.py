"""A no-op handler in the style of functions-framework."""


def handler(request):
    request.get_json()
    return "null", 200, {"Content-Type": "application/json"}
