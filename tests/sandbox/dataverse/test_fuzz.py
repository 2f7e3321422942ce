"""No request makes the simulator fail: what it cannot do it refuses as the service would.

Requests go straight into the ASGI application, so that also what no HTTP client would send arrives:
odd encodings, raw bytes, half a URL.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from app.sandbox.dataverse import Commit, DataverseSimulator, Reference
from app.sandbox.dataverse.operations.actions import Closings
from app.sandbox.dataverse.operations.bodies import Bodies, Given
from app.sandbox.dataverse.operations.bulk import Bulk
from app.sandbox.dataverse.operations.conversions import Conversions
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.push.messages import Writer
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.dataverse.queries.filters import Binder
from app.sandbox.dataverse.queries.rendering import Renderer
from app.sandbox.dataverse.store import writing
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.events.change import Sender
from app.sandbox.odata.batches import _References
from tests.sandbox.dataverse.fuzzing import REQUESTS, Request
from tests.sandbox.dataverse.fuzzing_parts import ACCOUNT, CONTACT, DEAL, OTHER, QUOTE
from tests.sandbox.dataverse.support import APP_ID

ENTRA = EntraSimulator("contoso", [EntraClient(APP_ID)])
RESOURCE = "https://org1.crm4.dynamics.com"
TOKEN = ENTRA.issue(APP_ID, RESOURCE)
SENT_BY_THE_VENDOR = {"0x80044150", "0x80044151"}
COUNTS = {"rows": 500}
"""Requests of a kind, where they are not 250."""


def organisation() -> DataverseSimulator:
    """A few rows that point to each other."""
    made = DataverseSimulator(ENTRA, application_users={APP_ID: "Dovetail"}, resource=RESOURCE)
    made.seed("contact", {"lastname": "Lee"}, row_id=CONTACT)
    person = Reference("contact", CONTACT)
    values = {"name": "Kumi", "accountnumber": "K1", "creditlimit": 5, "primarycontactid": person}
    made.seed("account", values, row_id=ACCOUNT)
    child = {"name": "Zeta", "parentaccountid": Reference("account", ACCOUNT)}
    made.seed("account", child, row_id=OTHER)
    made.seed("opportunity", {"name": "Deal"}, row_id=DEAL)
    made.seed("quote", {"name": "Quote", "statecode": 1}, row_id=QUOTE)
    writer = Writer(Sender("org1", "org1"), made.registry.table, made.row)

    def told(commit: Commit) -> None:
        """Somebody listens, too: what is written can be told."""
        for message in writer.messages(commit, 1, Steps(images=True)):
            assert message.encoded(Steps()) is not None

    made.on_commit(told)
    return made


async def ask(
    dataverse: DataverseSimulator,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    sent: dict[str, str],
    body: bytes,
) -> tuple[int, bytes]:
    """One request straight into the application; status and body of its answer."""
    raw = quote(f"/api/data/v9.2/{path}", safe="/()=,'$@:%", errors="surrogatepass")
    pairs = "&".join(f"{n}={quote(v, safe='', errors='surrogatepass')}" for n, v in query)
    lines = {"host": "org1", **sent, "authorization": f"Bearer {TOKEN}"}
    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": unquote(raw),
        "raw_path": raw.encode("ascii"),
        "query_string": pairs.encode("ascii"),
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in lines.items()],
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await dataverse.application(scope, receive, send)
    return messages[0]["status"], b"".join(m.get("body", b"") for m in messages[1:])


FUZZ = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def assert_answered(request: Request) -> None:
    """Done or refused, in the service's own words."""
    status, answer = asyncio.run(ask(organisation(), *request))
    if status < 400:
        return
    error = json.loads(answer)["error"] if answer[:1] == b"{" else {"code": "multipart"}
    assert status < 500 or status == 501 or error["code"] in SENT_BY_THE_VENDOR, answer


def hunt(kind: str, how: settings) -> None:
    """Ask so many requests of a kind; raises what goes wrong."""

    def asked(request: Request) -> None:
        assert_answered(request)

    given(REQUESTS[kind])(how(asked))()


@pytest.mark.parametrize("kind", REQUESTS)
def test_nothing_fails(kind: str) -> None:
    hunt(kind, settings(FUZZ, max_examples=COUNTS.get(kind, 250)))


@pytest.mark.parametrize(
    "request_",
    [
        ("GET", "accounts", [("$filter", "(" * 5000)], {}, b""),
        ("POST", "accounts", [], {}, b"[" * 100_000),
        ("POST", "accounts", [], {}, b'{"name": "\\ud800"}'),
        ("POST", "$batch", [], {"content-type": "b"}, b"\xff\xfe"),
    ],
    ids=["filter", "list", "half a letter", "batch"],
)
def test_what_failed_once_does_not_again(request_: Request) -> None:
    assert_answered(request_)


def _nested(given_: Given) -> bool:
    """As `Given.nested`, but for the case that is refused."""
    if given_.before or given_.after or given_.links:
        raise ZeroDivisionError
    return False


def _broken(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("kind", "owner", "name", "planted"),
    [
        ("rows", Given, "nested", property(_nested)),
        ("rows", Writes, "_create_child", _broken),
        ("rows", Bodies, "_bound_many", _broken),
        ("rows", writing.Writer, "remove_link", _broken),
        ("queries", Binder, "_lambda", _broken),
        ("queries", Binder, "_crm", _broken),
        ("queries", Renderer, "_collection", _broken),
        ("actions", Closings, "_closable", _broken),
        ("actions", Bulk, "_write", _broken),
        ("actions", Conversions, "_move", _broken),
        ("batches", _References, "_address", _broken),
        ("batches", _References, "learn", _broken),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_in_our_code_is_found(
    kind: str, owner: Any, name: str, planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them far inside: requests of its kind come there, and nothing hides what it raises.

    The requests are the same in every run, and the first that fails ends them.
    """
    monkeypatch.setattr(owner, name, planted)
    how = settings(FUZZ, max_examples=250, derandomize=True, database=None, phases=[Phase.generate])
    with pytest.raises(ZeroDivisionError):
        hunt(kind, how)
