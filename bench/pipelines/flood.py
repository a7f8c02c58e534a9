"""As many lines as asked for, as fast as Python can write them."""

import os
import sys

count = int(os.environ.get("LINES", "1000000"))
write = sys.stdout.write
for number in range(count):
    write(f"line {number:09d} of a flood that is written as fast as the script can write it, 80 b\n")
