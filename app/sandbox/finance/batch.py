"""``$batch``: many requests in one multipart body, change sets all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.sandbox.finance.api import DATA_PATH, Answer, Asked
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.store import Store
from app.sandbox.odata import multipart
from app.sandbox.odata.batches import MAX_OPERATIONS, BatchRun

Ask = Callable[[Asked], Answer]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]


class Batch:
    """Answers ``POST /data/$batch``; ``ask`` is the API, ``encode`` makes bytes of its answers."""

    def __init__(self, store: Store, ask: Ask, encode: Encode) -> None:
        self._store = store
        self._ask = ask
        self._encode = encode

    def answer(self, asked: Asked) -> Answer:
        """200 with a part for each operation; stops at the first failure unless told to go on."""
        if asked.method != "POST":
            raise Refusal.method(asked.method)
        try:
            kind = asked.headers.get("content-type", "")
            items = multipart.read(asked.body, kind, only_crlf=False)
        except multipart.Unreadable as error:
            raise Refusal.query(str(error)) from error
        if sum(len(item) if isinstance(item, list) else 1 for item in items) > MAX_OPERATIONS:
            raise Refusal.query(f"The batch has more than {MAX_OPERATIONS} operations.")
        run = BatchRun(
            lambda one: self._asked(asked, one),
            self._store.transaction,
            lambda text: self._refused(Refusal.query(text)),
            needs_ids=False,
        )
        go_on = "odata.continue-on-error" in asked.headers.get("prefer", "")
        outcome = run.run(items, go_on=go_on)
        return Answer(200, outcome.body, {"Content-Type": outcome.content_type})

    def _asked(self, outer: Asked, operation: multipart.Operation) -> multipart.Answered:
        try:
            return self._answered(self._ask(_inner(outer, operation)))
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> multipart.Answered:
        return self._answered(Answer(refusal.status, refusal.body()))

    def _answered(self, answer: Answer) -> multipart.Answered:
        body, headers = self._encode(answer)
        return multipart.Answered(answer.status, headers, body)


def _inner(outer: Asked, operation: multipart.Operation) -> Asked:
    path, _, query = operation.url.partition("?")
    path = path.partition(DATA_PATH)[2] if f"{DATA_PATH}/" in path else f"/{path.lstrip('/')}"
    if path.startswith("/$batch"):
        raise Refusal.query("A batch cannot hold a batch.")
    return replace(
        outer,
        method=operation.method,
        path=path,
        query=query,
        headers=operation.headers,
        body=operation.body,
    )
