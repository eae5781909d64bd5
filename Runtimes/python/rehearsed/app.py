"""The function that `rehearsal` loads and calls."""


def handler(event, context):
    """Give the event back."""
    return event
