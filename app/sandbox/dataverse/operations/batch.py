"""``$batch``: many requests in one, change sets all or nothing (reference/dataverse.md 2.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.web.callers import Callers
from app.sandbox.dataverse.web.urls import (
    API_PATH,
    Answer,
    ApiRequest,
    parse_path,
    parse_prefer,
    parse_query,
)
from app.sandbox.odata import multipart
from app.sandbox.odata.batches import MAX_OPERATIONS, BatchRun

Ask = Callable[[ApiRequest], Answer]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]


class Batch:
    """Answers ``POST /$batch``; ``ask`` is the API itself, ``encode`` makes bytes of an answer."""

    def __init__(self, store: Store, ask: Ask, encode: Encode, callers: Callers) -> None:
        self._store = store
        self._ask = ask
        self._encode = encode
        self._callers = callers

    def answer(self, request: ApiRequest) -> Answer:
        """200 with one part for each operation; 400 with the first failure, unless told to go on.

        Raises `Refusal` 400 for what is no multipart body or has too many operations.
        """
        if request.method != "POST":
            raise Refusal.method(request.method)
        try:
            kind = request.headers.get("content-type", "")
            items = multipart.read(request.body, kind, only_crlf=True)
        except multipart.Unreadable as error:
            raise Refusal.bad_query(str(error)) from error
        if sum(len(item) if isinstance(item, list) else 1 for item in items) > MAX_OPERATIONS:
            raise Refusal.invalid_argument(
                f"The batch has more than {MAX_OPERATIONS} operations; send several."
            )
        run = BatchRun(
            lambda one: self._asked(request, one), self._store.transaction, self._refused
        )
        outcome = run.run(items, go_on=request.prefer.continue_on_error)
        headers = {"Content-Type": outcome.content_type}
        return Answer(400 if outcome.stopped else 200, outcome.body, headers)

    def _asked(self, outer: ApiRequest, operation: multipart.Operation) -> multipart.Answered:
        try:
            return self._answered(self._ask(self._inner(outer, operation)))
        except Refusal as refusal:
            return self._answered(Answer(refusal.status, refusal.body()))

    def _inner(self, outer: ApiRequest, operation: multipart.Operation) -> ApiRequest:
        """An inner request as the API reads one; what its own headers say of the caller counts.

        Raises `Refusal` for a batch in a batch, and for a caller who may not do so.
        """
        path, _, query = operation.url.partition("?")
        if API_PATH in path:
            path = path.partition(API_PATH)[2]
        if path.strip("/").startswith("$batch"):
            raise Refusal.bad_query("A batch cannot hold a batch.")
        options = parse_query(query)
        return replace(
            outer,
            method=operation.method,
            segments=parse_path(path),
            query=options,
            headers=operation.headers,
            body=operation.body,
            author=self._callers.within(outer.author, operation.headers, options.get("tag")),
            prefer=parse_prefer(operation.headers.get("prefer", "")),
            target=operation.url,
        )

    def _refused(self, text: str) -> multipart.Answered:
        refusal = Refusal.bad_query(text)
        return self._answered(Answer(refusal.status, refusal.body()))

    def _answered(self, answer: Answer) -> multipart.Answered:
        body, headers = self._encode(answer)
        return multipart.Answered(answer.status, headers, body)
