"""A line every hundredth of a second, for ever."""

import itertools
import time

for number in itertools.count():
    print(f"tick {number}", flush=True)
    time.sleep(0.01)
