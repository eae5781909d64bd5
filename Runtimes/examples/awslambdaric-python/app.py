"""Shows through which client it runs."""

import sys


def handler(event, context):
    return {"event": event, "requestId": context.aws_request_id, "awslambdaric": "awslambdaric" in sys.modules}
