"""What the daemon is asked for a log."""

from __future__ import annotations

from fastflow.engine.docker_logs import query


def test_the_time_is_asked_for_to_the_nanosecond() -> None:
    assert query(1_800_000_000_000_000_007, follow=False)["since"] == "1800000000.000000007"
    assert "since" not in query(0, follow=True)
