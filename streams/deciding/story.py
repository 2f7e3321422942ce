"""A record's story in audit lines: what happened, in words for people (pure)."""

from __future__ import annotations

from streams.deciding.absorb import Absorbed
from streams.deciding.aliases import Aliased
from streams.deciding.owners import Owned
from streams.deciding.times import happened_at
from streams.flows.shape import Cause, Note, NoteKind
from streams.messages.audit import AuditEvent, AuditLine
from streams.messages.commands import AnyCommand
from streams.messages.facts import (
    AliasKnown,
    ColumnsKnown,
    DocumentTold,
    EcmEvent,
    FolderOwned,
    Operation,
    Origin,
    RecordChange,
    StageChanged,
    WorkspaceEvent,
    WorkspaceKnown,
    WorkspaceOwned,
)
from streams.messages.outcomes import Outcome, WorkspaceEnsured, WriteRefused
from tables.keys import RecordRef

_VERBS = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.UPSERT: "seen",
    Operation.DELETE: "deleted",
}

_NOTES = {
    NoteKind.GATE_VIOLATED: AuditEvent.VIOLATED,
    NoteKind.APPROVAL_OVERDUE: AuditEvent.OVERDUE,
}


def of_cause(cause: Cause, absorbed: Absorbed) -> list[AuditLine]:
    """The line about what came in; nothing for questions between records."""
    match cause:
        case RecordChange():
            return [_change(cause, absorbed)]
        case Outcome():
            return [_outcome(cause)]
        case WorkspaceEvent():
            return [_happened(cause.record.key, cause.event)]
        case EcmEvent():
            return [_happened(cause.key, cause)]
        case StageChanged():
            words = f"process moved to stage {cause.stage}" if cause.stage else "process is gone"
            return [_told(cause.key, cause.at_ms, words)]
        case WorkspaceKnown():
            found = cause.workspace_id
            has = f"has workspace {found}" if found else "is gone and left no workspace"
            return [_told(cause.key, cause.told_ms, f"{cause.about} {has}")]
        case FolderOwned():
            words = f"folder {cause.folder_id} is that of {cause.owner}"
            return [_told(cause.key, cause.told_ms, words)]
        case DocumentTold():
            words = f"document {cause.document_id} concerns it"
            return [_told(cause.key, cause.told_ms, words)]
        case ColumnsKnown():
            return [_told(cause.key, cause.told_ms, f"columns of {cause.about} are known")]
    return []


def of_command(command: AnyCommand, at_ms: int) -> AuditLine:
    """The line about a command that was not asked for before."""
    return AuditLine(
        at_ms=at_ms,
        subject=command.key,
        event=AuditEvent.COMMANDED,
        summary=f"{command.kind} for step {command.step}",
        rule=command.rule,
        step=command.step,
        command_id=command.id,
    )


def of_note(note: Note, record: RecordRef, at_ms: int) -> AuditLine:
    """The line about something that people have to hear of."""
    return AuditLine(
        at_ms=at_ms,
        subject=record.key,
        event=_NOTES[note.kind],
        summary=note.words,
        rule=note.rule,
    )


def of_owner(cause: EcmEvent | WorkspaceOwned, owned: Owned) -> list[AuditLine]:
    """The line about an event that waits for its workspace's owner, or about those released."""
    if isinstance(cause, EcmEvent) and owned.held:
        words = f"{_event_words(cause)} waits: the workspace has no owner yet"
        return [_line(cause.key, cause.at_ms, AuditEvent.HELD, words, cause.origin)]
    if owned.told:
        words = f"{len(owned.told)} event(s) sent on to {owned.row.record}"
        return [_line(cause.key, happened_at(cause), AuditEvent.RELEASED, words)]
    return []


def of_alias(cause: AliasKnown | RecordChange, aliased: Aliased) -> list[AuditLine]:
    """The line about a change that waits for its record's name, or about those sent on."""
    if aliased.held and isinstance(cause, RecordChange):
        words = f"{_VERBS[cause.operation]}, waits: no change has told yet which record this is"
        return [_line(cause.key, cause.at_ms, AuditEvent.HELD, words, cause.origin)]
    if aliased.told:
        words = f"{len(aliased.told)} change(s) sent on to {aliased.row.record}"
        return [_line(cause.key, cause.at_ms, AuditEvent.RELEASED, words)]
    return []


def _change(change: RecordChange, absorbed: Absorbed) -> AuditLine:
    verb = _VERBS[change.operation]
    if absorbed.skip is not None:
        event, words = AuditEvent.SKIPPED, f"{verb}, left aside: {absorbed.skip.value}"
    elif change.thin:
        event, words = AuditEvent.CHANGED, f"{verb}, but the message was cut off: read again"
    else:
        columns = ", ".join(sorted(absorbed.changed)) or "nothing new"
        event, words = AuditEvent.CHANGED, f"{verb}: {columns}"
    return _line(change.key, change.at_ms, event, words, change.origin)


def _outcome(outcome: Outcome) -> AuditLine:
    event, words = AuditEvent.DONE, f"{outcome.command} done"
    if isinstance(outcome, WriteRefused):
        event = AuditEvent.REFUSED
        words = f"{outcome.command} refused: {outcome.code}: {outcome.message}"
    elif isinstance(outcome, WorkspaceEnsured):
        how = "created" if outcome.created else "found"
        words = f"workspace {outcome.workspace_id} {how}: {outcome.name}"
    return AuditLine(
        at_ms=outcome.at_ms,
        subject=outcome.key,
        event=event,
        summary=words,
        rule=outcome.rule,
        step=outcome.step,
        command_id=outcome.command_id,
    )


def _event_words(event: EcmEvent) -> str:
    document = f", document {event.document.id} v{event.document.version}" if event.document else ""
    return f"{event.event}{document}"


def _happened(subject: str, event: EcmEvent) -> AuditLine:
    return _line(subject, event.at_ms, AuditEvent.TOLD, _event_words(event), event.origin)


def _told(subject: str, at_ms: int, words: str) -> AuditLine:
    return _line(subject, at_ms, AuditEvent.TOLD, words)


def _line(
    subject: str, at_ms: int, event: AuditEvent, words: str, origin: Origin | None = None
) -> AuditLine:
    source = (
        f"{origin.format} {origin.topic}/{origin.partition}/{origin.offset}" if origin else None
    )
    return AuditLine(at_ms=at_ms, subject=subject, event=event, summary=words, source=source)
