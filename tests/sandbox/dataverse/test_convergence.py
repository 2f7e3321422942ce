"""Whatever is written and however it is polled, the delta feed ends at what the store holds."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from tests.sandbox.dataverse.support import APP_ID, NO_TLS, Clock

TRACK = "odata.track-changes"
ENTRA = EntraSimulator("contoso", [EntraClient(APP_ID)])
RESOURCE = "https://org1.crm4.dynamics.com"
EXPIRED = "0x80044352"

names = st.sampled_from(["A", "B", "C"])
which = st.integers(min_value=0, max_value=9)


@dataclass
class Relay:
    """A client that keeps a copy of one table by change tracking, as reference 2.7 describes."""

    rows: dict[str, int] = field(default_factory=dict)
    link: str = ""
    seen: set[str] | None = None

    def take(self, body: dict[str, Any]) -> None:
        """One page: rows by their version, deletions by their id."""
        for entry in body["value"]:
            if entry.get("reason") == "deleted":
                self.rows.pop(entry["id"], None)
            else:
                self.rows[entry["accountid"]] = entry["versionnumber"]
                if self.seen is not None:
                    self.seen.add(entry["accountid"])
        self.link = body.get("@odata.nextLink") or body["@odata.deltaLink"]
        if "@odata.deltaLink" in body and self.seen is not None:
            self.rows = {id_: v for id_, v in self.rows.items() if id_ in self.seen}
            self.seen = None


class DeltaFeed(RuleBasedStateMachine):
    """Writes of every kind between pages of a relay that polls, falls behind and starts over."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        users = {APP_ID: "Dovetail"}
        self.dataverse = DataverseSimulator(
            ENTRA, application_users=users, resource=RESOURCE, now=self.clock
        )
        self.loop = asyncio.new_event_loop()
        token = ENTRA.issue(APP_ID, RESOURCE)
        transport = httpx.ASGITransport(app=self.dataverse.application)
        self.client = httpx.AsyncClient(
            transport=transport,
            base_url=RESOURCE,
            headers={"Authorization": f"Bearer {token}"},
            verify=NO_TLS,
        )
        self.relay = Relay()

    def teardown(self) -> None:
        """Every history ends in a relay that is left alone, whatever steps were drawn before."""
        try:
            self.converge(2)
        finally:
            self.loop.run_until_complete(self.client.aclose())
            self.loop.close()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.loop.run_until_complete(self.client.request(method, path, **more))

    def page(self, size: int) -> httpx.Response:
        """The relay's next page; the first of all when it has no link."""
        if not self.relay.link:
            self.relay.seen = set()
        path = "/api/data/v9.2/accounts?$select=name,versionnumber"
        parts = urlsplit(self.relay.link or path)
        prefer = f"{TRACK},odata.maxpagesize={size}"
        return self.ask("GET", f"{parts.path}?{parts.query}", headers={"Prefer": prefer})

    def turn(self, size: int) -> bool:
        """Ask for one page and take it; whether a round has ended with it."""
        answer = self.page(size)
        if answer.status_code == 400 and answer.json()["error"]["code"] == EXPIRED:
            self.relay.link = ""  # a full sync, and a comparison for what went meanwhile
            return False
        assert answer.status_code == 200, answer.text
        self.relay.take(answer.json())
        return "@odata.deltaLink" in answer.json()

    def some(self, number: int) -> Any:
        rows = self.dataverse.rows("account")
        return rows[number % len(rows)]

    @initialize(count=st.integers(min_value=0, max_value=4))
    def has_rows(self, count: int) -> None:
        for number in range(count):
            self.dataverse.seed("account", {"name": f"S{number}"})

    @rule(name=names)
    def create(self, name: str) -> None:
        answer = self.ask("POST", "/api/data/v9.2/accounts", json={"name": name})
        assert answer.status_code == 204

    @precondition(lambda self: self.dataverse.rows("account"))
    @rule(number=which, name=names)
    def update(self, number: int, name: str) -> None:
        path = f"/api/data/v9.2/accounts({self.some(number).id})"
        assert self.ask("PATCH", path, json={"name": name}).status_code == 204

    @precondition(lambda self: self.dataverse.rows("account"))
    @rule(number=which)
    def delete(self, number: int) -> None:
        path = f"/api/data/v9.2/accounts({self.some(number).id})"
        assert self.ask("DELETE", path).status_code == 204

    @precondition(lambda self: self.dataverse.state.deletions.get("account"))
    @rule(number=which)
    def restore(self, number: int) -> None:
        """The recycle bin brings the same id back."""
        gone = sorted(self.dataverse.state.deletions["account"])
        self.dataverse.seed("account", {"name": "back"}, row_id=gone[number % len(gone)])

    @rule(name=names)
    def fail(self, name: str) -> None:
        """A bulk create whose second row is refused leaves no trace."""
        kind = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
        targets = [{**kind, "name": name}, {**kind, "nonsense": 1}]
        path = "/api/data/v9.2/accounts/Microsoft.Dynamics.CRM.CreateMultiple"
        assert self.ask("POST", path, json={"Targets": targets}).status_code == 400

    @rule(size=st.integers(min_value=1, max_value=3))
    def poll_a_page(self, size: int) -> None:
        self.turn(size)

    @rule(week=st.booleans())
    def tokens_expire(self, week: bool) -> None:
        """Because their time is over, or because the organisation forgets."""
        if week:
            self.clock.now += dt.timedelta(days=8)
        else:
            self.dataverse.tracking.expire_tokens()

    @rule(size=st.integers(min_value=1, max_value=3))
    def converge(self, size: int) -> None:
        """Left alone, the relay ends with the rows and versions of the store."""
        rounds = 0
        while rounds < 2:  # the first may have begun before the last writes
            rounds += self.turn(size)
        rows = self.dataverse.rows("account")
        assert self.relay.rows == {row.id: row.version for row in rows}
        count = self.page(5000).json()
        assert count["value"] == [], "an idle feed is empty"


DeltaFeed.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTheDeltaFeed = DeltaFeed.TestCase
