"""Small stages for tests: each does one thing that the engine must get right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from streams.engine import Outgoing, Record, Rows


def key_of(record: Record) -> str:
    """A record's key as text."""
    return (record.key or b"").decode()


class Count:
    """Counts the records of each key and tells the count."""

    def __init__(self, output: str, table: str = "counts") -> None:
        self.output = output
        self.table = table
        self.batches: list[int] = []
        self.forgotten: list[int] = []

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Read, add one, write, per record."""
        self.batches.append(len(batch))
        outputs: list[Outgoing] = []
        for record in batch:
            key = key_of(record)
            count = str(int(rows.get(self.table, key) or b"0") + 1).encode()
            rows.put(self.table, key, count)
            outputs.append(
                Outgoing(self.output, record.key, count, (("from", record.value or b""),))
            )
        return outputs

    def forget(self, partition: int) -> None:
        """Note that a partition went."""
        self.forgotten.append(partition)


class CountUntil(Count):
    """As ``Count``, until ``reason`` says for a record that it cannot be handled."""

    def __init__(self, output: str, reason: Callable[[Record], Exception | None]) -> None:
        super().__init__(output)
        self.reason = reason

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Raise in the middle of a batch, after rows were put."""
        outputs: list[Outgoing] = []
        for record in batch:
            error = self.reason(record)
            if error is not None:
                raise error
            outputs.extend(super().handle([record], rows))
        return outputs


class Calls:
    """Keeps a ledger by value; a record whose value is in ``held`` waits until it is let go."""

    def __init__(self, output: str) -> None:
        self.output = output
        self.held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.finished: list[str] = []
        self.cancelled: list[str] = []
        self.running = 0
        self.most = 0

    def hold(self, value: str) -> asyncio.Event:
        """Have this value wait for the event returned."""
        return self.held.setdefault(value, asyncio.Event())

    def key(self, record: Record) -> str:
        """One lane per key."""
        return key_of(record)

    async def handle(self, record: Record, rows: Rows) -> Sequence[Outgoing]:
        """Call unless the ledger knows the value; answer either way."""
        value = (record.value or b"").decode()
        known = rows.get("ledger", value)
        if known is None:
            await self._call(value)
            rows.put("ledger", value, b"done")
        self.finished.append(value)
        return [Outgoing(self.output, record.key, record.value)]

    async def _call(self, value: str) -> None:
        self.calls.append(value)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if value in self.held:
                await self.held[value].wait()
            else:
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(value)
            raise
        finally:
            self.running -= 1
