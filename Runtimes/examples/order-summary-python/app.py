"""Totals of an order, by currency: a JSON-to-JSON function as there are many."""

from collections import defaultdict
from decimal import Decimal, InvalidOperation


class InvalidOrder(Exception):
    """The caller's mistake; its name reaches them as `errorType`."""


def handler(event, context):
    """`event`: {"items": [{"price" (text), "quantity", "currency"}]}. Prices are text, so that no cent is lost."""
    items = event.get("items")
    if not isinstance(items, list) or not items:
        raise InvalidOrder("an order needs a list `items` with at least one entry")
    totals = defaultdict(Decimal)
    for number, item in enumerate(items, start=1):
        currency, amount = _amount(number, item)
        totals[currency] += amount
    return {
        "items": len(items),
        "totals": [{"currency": currency, "amount": f"{total:.2f}"} for currency, total in sorted(totals.items())],
    }


def _amount(number, item):
    try:
        return item["currency"], Decimal(item["price"]) * int(item.get("quantity", 1))
    except KeyError as error:
        raise InvalidOrder(f"item {number} has no {error.args[0]}") from error
    except (InvalidOperation, TypeError, ValueError) as error:
        raise InvalidOrder(f"item {number} has a price or quantity that is no number") from error
