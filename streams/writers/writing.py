"""What both writers share: one command at a time per record, carried out until there is an outcome.

The ledger answers a command that was carried out before. Every call is safe to repeat, so a crash
between the call and the ledger costs a second look, never a second effect.
"""

from __future__ import annotations

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import TypeAdapter

from streams.engine.records import Outgoing, Record, Rows
from streams.errors import (
    Conflict,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
    Unreadable,
)
from streams.guard import Guard
from streams.messages.commands import AnyCommand
from streams.messages.outcomes import AnyOutcome, WriteRefused
from streams.metrics import Metrics
from streams.own_messages import read_own
from streams.topics import OUTCOMES
from streams.writers.patience import Backoff, Breaker, Clock, Limiter
from tables.ledgers import LedgerRow

log = logging.getLogger(__name__)

#: So often is a failure repeated that is neither an outage nor a throttle, nor a lost race.
_ATTEMPTS = 10
#: These are waited out for as long as they last.
_WAITED_OUT = (Throttled, Unavailable, TokenExpired, Conflict)


@dataclass
class Patience:
    """The limits of one outside system, shared by all lanes of its writer."""

    limiter: Limiter
    breaker: Breaker
    clock: Clock
    backoff: Backoff = field(default_factory=Backoff)
    chance: random.Random = field(default_factory=random.Random)


