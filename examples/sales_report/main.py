"""Turns the sales of a year (sales.csv, beside this file) into a report."""

import os
from pathlib import Path

import pandas

TOP = int(os.environ.get("TOP", "3"))

print("::step read")
sales = pandas.read_csv(Path(__file__).with_name("sales.csv"), parse_dates=["date"])
sales["revenue"] = sales["units"] * sales["unit_price"]
print(f"{len(sales)} sales from {sales['date'].min():%d %B %Y} to {sales['date'].max():%d %B %Y}")

print("::step summarise")
by_month = sales.groupby(sales["date"].dt.strftime("%Y-%m"))["revenue"].sum()
by_region = sales.pivot_table("revenue", "region", "product", aggfunc="sum", fill_value=0)
best = sales.groupby("product")["revenue"].sum().nlargest(TOP)

print("::step report")
print("\nRevenue by month\n")
for month, revenue in by_month.items():
    print(f"  {month} {revenue:>12,.2f}  {'█' * round(30 * revenue / by_month.max())}")

print("\nRevenue by region and product\n")
print(by_region.to_string(float_format="{:,.2f}".format))

print(f"\nThe best {TOP} products\n")
for place, (product, revenue) in enumerate(best.items(), 1):
    print(f"  {place}. {product:<10} {revenue:>12,.2f}")

weakest = by_month.idxmin()
print(f"\n::notice Total {by_month.sum():,.2f}; the weakest month was {weakest}")
