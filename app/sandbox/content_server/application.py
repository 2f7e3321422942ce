"""The simulated server as an ASGI application: sign-in, routing, encodings, answers.

Paths: ``/cs/cs/api`` Content Server, ``/otdsws`` the directory service, ``/cssupport`` its support
pages. Faults of this server's own (see `app.sandbox.faults`): ``expire_ticket`` ends the caller's
session first, ``etag_race`` lets somebody else change the item right before a change that names
the metadata token which it has seen, ``error_page`` answers an overloaded front-end's HTML with
HTTP 500 and ``garbage`` a page of HTML with HTTP 200, as while a pod restarts
(reference/extended-ecm.md 9).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from app.sandbox.content_server import errors, records
from app.sandbox.content_server.api.call import Call, Endpoint, json_response
from app.sandbox.content_server.api.table import DIRECTORY_ENDPOINTS, ENDPOINTS, Router
from app.sandbox.content_server.bodies import Body, read_body
from app.sandbox.content_server.definition import ClientSpec
from app.sandbox.content_server.search.index import SearchIndex
from app.sandbox.content_server.sessions import Session, Sessions
from app.sandbox.content_server.store import ADMIN_ID, Store
from app.sandbox.content_server.uploads import Uploads
from app.sandbox.faults import Fault, Faults

API = "/cs/cs/api"
DIRECTORY = "/otdsws"
SUPPORT = "/cssupport/csconfigured"
OWN_FAULTS = ("expire_ticket", "etag_race", "error_page", "garbage")
_TOKENS = ("metadata_token", "rm_metadataToken")
_SECRETS = ("password", "client_secret", "ticket", "subject_token", "refresh_token")
_LONGEST_LOGGED_TEXT = 2000
_PAGE = "<html><head><title>Content Server</title></head><body><h1>{}</h1></body></html>"


@dataclass(frozen=True)
class RequestRecord:
    """One request that reached the server's code: what was asked, and how it ended.

    ``fields`` are those of the body without secrets; ``error`` is the text of a refusal.
    """

    number: int
    at: datetime
    method: str
    path: str
    query: str
    user: str
    status: int
    fields: Mapping[str, Any]
    error: str


class Application:
    """Dispatches requests to the calls; ``requests`` logs the newest, oldest first.

    ``Behaviour.request_log_length`` bounds the log; a record's ``number`` counts all requests.
    """

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        clients: Mapping[str, ClientSpec],
        faults: Faults,
    ) -> None:
        self.requests: deque[RequestRecord] = deque()
        self._received = 0
        self._store = store
        self._sessions = sessions
        self._clients = clients
        self._faults = faults
        self._index = SearchIndex(store)
        self._uploads = Uploads(store)
        self._router = Router(ENDPOINTS)
        self._directory = Router(DIRECTORY_ENDPOINTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # HEAD is GET whose body the server of the socket leaves out.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        response = await self._respond(Request(asked, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii")
        if path == SUPPORT:
            return HTMLResponse("configured")
        if self._strikes("error_page", request):
            return HTMLResponse(_PAGE.format("Error Processing Request"), 500)
        if self._strikes("garbage", request):
            return HTMLResponse(_PAGE.format("Please wait"), 200)
        call = Call(
            self._store,
            self._sessions,
            self._clients,
            self._index,
            self._uploads,
            request,
            {},
            Body(),
        )
        if self._store.behaviour.index_lag_seconds > 0:
            # Without a lag, searching itself is soon enough.
            self._index.catch_up()
        try:
            response, answer = await self._answer(call, path)
        except errors.ApiError as refusal:
            ours = not path.startswith(f"{DIRECTORY}/")
            answer = refusal.body() if ours else refusal.directory_body()
            response = json_response(answer, refusal.status)
        self._log(call, path, response.status_code, answer)
        if "suppress_response_codes" in request.query_params and isinstance(answer, dict):
            response = json_response({**answer, "statusCode": response.status_code}, 200)
        self._add_ticket(call, response)
        return response

    async def _answer(self, call: Call, path: str) -> tuple[Response, Any]:
        endpoint = self._find(call, path)
        if not endpoint.open:
            call.session = self._signed_in(call.request)
            if call.session is None:
                raise errors.unauthenticated()
        lenient = self._store.behaviour.lenient_bodies
        call.body = await read_body(call.request, endpoint.accepts, lenient=lenient)
        self._race(call)
        answer = endpoint.handler(call)
        if isinstance(answer, Response):
            return answer, None
        return json_response(answer, 200), answer

    def _find(self, call: Call, path: str) -> Endpoint:
        if path.startswith(f"{API}/"):
            endpoint, call.path = self._router.find(call.request.method, path.removeprefix(API))
        elif path.startswith(f"{DIRECTORY}/"):
            below = path.removeprefix(DIRECTORY)
            try:
                endpoint, call.path = self._directory.find(call.request.method, below)
            except errors.ApiError as unknown:
                raise errors.ApiError(404, f"No resource {below}.") from unknown
        else:
            raise errors.ApiError(404, "Not found.")
        return endpoint

    def _signed_in(self, request: Request) -> Session | None:
        session = self._session(request)
        if session is not None and self._strikes("expire_ticket", request):
            self._sessions.close(session)
            return None
        return session

    def _session(self, request: Request) -> Session | None:
        headers = request.headers
        if ticket := headers.get("otcsticket") or request.cookies.get("LLCookie"):
            return self._sessions.by_ticket(ticket)
        if ticket := headers.get("otdsticket"):
            return self._sessions.by_grant(ticket, "ticket")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._sessions.by_grant(token.strip(), "token")
        return None

    def _race(self, call: Call) -> None:
        """Somebody else changes the item right before a change that says what it has seen."""
        node = self._store.nodes.get(call.path.get("id", 0))
        if node is None or not any(call.fields.get(name) for name in _TOKENS):
            return
        if self._strikes("etag_race", call.request):
            self._store.touch(node, ADMIN_ID)
            records.outdate(self._store, node)

    def _strikes(self, kind: str, request: Request) -> Fault | None:
        target = request.url.path
        if request.url.query:
            target += f"?{request.url.query}"
        return self._faults.take(kind, request.method, target)

    def _add_ticket(self, call: Call, response: Response) -> None:
        """Every signed-in answer carries a fresh ticket (reference 0, ticket roll-over)."""
        if call.session is not None:
            response.headers["OTCSTicket"] = self._sessions.fresh_ticket(call.session)
            response.headers["OTCSTicketExpires"] = str(self._sessions.expires_at(call.session))

    def _log(self, call: Call, path: str, status: int, answer: Any) -> None:
        user = self._store.members[call.session.user_id].name if call.session else ""
        self._received += 1
        self.requests.append(
            RequestRecord(
                self._received,
                self._store.clock(),
                call.request.method,
                path.removeprefix(API),
                call.request.url.query,
                user,
                status,
                {name: _logged(name, value) for name, value in call.fields.items()},
                str(answer.get("error", "")) if isinstance(answer, dict) else "",
            )
        )
        while len(self.requests) > max(self._store.behaviour.request_log_length, 0):
            self.requests.popleft()


def _logged(name: str, value: Any) -> Any:
    """A field as the log keeps it: no secrets, and nothing that fills the memory."""
    if name in _SECRETS:
        return "***"
    if isinstance(value, str) and len(value) > _LONGEST_LOGGED_TEXT:
        return value[:_LONGEST_LOGGED_TEXT]
    return value