@dataclass
class Writer(ABC):
    """A stage that carries out commands; a subclass knows its system's calls."""

    metrics: Metrics
    guard: Guard
    patience: Patience

    name: ClassVar[str]
    system: ClassVar[str]
    ledger: ClassVar[str]
    commands: ClassVar[TypeAdapter[Any]]

    @abstractmethod
    async def carry_out(self, command: Any) -> AnyOutcome:
        """Make the command true and say so; raises Retryable, Refused or Misconfigured."""

    def is_remembered(self, command: AnyCommand) -> bool:
        """Whether the ledger may answer for the command."""
        return True

    def patience_with(self, command: AnyCommand) -> Patience:
        """The limits of the system that the command is for."""
        return self.patience

    def system_of(self, command: AnyCommand) -> str:
        """The name of that system, in metrics."""
        return self.system

    def key(self, record: Record) -> str:
        """The lane of a command: that of its record."""
        return (record.key or b"").decode("utf-8", "replace")

    async def handle(self, record: Record, rows: Rows) -> Sequence[Outgoing]:
        """Carry out one command; answer from the ledger when that was done before."""
        self.metrics.received.labels(self.name, record.topic).inc()
        sent = await self._handled(record, rows)
        for message in sent:
            self.metrics.emitted.labels(self.name, message.topic).inc()
        return sent

    async def _handled(self, record: Record, rows: Rows) -> Sequence[Outgoing]:
        try:
            command: AnyCommand = read_own(record, self.commands)
        except Unreadable as error:
            return [self.guard.dead_letter(record, error)]
        ledger = LedgerRow.from_bytes(rows.get(self.ledger, command.key))
        known = ledger.outcome_of(command.rule, command.step, command.id)
        if known is not None and self.is_remembered(command):
            self._count(command, "already_true")
            return [_outgoing(command, known.encode())]
        letters, outcome = await self._outcome(record, command)
        text = outcome.to_json()
        if isinstance(outcome, WriteRefused):
            after = ledger.forgotten(command.rule, command.step)
        else:
            after = ledger.done(command.rule, command.step, command.id, text.decode())
        if after is not ledger:
            rows.put(self.ledger, command.key, after.to_bytes())
        return [_outgoing(command, text), *letters]

    async def _outcome(
        self, record: Record, command: AnyCommand
    ) -> tuple[list[Outgoing], AnyOutcome]:
        """The outcome, and a dead letter when the fault is ours."""
        try:
            outcome = await self._persist(command)
        except Refused as refusal:
            self._count(command, "refused")
            self.metrics.refusals.labels(self.system_of(command), refusal.code).inc()
            log.warning(
                "refused: %s",
                refusal,
                extra={
                    "system": self.system_of(command),
                    "record": command.key,
                    "error": refusal.code,
                },
            )
            return [], self._refused(command, refusal.code, str(refusal))
        except Misconfigured:
            raise
        except Exception as error:  # a fault of ours: kept for us, and shown to people
            letter = self.guard.dead_letter(record, error)
            self._count(command, "dead_lettered")
            return [letter], self._refused(command, "unexpected_error", type(error).__name__)
        self.guard.passed()
        self._count(command, "done")
        if command.caused_at_ms:
            age = (outcome.at_ms - command.caused_at_ms) / 1000
            self.metrics.freshness.labels(self.system_of(command)).observe(max(0.0, age))
        return [], outcome

    async def _persist(self, command: AnyCommand) -> AnyOutcome:
        """Call until there is an outcome; an outage is waited out."""
        attempt, patience, system = 0, self.patience_with(command), self.system_of(command)
        while True:
            attempt += 1
            try:
                return await self._attempt(command)
            except Retryable as failure:
                if not isinstance(failure, _WAITED_OUT) and attempt >= _ATTEMPTS:
                    raise Refused(
                        f"failed {attempt} times: {failure}", code="retries_exhausted"
                    ) from failure
                self.metrics.write_retries.labels(system, failure.code).inc()
                log.info(
                    "will try again",
                    extra={
                        "system": system,
                        "record": command.key,
                        "error": failure.code,
                        "attempt": attempt,
                    },
                )
                pause = self._pause(patience, failure, attempt)
                if isinstance(failure, Throttled):
                    self.metrics.throttle_wait.labels(system).inc(pause)
                await patience.clock.sleep(pause)

    async def _attempt(self, command: AnyCommand) -> AnyOutcome:
        patience, system = self.patience_with(command), self.system_of(command)
        breaker, limiter = patience.breaker, patience.limiter
        try:
            while True:
                async with breaker.admitted() as probing, limiter.call():
                    if breaker.is_open and not probing:
                        continue  # it opened while this lane waited for its turn
                    self._show_limits(system, patience)
                    return await self._call(command, patience, probing)
        finally:
            self._show_limits(system, patience)

    async def _call(self, command: AnyCommand, patience: Patience, probing: bool) -> AnyOutcome:
        try:
            outcome = await self.carry_out(command)
        except Unavailable as failure:
            self._silent(command, patience.breaker, failure, probing)
            raise
        except Throttled as throttled:
            self._answered(command, patience.breaker)
            patience.limiter.pause(throttled.retry_after or 0.0)
            raise
        except (Refused, Conflict):
            self._answered(command, patience.breaker)  # it answered, so it is there
            raise
        self._answered(command, patience.breaker)
        return outcome

    def _silent(
        self, command: AnyCommand, breaker: Breaker, failure: Unavailable, probing: bool
    ) -> None:
        """Count the failure; say once that the circuit opened: with it the whole lane is held."""
        was_open = breaker.is_open
        breaker.failed(probing=probing)
        if breaker.is_open and not was_open:
            log.warning(
                "%s does not answer: its commands wait until it does",
                self.system_of(command),
                extra={"system": self.system_of(command), "error": str(failure)},
            )

    def _answered(self, command: AnyCommand, breaker: Breaker) -> None:
        was_open = breaker.is_open
        breaker.succeeded()
        if was_open:
            log.info(
                "%s answers again",
                self.system_of(command),
                extra={"system": self.system_of(command)},
            )

    def _pause(self, patience: Patience, failure: Retryable, attempt: int) -> float:
        own = patience.backoff.pause(attempt, patience.chance)
        return max(own, failure.retry_after or 0.0)

    def _show_limits(self, system: str, patience: Patience) -> None:
        metrics, limiter = self.metrics, patience.limiter
        metrics.slots.labels(system).set(limiter.calls_in_flight)
        metrics.slots_used.labels(system).set(limiter.in_flight)
        metrics.circuit_open.labels(system).set(patience.breaker.is_open)
        metrics.throttle_wait.labels(system).inc(limiter.waited_seconds)
        limiter.waited_seconds = 0.0

    def _count(self, command: AnyCommand, result: str) -> None:
        self.metrics.writes.labels(self.system_of(command), command.kind, result).inc()

    def _refused(self, command: AnyCommand, code: str, message: str) -> WriteRefused:
        return WriteRefused(**self.common(command), code=code, message=message)

    def common(self, command: AnyCommand) -> dict[str, Any]:
        """What every outcome brings back of its command."""
        return {
            "command_id": command.id,
            "command": command.kind,
            "rule": command.rule,
            "record": command.record,
            "step": command.step,
            "desired": command.desired,
            "at_ms": self.patience.clock.now_ms(),
            "caused_at_ms": command.caused_at_ms,
        }


def _outgoing(command: AnyCommand, outcome: bytes) -> Outgoing:
    return Outgoing(OUTCOMES.name, command.key.encode(), outcome)
