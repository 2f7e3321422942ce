"""The lines of a story in the order in which it happened (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from streams.messages.audit import AuditEvent, AuditLine

#: What a decision says after the line about its cause.
_OF_A_DECISION = frozenset({AuditEvent.COMMANDED, AuditEvent.VIOLATED, AuditEvent.OVERDUE})


def in_order(told: Iterable[AuditLine]) -> list[AuditLine]:
    """Sort lines that come in the order in which they were told; of equal ones that order stays.

    What a system told stands at its own time, however late it came, and what was decided about it
    with it. The clocks of the systems and of the workers differ and Dataverse's has whole seconds,
    so what Dovetail did and what records told each other never stands before what it did earlier.
    """
    placed: list[tuple[int, AuditLine]] = []
    cause_ms = cause_place = own_place = 0
    for line in told:
        if line.event in _OF_A_DECISION and line.at_ms == cause_ms:
            place = cause_place
        elif line.source is not None:
            place = line.at_ms
        else:
            place = max(line.at_ms, own_place)
        if line.source is None:
            own_place = max(own_place, place)
        if line.event not in _OF_A_DECISION:
            cause_ms, cause_place = line.at_ms, place
        placed.append((place, line))
    return [line for _, line in sorted(placed, key=lambda one: one[0])]
