"""Tasks beside an `async with` block."""

from __future__ import annotations

import asyncio

import pytest

from events.background import Background


class Broken(Exception):
    """Something is wrong."""


class Owner:
    """Somebody with a task."""

    def __init__(self) -> None:
        self.background = Background()
        self.ended = False
        self.crash = asyncio.Event()

    async def __aenter__(self) -> Owner:  # noqa: PYI034
        await self.background.begin(work=self.work())
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        await self.background.end(error)

    async def work(self) -> None:
        try:
            await self.crash.wait()
            raise Broken("the task")
        finally:
            self.ended = True


async def test_the_end_of_the_block_ends_the_task() -> None:
    async with Owner() as owner:
        await asyncio.sleep(0)
    assert owner.ended


async def test_an_error_of_the_block_stays_what_it_is() -> None:
    with pytest.raises(Broken, match="the block"):
        async with Owner():
            raise Broken("the block")


async def test_a_crash_of_the_task_ends_the_block() -> None:
    async def block() -> None:
        async with Owner() as owner:
            owner.crash.set()
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert caught.group_contains(Broken, match="the task")


async def test_cancelling_the_block_is_passed_on() -> None:
    entered = asyncio.Event()

    async def block() -> None:
        async with Owner():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
