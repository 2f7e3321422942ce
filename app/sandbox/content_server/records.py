"""Records management: classifying, details, final records (reference/extended-ecm.md 7).

An item without details of its own has those of the container it lies in. Final and official records
are not deleted, final ones not changed either; neither is what is on hold deleted.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from app.sandbox.content_server import errors, holds
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.records_model import RecordDetails, RmClassification
from app.sandbox.content_server.store import Store

_DATES = ("record_date", "status_date", "received_date")
_CODES = {"essential": "essential", "storage": "storage", "file_status": "status"}


def details_of(store: Store, node: Node) -> tuple[RecordDetails, int | None] | None:
    """The details of the node, and whom it has them from (None: its own)."""
    current: Node | None = node
    while current is not None:
        found = store.records.details.get(current.id)
        if found is not None:
            return found, None if current is node else current.id
        current = store.nodes.get(current.parent_id)
    return None


def token(store: Store, node: Node) -> str:
    """The token that a change of details has to carry."""
    held = store.records.details.get(node.id)
    plain = f"{node.id}-{held.revision if held else 0}"
    return hashlib.md5(plain.encode(), usedforsecurity=False).hexdigest()


def outdate(store: Store, node: Node) -> None:
    """Make the present tokens of the node's details and categories stale."""
    for values in node.categories.values():
        values.revision += 1
    if held := store.records.details.get(node.id):
        held.revision += 1


def classify(
    store: Store, node: Node, class_id: int, given: Mapping[str, Any], actor: Member
) -> None:
    """Put the node into the file plan; a change to another class needs the metadata token.

    OpenText's own client sends no token for the first class, so none is asked for then.
    """
    kind = _classification(store, class_id)
    held = store.records.details.get(node.id)
    if held is not None and (held.class_id != class_id or given.get("rm_metadataToken")):
        _check_token(store, node, given)
    today = store.clock().date()
    if held is None or held.class_id != class_id:
        _check_changeable(store, node)
        revision = held.revision + 1 if held else 1
        store.records.details[node.id] = RecordDetails(
            class_id,
            kind.file_number,
            kind.rsi,
            today,
            today,
            essential=kind.essential,
            storage=kind.storage,
            revision=revision,
        )
        happened(store, "classification.changed", node, actor.id, {"classification": kind.name})
    _apply(store, store.records.details[node.id], given)


def check(store: Store, class_id: int, given: Mapping[str, Any]) -> None:
    """Refuse (400) a class that is not there, and details that it cannot have."""
    _classification(store, class_id)
    _changes(store, given)


def change(store: Store, node: Node, given: Mapping[str, Any], actor: Member) -> None:
    """Change details; the token has to be the present one (409 else)."""
    held = _own(store, node)
    _check_token(store, node, given)
    _apply(store, held, given)


def unclassify(store: Store, node: Node, class_id: int, actor: Member) -> None:
    """Take the node out of the file plan; a final record stays."""
    held = _own(store, node)
    if held.class_id != class_id:
        raise errors.ApiError(404, f"The classification {class_id} does not exist on this item.")
    _check_changeable(store, node)
    del store.records.details[node.id]
    happened(store, "classification.changed", node, actor.id, {"classification": None})


def set_rsi(store: Store, node: Node, class_id: int, rsi: str) -> None:
    """Give the node another retention schedule than its class has; empty takes it away."""
    held = _own(store, node)
    if held.class_id != class_id:
        raise errors.ApiError(404, f"The classification {class_id} does not exist on this item.")
    _check_rsi(store, rsi)
    held.rsi = rsi
    held.revision += 1


def set_confidential(store: Store, node: Node, confidential: bool) -> None:
    """Mark a record as confidential, or no longer."""
    held = _own(store, node)
    held.confidential = confidential
    held.revision += 1


def finalize(store: Store, node: Node, actor: Member) -> None:
    """Declare a final record: from now on it is neither changed nor deleted."""
    held = _own(store, node)
    held.finalized = held.official = True
    held.revision += 1
    happened(store, "record.finalized", node, actor.id, {"file_number": held.file_number})


def kept_until(store: Store, held: RecordDetails) -> date | None:
    """When the schedule's last stage ends; None while its rule does not apply, or without one.

    A stage with a rule code runs only for records of that file status; it counts from the status
    date (94) or the record date (95).
    """
    rsi = next((r for r in store.records.rsis.values() if r.name == held.rsi), None)
    end: date | None = None
    for stage in rsi.stages if rsi else ():
        rule = str(stage.get("RSIRuleCode") or "")
        if rule and rule.casefold() != held.file_status.casefold():
            return None
        begin = end or _BASES.get(_whole(stage, "DateToUse"), _status_date)(held)
        months = 12 * _whole(stage, "RetYears") + _whole(stage, "RetMonths")
        end = _later(begin, months) + timedelta(days=_whole(stage, "RetDays"))
    return end


