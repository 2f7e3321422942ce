"""An asynchronous client as a blocking one, so that the same suites drive both kinds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self


class Blocking:
    """An object of an asynchronous library; what it makes of its own kind is wrapped as well.

    ``package`` tells the library's objects from plain values. Coroutines are run to their end and
    asynchronous iterators become plain ones, all on one event loop that is otherwise idle.
    """

    def __init__(self, inner: Any, runner: asyncio.Runner, package: str) -> None:
        self.inner = inner
        self._runner = runner
        self._package = package

    def __getattr__(self, name: str) -> Any:
        return self._wrapped(getattr(self.inner, name))

    def __enter__(self) -> Self:
        if hasattr(self.inner, "__aenter__"):
            self._settled(self.inner.__aenter__())
        else:
            self.inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if hasattr(self.inner, "__aexit__"):
            self._settled(self.inner.__aexit__(*error))
        else:
            self.inner.__exit__(*error)

    def _wrapped(self, value: Any) -> Any:
        if inspect.isroutine(value):
            return self._calling(value)
        if type(value).__module__.startswith(self._package):
            return Blocking(value, self._runner, self._package)
        return value

    def _calling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            value = function(*arguments, **named)
            if value is self.inner:
                return self
            if inspect.isasyncgen(value):
                return self._items(value)
            return self._wrapped(self._settled(value) if inspect.iscoroutine(value) else value)

        return call

    def _settled(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def _items(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> tuple[bool, Any]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        while (found := self._settled(following()))[0]:
            yield found[1]
