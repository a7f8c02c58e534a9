"""A repayment plan as a table: one file that brings its dependencies along (PEP 723).

Change a variable, here or when you start a run, and the plan changes: AMOUNT, RATE_PERCENT, YEARS.
"""

# /// script
# requires-python = ">=3.11"
# dependencies = ["tabulate>=0.9"]
#
# [tool.fastflow]
# description = "Repayment plan of a loan, as a table; its one dependency stands in the script itself"
# tags = ["example", "finance"]
# timeout = 60
# mem_hard_limit = "256m"
# default_env = { AMOUNT = "240000", RATE_PERCENT = "3.4", YEARS = "20" }
# ///

import os

from tabulate import tabulate


def yearly_plan(amount: float, rate: float, years: int):
    """One row per year: what is paid, how much of it is interest, what is left."""
    monthly_rate = rate / 12
    payment = amount * monthly_rate / (1 - (1 + monthly_rate) ** (-12 * years))
    left = amount
    for year in range(1, years + 1):
        interest = 0.0
        for _ in range(12):
            interest += left * monthly_rate
            left += left * monthly_rate - payment
        yield year, 12 * payment, interest, max(left, 0.0)


amount = float(os.environ.get("AMOUNT", "240000"))
rate_percent = float(os.environ.get("RATE_PERCENT", "3.4"))
years = int(os.environ.get("YEARS", "20"))

rows = list(yearly_plan(amount, rate_percent / 100, years))
print(f"{amount:,.0f} over {years} years at {rate_percent} %\n")
headers = ["year", "paid", "interest", "left"]
print(tabulate(rows, headers, floatfmt=",.2f", tablefmt="rounded_outline"))
print(f"\n::notice The loan costs {sum(row[2] for row in rows):,.2f} in interest")
