"""Runs for minutes, a line a second; asked to stop, it finishes what it is doing and says so."""

import os
import signal
import sys
import time

TICKS = int(os.environ.get("TICKS", "300"))


def stop(number, _frame):
    raise SystemExit(f"{signal.Signals(number).name} received")


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)

began = time.monotonic()
done = 0
try:
    for tick in range(1, TICKS + 1):
        time.sleep(max(0.0, began + tick - time.monotonic()))
        done = tick
        load = os.getloadavg()[0]
        print(f"{time.strftime('%H:%M:%S')} second {tick} of {TICKS}, load {load:.2f}", flush=True)
        if tick % 10 == 0:
            print(f"::progress {tick}/{TICKS} Counting", flush=True)
except SystemExit as reason:
    print(f"{reason}: putting everything in order after {done} seconds", flush=True)
    time.sleep(0.5)
    print("stopped in good order", flush=True)
    sys.exit(143)
print("counted to the end")
