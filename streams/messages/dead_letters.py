"""Dead letters: messages that can never be understood, kept exactly as they came.

Key, value and headers of the original stay untouched; what we know of the failure is added in
``dovetail-dlq-*`` headers (after Kafka Connect's and Spring's, reference/sre-ecosystem.md 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "dovetail-dlq-"
#: Long enough to show the fault, short enough that a replayed letter never outgrows the broker.
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message became a dead letter, and where it came from."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    stage: str
    code: str
    message: str

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers that are added to the original's."""
        fields = {
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "timestamp": str(self.timestamp_ms),
            "stage": self.stage,
            "error": self.code,
            "message": self.message[:_MESSAGE_LIMIT],
        }
        return tuple(
            (PREFIX + name, value.encode("utf-8", "backslashreplace"))
            for name, value in fields.items()
        )

    @classmethod
    def of(cls, headers: tuple[tuple[str, bytes], ...]) -> Failure | None:
        """Read the failure back from a dead letter's headers; None when it has none."""
        found = {
            name.removeprefix(PREFIX): value.decode("utf-8", "replace")
            for name, value in headers
            if name.startswith(PREFIX)
        }
        try:
            return cls(
                topic=found["topic"],
                partition=int(found["partition"]),
                offset=int(found["offset"]),
                timestamp_ms=int(found["timestamp"]),
                stage=found["stage"],
                code=found["error"],
                message=found["message"],
            )
        except (KeyError, ValueError):
            return None


def original_headers(headers: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    """The headers as the producer sent them: what we added is taken off again."""
    return tuple((name, value) for name, value in headers if not name.startswith(PREFIX))
