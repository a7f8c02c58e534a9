"""Writes a lot, on both streams, in colour: LINES lines as fast as it can."""

import os
import sys
import time

LINES = int(os.environ.get("LINES", "20000"))
WORDS = "the quick brown fox jumps over the lazy dog while nobody is looking at all".split()
COLOURS = {"INFO": 32, "DEBUG": 36, "WARNING": 33}

began = time.perf_counter()
for number in range(1, LINES + 1):
    words = " ".join(WORDS[(number + step) % len(WORDS)] for step in range(3 + number % 9))
    level = "WARNING" if number % 100 == 0 else "DEBUG" if number % 7 == 0 else "INFO"
    stream = sys.stderr if level == "WARNING" else sys.stdout
    stream.write(f"\x1b[{COLOURS[level]}m{level:<7}\x1b[0m {number:>8} {words}\n")

sys.stdout.flush()
seconds = time.perf_counter() - began
print(f"{LINES:,} lines in {seconds:.2f} s, {LINES / seconds:,.0f} lines/s")
