"""Identifiers that sort by the time they were made (RFC 9562, version 7)."""

from __future__ import annotations

import os
import time
import uuid


def uuid7() -> uuid.UUID:
    """A new identifier: 48 bits of milliseconds, 74 bits of chance."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10))
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (chance >> 68)
    low = 0x8000_0000_0000_0000 | (chance & 0x3FFF_FFFF_FFFF_FFFF)
    return uuid.UUID(int=high << 64 | low)
