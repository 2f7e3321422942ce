"""The HTTP side: sign-in, throttling, and the errors that come before an entity is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.sandbox.entra.tokens import InvalidToken, TokenTrust
from app.sandbox.events.finance_entities import ENTITIES
from app.sandbox.faults import ADMIN_PATH, Fault, FaultInjection, Faults
from app.sandbox.finance import metadata
from app.sandbox.finance.api import DATA_PATH, Answer, Api, Asked
from app.sandbox.finance.batch import Batch
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.store import Store
from app.serving import hang_up

#: Faults of the service itself, each before anything is written: status and what is wrong.
SERVICE_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "infolog_error": (
        500,
        "Write failed for table row of type 'VendVendorV2Entity'. Infolog: Error: A number "
        "sequence is not set up.",
        "System.InvalidOperationException",
    ),
    "deadlock": (
        500,
        "Transaction (Process ID 71) was deadlocked on lock resources with another process and "
        "has been chosen as the deadlock victim. Rerun the transaction.",
        "System.Data.SqlClient.SqlException",
    ),
    "no_privilege": (
        403,
        "Access denied: the user has no permission to the entity.",
        "System.UnauthorizedAccessException",
    ),
    "change_proposal": (
        400,
        "Write failed for table row of type 'VendVendorV2Entity'. Infolog: Warning: Changes to "
        "this vendor have to be proposed and approved.",
        "System.InvalidOperationException",
    ),
}
_JSON = {"Content-Type": "application/json; odata.metadata=minimal", "OData-Version": "4.0"}


class Front:
    """ASGI application: who calls, then faults, then the API.

    ``users`` names the user of each application that is registered; others are refused with 401,
    as the service does.
    """

    def __init__(
        self, store: Store, api: Api, entra: TokenTrust, users: Mapping[str, str], faults: Faults
    ) -> None:
        self.audiences: Sequence[str] = ()
        self._api = api
        self._batch = Batch(store, api.answer, encoded)
        self._entra = entra
        self._users = users
        self._faults = faults
        self._inner = FaultInjection(self._serve, faults, render=planned_status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == ADMIN_PATH:
            await self._inner(scope, receive, send)
            return
        request = Request(scope, receive)
        if self._faults.take("outage", request.method, request.url.path):
            await hang_up(scope, receive, reset=True)
            return
        user = await self._user(request)
        if user is None:
            await self._challenge()(scope, receive, send)
            return
        scope.setdefault("state", {})["finance.user"] = user
        await self._inner(scope, receive, send)

    async def _user(self, request: Request) -> str | None:
        if self._faults.take("token_expired", request.method, request.url.path):
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        try:
            claims = await self._entra.verify(token.strip(), self.audiences)
        except InvalidToken:
            return None
        return self._users.get(claims.app_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        try:
            self._fail_on_purpose(request)
            answer = self._answer(request, scope, body)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body())
        content, headers = encoded(answer)
        await Response(content, answer.status, headers)(scope, receive, send)

    def _answer(self, request: Request, scope: Scope, body: bytes) -> Answer:
        path = scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        described = self._described(request, path)
        if described is not None:
            if request.method != "GET":
                raise Refusal.method(request.method)
            return described
        asked = Asked(
            method=request.method,
            path=path.removeprefix(DATA_PATH),
            query=scope["query_string"].decode("latin-1"),
            headers=request.headers,
            body=body,
            user=scope["state"]["finance.user"],
            base_url=f"{scope['scheme']}://{request.headers.get('host', '')}{DATA_PATH}",
        )
        return self._batch.answer(asked) if asked.path == "/$batch" else self._api.answer(asked)

    def _described(self, request: Request, path: str) -> Answer | None:
        """What the service says of itself, if that is asked for."""
        if path.lower().startswith(f"{metadata.METADATA_PATH}/"):
            where = request.query_params.get("$filter", "")
            return Answer(200, metadata.answered(path[len(metadata.METADATA_PATH) :], where))
        if path == f"{DATA_PATH}/$metadata":
            kind = {"Content-Type": "application/xml"}
            return Answer(200, metadata.document().encode(), kind)
        if path.rstrip("/") == DATA_PATH or not path.startswith(f"{DATA_PATH}/"):
            return self._service_document(path)
        return None

    def _service_document(self, path: str) -> Answer:
        if path.rstrip("/") != DATA_PATH:
            raise Refusal.no_resource(path.strip("/"))
        sets = [{"name": e.entity_set, "kind": "EntitySet", "url": e.entity_set} for e in ENTITIES]
        return Answer(200, {"value": sets})

    def _fail_on_purpose(self, request: Request) -> None:
        for kind, (status, what, type_) in SERVICE_ERRORS.items():
            if self._faults.take(kind, request.method, request.url.path):
                raise Refusal(status, what, type_)

    def _challenge(self) -> Response:
        authority = f"https://login.microsoftonline.com/{self._entra.tenant}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={authority}"
        return Response(status_code=401, headers={"WWW-Authenticate": challenge})


def encoded(answer: Answer) -> tuple[bytes, dict[str, str]]:
    """The bytes and headers of an answer."""
    if answer.body is None:
        return b"", dict(answer.headers)
    if isinstance(answer.body, bytes):
        return answer.body, dict(answer.headers)
    return orjson.dumps(answer.body), {**_JSON, **answer.headers}


def planned_status(fault: Fault) -> Response:
    """A status that was asked for, in the service's shape."""
    words: dict[int, str] = {
        401: "Unauthorized.",
        403: SERVICE_ERRORS["no_privilege"][1],
        404: "No resources were found when selecting for update.",
        412: "The record has been changed by another user since it was read.",
        429: "Too many requests. Try again later.",
    }
    body: Any = Refusal(fault.status, words.get(fault.status, "An unexpected error.")).body()
    return JSONResponse(body, fault.status)
