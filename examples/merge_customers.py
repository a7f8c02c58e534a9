"""Merges two customer lists in steps, and tells how far it is: watch the bar on the run's page."""

import json
import os
import random
import tempfile
import time
import unicodedata

FIRST = ["Ada", "Grace", "Linus", "Margaret", "Dennis", "Barbara", "Edsger", "Frances", "Ken", "Radia"]
LAST = ["Lovelace", "Hopper", "Núñez", "Hamilton", "Ritchie", "Liskov", "Dijkstra", "Allen", "Müller", "Perlman"]
BATCHES = 10


def customers(source: str, count: int):
    """As another system might have them: accents lost, spaces doubled, capitals anywhere."""
    chance = random.Random(source)
    for number in range(count):
        name = f"{chance.choice(FIRST)}  {chance.choice(LAST)} {chance.randrange(60)}"
        spelt = chance.choice([str, str.upper, str.lower])(name)
        yield {"id": f"{source}-{number}", "name": spelt}


def key(name: str) -> str:
    """What two spellings of one name have in common."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(plain.casefold().split())


print("::step load")
records = [*customers("shop", 2_000), *customers("newsletter", 3_000)]
print(f"{len(records):,} records from 2 systems")

print("::step match")
pause = float(os.environ.get("PAUSE_SECONDS", "0.4"))
merged: dict[str, list[str]] = {}
for batch in range(BATCHES):
    for record in records[batch::BATCHES]:
        merged.setdefault(key(record["name"]), []).append(record["id"])
    print(f"::progress {batch + 1}/{BATCHES} Matching batch {batch + 1}")
    print(f"batch {batch + 1}: {len(merged):,} different customers so far")
    time.sleep(pause)

print("::step write")
path = os.path.join(tempfile.gettempdir(), "customers.json")
with open(path, "w", encoding="utf-8") as file:
    json.dump(merged, file, indent=1)
often = max(merged, key=lambda name: len(merged[name]))
print(f"{path}: {os.path.getsize(path):,} bytes")
print(f"::warning {often!r} came {len(merged[often])} times; look at that one by hand")
print(f"{len(records):,} records are {len(merged):,} customers")
