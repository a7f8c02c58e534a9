"""`python -m bench [NAME ...]`: measure, and print one JSON line for each figure."""

from __future__ import annotations

import asyncio
import importlib
import sys

NAMES = ("start", "flood", "append", "rebuild", "memory", "recover", "million")


def main() -> None:
    """Run the named benchmarks, or all of them."""
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    for name in wanted:
        asyncio.run(importlib.import_module(f"bench.{name}").main())


if __name__ == "__main__":
    main()
