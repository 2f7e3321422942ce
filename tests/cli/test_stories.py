"""A story's lines: at their own time what systems told, behind its cause what came of it."""

from __future__ import annotations

from app.cli.stories import in_order
from streams.messages.audit import AuditEvent, AuditLine

START = 1_700_000_000_000


def line(event: AuditEvent, ms: int, words: str, *, source: str | None = None) -> AuditLine:
    return AuditLine(
        at_ms=START + ms, subject="account:1", event=event, summary=words, source=source
    )


def changed(ms: int, words: str) -> AuditLine:
    return line(AuditEvent.CHANGED, ms, words, source="rec changes/0/1")


def commanded(ms: int, words: str) -> AuditLine:
    return line(AuditEvent.COMMANDED, ms, words)


def done(ms: int, words: str) -> AuditLine:
    return line(AuditEvent.DONE, ms, words)


def words(*told: AuditLine) -> list[str]:
    return [line.summary for line in in_order(told)]


def test_lines_of_one_time_stay_as_they_were_told() -> None:
    told = [changed(0, "created"), commanded(0, "workspace"), commanded(0, "read")]
    assert in_order(told) == told


def test_a_command_stands_behind_the_outcome_that_led_to_it() -> None:
    told = [
        changed(0, "created"),
        commanded(0, "workspace"),
        done(230, "workspace made"),
        commanded(230, "role"),
        done(400, "role given"),
    ]
    assert in_order(told) == told


def test_an_outcome_of_a_clock_that_is_behind_stands_behind_its_command() -> None:
    assert words(
        changed(3000, "created"),
        commanded(3000, "workspace"),
        done(500, "workspace made"),
        commanded(500, "role"),
        done(700, "role given"),
    ) == ["created", "workspace", "workspace made", "role", "role given"]


def test_what_came_late_stands_at_its_own_time_with_what_was_decided_about_it() -> None:
    assert words(
        changed(5000, "renamed"),
        commanded(5000, "name"),
        done(5200, "name set"),
        changed(1000, "owner changed"),
        commanded(1000, "role"),
        done(5600, "role given"),
    ) == ["owner changed", "role", "renamed", "name", "name set", "role given"]


def test_what_a_record_was_told_stands_behind_what_was_done_before() -> None:
    """The other record answered at once, by what happened before ours had its workspace."""
    assert words(
        changed(0, "created"),
        done(230, "workspace made"),
        line(AuditEvent.TOLD, 0, "account has a workspace"),
        commanded(0, "relate"),
    ) == ["created", "workspace made", "account has a workspace", "relate"]


def test_an_event_of_extended_ecm_stands_at_its_own_time() -> None:
    assert words(
        changed(0, "created"),
        done(900, "workspace made"),
        line(AuditEvent.TOLD, 500, "signed", source="ecm events/0/2"),
        commanded(500, "status"),
    ) == ["created", "signed", "status", "workspace made"]


def test_a_note_stays_with_the_change_that_it_is_about() -> None:
    assert words(
        done(9000, "gate told"),
        changed(2000, "finalised"),
        line(AuditEvent.VIOLATED, 2000, "papers were missing"),
    ) == ["finalised", "papers were missing", "gate told"]


def test_what_became_overdue_stands_at_its_own_time_and_not_with_what_was_told_before_it() -> None:
    """Time that passes is told by no line of its own."""
    assert words(
        changed(0, "requested"),
        done(5000, "workflow started"),
        changed(1000, "owner changed"),
        line(AuditEvent.OVERDUE, 9000, "nobody decided"),
    ) == ["requested", "owner changed", "workflow started", "nobody decided"]


def test_what_was_done_about_something_late_takes_nothing_back_that_was_done_before() -> None:
    assert words(
        changed(5000, "renamed"),
        done(5200, "name set"),
        changed(1000, "owner changed"),
        commanded(1000, "role"),
        done(1100, "role given by a clock that is behind"),
    ) == [
        "owner changed",
        "role",
        "renamed",
        "name set",
        "role given by a clock that is behind",
    ]
