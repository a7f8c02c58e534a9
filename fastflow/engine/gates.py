"""Numbered gates between a program and its world, so a test can make any single call fail or be the last.

A gated object is used like the object itself. Each call of a public async method, and each step of an async
iterator it returns, passes one gate; a fault at that gate is one of the four things that can happen to a
call: it never arrived, its answer was lost, the process died before it, the process died after it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

T = TypeVar("T")

Kind = Literal["fail_before", "fail_after", "crash_before", "crash_after"]
KINDS: tuple[Kind, ...] = ("fail_before", "fail_after", "crash_before", "crash_after")


class Crash(BaseException):
    """The process died here; nothing it would still have done happens."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What happens at one gate, once."""

    call: int
    """Counted from 1: over all calls, or over the calls named `of`."""
    kind: Kind
    of: str | None = None
    """`store.append`, `engine.create`; None counts every call."""


Failure: TypeAlias = Callable[[], Exception]
_END = object()


class Gates:
    """The gates of one process's life; a process born again after a crash gets new ones."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        self.passed: list[str] = []
        """The names of the calls so far, in order: a run without faults shows what there is to break."""
        self.crashed = asyncio.Event()
        self._named: Counter[str] = Counter()

    def guard(self, name: str, world: T, failure: Failure) -> T:
        """The same object, every public async method behind a gate; `failure` makes the error of a fail."""

        def get(_: object, attribute: str) -> Any:
            value = getattr(world, attribute)
            if attribute.startswith("_"):
                return value
            return self._gated(f"{name}.{attribute}", value, failure)

        def put(_: object, attribute: str, value: object) -> None:
            setattr(world, attribute, value)

        kind: type[T] = type(
            f"Gated{type(world).__name__}",
            (type(world),),
            {"__getattribute__": get, "__setattr__": put, "__slots__": ()},
        )
        return kind.__new__(kind)

    def _gated(self, name: str, value: Any, failure: Failure) -> Any:
        if inspect.iscoroutinefunction(value):

            async def call(*arguments: Any, **named: Any) -> Any:
                return await self._pass(name, lambda: value(*arguments, **named), failure)

            return call
        if inspect.isasyncgenfunction(value):

            def steps(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
                return self._steps(name, value(*arguments, **named), failure)

            return steps
        return value

    async def _steps(self, name: str, source: Any, failure: Failure) -> AsyncIterator[Any]:
        async def step() -> Any:
            return await anext(source, _END)

        try:
            while (item := await self._pass(name, step, failure)) is not _END:
                yield item
        finally:
            await source.aclose()

    async def _pass(self, name: str, call: Callable[[], Awaitable[T]], failure: Failure) -> T:
        if self.crashed.is_set():
            raise Crash(name)
        self.passed.append(name)
        self._named[name] += 1
        match self._fault(name):
            case "fail_before":
                raise failure()
            case "crash_before":
                self._crash(name)
            case "fail_after":
                await call()
                raise failure()
            case "crash_after":
                await call()
                self._crash(name)
            case None:
                pass
        result = await call()
        if self.crashed.is_set():
            raise Crash(name)
        return result

    def _fault(self, name: str) -> Kind | None:
        for fault in self.faults:
            number = len(self.passed) if fault.of is None else self._named[name]
            if fault.call == number and fault.of in {None, name}:
                return fault.kind
        return None

    def _crash(self, name: str) -> NoReturn:
        self.crashed.set()
        raise Crash(name)
