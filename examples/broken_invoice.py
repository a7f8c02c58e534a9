"""Fails on purpose: the third invoice has a typing mistake, and the traceback says where it hurt."""

from decimal import Decimal, InvalidOperation

INVOICES = """\
2025-001;Lovelace Ltd;1200.00
2025-002;Hopper & Sons;87.50
2025-003;Hamilton GmbH;12O0.00
2025-004;Liskov AG;310.25
"""


class BadInvoice(ValueError):
    """An invoice that nobody should book."""


def amount(line: str) -> Decimal:
    number, customer, text = line.split(";")
    try:
        return Decimal(text)
    except InvalidOperation as problem:
        raise BadInvoice(f"invoice {number} of {customer}: {text!r} is not an amount") from problem


total = Decimal(0)
for position, line in enumerate(INVOICES.splitlines(), 1):
    print(f"booking {line}")
    total += amount(line)
print(f"total {total}")
