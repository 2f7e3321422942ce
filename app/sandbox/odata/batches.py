"""``$batch`` as a run: operations in order, change sets all or nothing, ``$1`` as an address.

What an operation does is the service's own: it gives `Ask`, which never raises for a refusal.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from app.sandbox.odata.multipart import Answered, Item, Operation, joined, nested, part

MAX_OPERATIONS = 1000
_IN_URL = re.compile(r"^/?\$(?P<id>[\w.~-]+)(?=[/?]|$)")
_IN_BODY = re.compile(rb'"[^"]*@odata\.(?:bind|id)"\s*:\s*(?:"[^"]*"|\[[^\]]*\])')
_IN_TEXT = re.compile(rb'(?<=")/?\$(?P<id>[\w.~-]+)(?=["/])')

Ask = Callable[[Operation], Answered]


class _Unknown(Exception):
    """A reference to what no earlier operation of the change set made."""


class _Undone(Exception):
    """Ends a change set so that its transaction is undone."""

    def __init__(self, part: bytes) -> None:
        super().__init__("undone")
        self.part = part


@dataclass(frozen=True, slots=True)
class Outcome:
    """The body of the answer, its content type, and whether an operation failed that ended it."""

    body: bytes
    content_type: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class BatchRun:
    """How one service runs a batch.

    ``transaction`` is around a change set; ``refused`` makes an answer of what the batch itself
    refuses. ``needs_ids``: every operation of a change set must have a Content-ID.
    """

    ask: Ask
    transaction: Callable[[], AbstractContextManager[None]]
    refused: Callable[[str], Answered]
    needs_ids: bool = True

    def run(self, items: Iterable[Item], *, go_on: bool) -> Outcome:
        """In order up to the first failure, or to the end when told to ``go_on``."""
        parts, stopped = list[bytes](), False
        for item in items:
            made, failed = self._item(item)
            parts.append(made)
            if failed and not go_on:
                stopped = True
                break
        boundary = f"batchresponse_{uuid.uuid4()}"
        return Outcome(joined(parts, boundary), f"multipart/mixed; boundary={boundary}", stopped)

    def _item(self, item: Item) -> tuple[bytes, bool]:
        if isinstance(item, Operation):
            answered = self._answered(item, _References())
            return part(answered, item.content_id), answered.failed
        try:
            with self.transaction():
                parts = self._in_order(item)
        except _Undone as undone:
            return undone.part, True
        return nested(parts, f"changesetresponse_{uuid.uuid4()}"), False

    def _in_order(self, operations: list[Operation]) -> list[bytes]:
        self._check_ids([operation.content_id for operation in operations])
        references = _References(frozenset(o.content_id for o in operations if o.content_id))
        parts = []
        for operation in operations:
            answered = self._answered(operation, references)
            made = part(answered, operation.content_id)
            if answered.failed:
                raise _Undone(made)
            references.learn(operation.content_id, answered.headers)
            parts.append(made)
        return parts

    def _answered(self, operation: Operation, references: _References) -> Answered:
        if operation.method == "GET" and references.own is not None:
            return self.refused("A change set cannot hold a query (GET).")
        try:
            return self.ask(references.resolved(operation))
        except _Unknown as unknown:
            return self.refused(
                f"Content-ID Reference: '${unknown}' does not exist in the batch context."
            )

    def _check_ids(self, ids: list[str | None]) -> None:
        """Raises `_Undone` unless each operation of a change set can be told from the others."""
        given = [content_id for content_id in ids if content_id is not None]
        if self.needs_ids and len(given) < len(ids):
            text = "The Content-ID header is missing from an operation of the change set."
        elif len(set(given)) < len(given):
            text = "The content IDs of a change set have to be unique across all its operations."
        else:
            return
        raise _Undone(part(self.refused(text), None))


@dataclass(slots=True)
class _References:
    """What ``$<Content-ID>`` stands for; ``own`` are all ids of the change set, if it is one."""

    own: frozenset[str] | None = None
    known: dict[str, str] = field(default_factory=dict)

    def learn(self, content_id: str | None, headers: Mapping[str, str]) -> None:
        """The address of a row that an operation wrote; with a representation it is Location."""
        address = headers.get("OData-EntityId") or headers.get("Location")
        if content_id and address:
            self.known[content_id] = address

    def resolved(self, operation: Operation) -> Operation:
        """With addresses in the place of references. Raises `_Unknown`."""
        url = _IN_URL.sub(lambda match: self._address(match[0], match["id"]), operation.url)
        body = _IN_BODY.sub(lambda match: self._in_text(match[0]), operation.body)
        return replace(operation, url=url, body=body)

    def _in_text(self, text: bytes) -> bytes:
        return _IN_TEXT.sub(
            lambda match: self._address(match[0].decode(), match["id"].decode()).encode(), text
        )

    def _address(self, written: str, content_id: str) -> str:
        if content_id in self.known:
            return self.known[content_id]
        if content_id.isdigit() or content_id in (self.own or ()):
            raise _Unknown(content_id)
        return written  # such as $metadata