def check_deletable(store: Store, item: Node) -> None:
    """Refuse (500) to delete what is on hold, a final or an official record."""
    if holds.active_on(store, item):
        raise errors.ApiError(500, f"The item '{item.name}' cannot be deleted: it is on hold.")
    held = store.records.details.get(item.id)
    if held is not None and (held.finalized or held.official):
        kind = "a final record" if held.finalized else "an official record"
        raise errors.ApiError(500, f"The item '{item.name}' cannot be deleted: it is {kind}.")


def check_editable(store: Store, item: Node) -> None:
    """Refuse (500) to change a final record."""
    held = store.records.details.get(item.id)
    if held is not None and held.finalized:
        raise errors.ApiError(500, f"The item '{item.name}' is a final record.")


def _status_date(held: RecordDetails) -> date:
    return held.status_date


_BASES: Mapping[int, Callable[[RecordDetails], date]] = {
    94: _status_date,
    95: lambda held: held.record_date,
}


def _whole(stage: Mapping[str, Any], name: str) -> int:
    """A number of a stage: forms bring it as text."""
    try:
        return int(stage.get(name) or 0)
    except ValueError:
        return 0


def _later(begin: date, months: int) -> date:
    """The same day some months on, or the last one of a shorter month."""
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    month += 1
    return date(year, month, min(begin.day, monthrange(year, month)[1]))


def _classification(store: Store, class_id: int) -> RmClassification:
    found = store.records.classifications.get(class_id)
    if found is None:
        raise errors.ApiError(400, f"Could not get node for {class_id}")
    return found


def _own(store: Store, node: Node) -> RecordDetails:
    held = store.records.details.get(node.id)
    if held is None:
        raise errors.ApiError(400, "The item has no records management classification.")
    return held


def _check_token(store: Store, node: Node, given: Mapping[str, Any]) -> None:
    if not given.get("rm_metadataToken"):
        raise errors.missing_argument("rm_metadataToken")
    if given["rm_metadataToken"] != token(store, node):
        raise errors.ApiError(409, errors.EDIT_CONFLICT)


def _check_changeable(store: Store, node: Node) -> None:
    held = store.records.details.get(node.id)
    if held is not None and held.finalized:
        raise errors.ApiError(400, f"The item '{node.name}' is a final record.")


def _check_rsi(store: Store, name: str) -> None:
    if name and name not in {rsi.name for rsi in store.records.rsis.values()}:
        raise errors.ApiError(400, f"Invalid RSI '{name}' specified.")


def _apply(store: Store, held: RecordDetails, given: Mapping[str, Any]) -> None:
    """Everything is checked before anything is kept."""
    changes = _changes(store, given)
    if changes.get("file_status", held.file_status) != held.file_status:
        changes.setdefault("status_date", store.clock().date())
    for name, value in changes.items():
        setattr(held, name, value)
    held.revision += bool(changes)


def _changes(store: Store, given: Mapping[str, Any]) -> dict[str, Any]:
    """The details in a call, checked; the status goes by this version's name."""
    status_key = store.behaviour.rm_status_key
    changes: dict[str, Any] = {}
    for name in _DATES:
        if name in given:
            changes[name] = _day(given[name], name)
    for name, codes in _CODES.items():
        sent = status_key if name == "file_status" else name
        if given.get(sent) not in (None, ""):
            changes[name] = _code(store, codes, str(given[sent]))
    if given.get("rsi") not in (None, ""):
        _check_rsi(store, str(given["rsi"]))
        changes["rsi"] = str(given["rsi"])
    if given.get("official") is not None:
        changes["official"] = str(given["official"]).lower() in ("true", "1")
    if given.get("cycle_period") not in (None, ""):
        changes["cycle_period"] = _cycle(given["cycle_period"])
    return changes


def _code(store: Store, kind: str, value: str) -> str:
    known = {code.casefold(): code for code in store.records.codes.get(kind, ())}
    if value.casefold() not in known:
        raise errors.ApiError(400, f"Incorrect {kind} '{value}' specified.")
    return known[value.casefold()]


def _day(value: Any, name: str) -> date:
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong


def _cycle(value: Any) -> int:
    if str(value) not in ("1", "2", "3", "6", "12", "24"):
        raise errors.ApiError(400, "Incorrect Cycle Period specified.")
    return int(value)
