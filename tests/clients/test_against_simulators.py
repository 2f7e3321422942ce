"""The clients over real sockets: msal against a simulated Entra ID with TLS, and both systems."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from pydantic import SecretStr

from app.clients.credentials import (
    EntraCredential,
    FederatedToken,
    PemCertificate,
    PfxCertificate,
)
from app.clients.dynamics import DataverseGateway
from app.clients.ecm import ContentServerGateway
from app.clients.http import open_client
from app.clients.tickets import OtcsUser, OtdsClient, OtdsTickets
from app.logs import TextFormatter
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.definition import Definition
from app.sandbox.content_server.simulator import ContentServerSimulator
from app.sandbox.dataverse import application_user_id
from app.sandbox.entra import EntraClient
from app.sandbox.entra.clients import Certificate, FederatedCredential
from app.sandbox.faults import Fault
from streams.catalogue import Catalogue, Column, ColumnKind, Table
from streams.errors import Misconfigured, Refused, Throttled, Unavailable
from streams.messages.facts import BusinessObject
from streams.ports import Workspace
from tables.keys import RecordRef
from tests.clients.conversation import Observed
from tests.clients.dynamics.stage import APP, CATALOGUE, SECRET, Dynamics, signed_in_by
from tests.clients.test_tokens import Paper


async def test_msal_signs_in_over_tls_and_dataverse_knows_us(dynamics: Dynamics) -> None:
    assert await dynamics.gateway.own_user() == application_user_id(APP)
    assert dynamics.entra.tokens_issued == 1


async def test_every_kind_of_credential_signs_in(tmp_path: Path) -> None:
    paper = Paper(tmp_path)
    pem = (tmp_path / "cert.pem").read_text()
    (tmp_path / "assertion").write_text("agreed-assertion-text")
    client = EntraClient(
        APP,
        certificates=(Certificate(pem),),
        federated=(FederatedCredential(shared_assertion="agreed-assertion-text"),),
    )
    credentials: Iterable[EntraCredential] = (
        PemCertificate(tmp_path / "key.pem", tmp_path / "cert.pem"),
        PemCertificate(
            tmp_path / "key.pem", None, paper.certificate.fingerprint(hashes.SHA1()).hex()
        ),
        PfxCertificate(tmp_path / "both.pfx", SecretStr("pfx-passphrase")),
        FederatedToken(tmp_path / "assertion"),
    )
    for credential in credentials:
        async with signed_in_by(credential, client) as system:
            assert await system.gateway.own_user() == application_user_id(APP)


async def test_a_wrong_secret_is_told_with_entras_words() -> None:
    client = EntraClient(APP, secrets=("another-secret",))
    async with signed_in_by(SECRET, client) as system:
        with pytest.raises(Misconfigured, match="AADSTS7000215") as raised:
            await system.gateway.own_user()
    assert "DOVETAIL_ENTRA_CLIENT_SECRET" in raised.value.advice
    assert "simulated-secret" not in str(raised.value)


async def test_an_authority_that_we_do_not_trust_names_the_ca_file(tmp_path: Path) -> None:
    Paper(tmp_path)
    client = EntraClient(APP, secrets=("simulated-secret",))
    async with signed_in_by(SECRET, client, tmp_path / "cert.pem") as system:
        with pytest.raises(Misconfigured, match="DOVETAIL_CA_FILE") as raised:
            await system.gateway.own_user()
    assert raised.value.code == "certificate_untrusted"


async def test_entra_that_is_down_is_waited_for(dynamics: Dynamics) -> None:
    await dynamics.entra.stop()
    with pytest.raises(Unavailable):
        await dynamics.gateway.own_user()
    await dynamics.entra.start()
    assert await dynamics.gateway.own_user()


async def test_many_calls_at_once_share_one_sign_in_also_after_a_revocation(
    dynamics: Dynamics,
) -> None:
    records = [dynamics.account(name=f"Account {n}") for n in range(20)]

    async def read_all() -> None:
        rows = await asyncio.gather(*(dynamics.gateway.read_record(r) for r in records))
        assert [row.columns["name"] for row in rows if row] == [f"Account {n}" for n in range(20)]

    await read_all()
    assert dynamics.entra.tokens_issued == 1
    dynamics.entra.revoke_tokens()
    await read_all()
    assert dynamics.entra.tokens_issued == 2


async def test_a_record_is_read_and_written_with_our_tag(dynamics: Dynamics) -> None:
    parent = dynamics.account(name="Parent")
    record = dynamics.account(
        name="Contoso", revenue=1250.5, creditonhold=True, parentaccountid=parent.id
    )
    before = await dynamics.gateway.read_record(record)
    assert before is not None
    assert before.columns == {
        "name": "Contoso",
        "accountnumber": None,
        "revenue": "1250.5",
        "creditonhold": True,
        "statecode": 0,
        "parentaccountid": f"account:{parent.id}",
        "ownerid": before.columns["ownerid"],
    }
    assert str(before.columns["ownerid"]).startswith("systemuser:")
    after = await dynamics.gateway.write_columns(
        record, {"accountnumber": "A-7", "revenue": "99.25"}, tag="dovetail"
    )
    assert after.columns["accountnumber"] == "A-7"
    assert after.columns["revenue"] == "99.25"
    assert after.version == dynamics.simulator.version
    assert after.modified_ms > 0
    (commit,) = dynamics.ours()
    assert commit.author.user_id == await dynamics.gateway.own_user()


async def test_a_record_that_does_not_exist_is_neither_read_nor_created(
    dynamics: Dynamics,
) -> None:
    nobody = RecordRef("account", "00000000-0000-4000-8000-000000000001")
    assert await dynamics.gateway.read_record(nobody) is None
    with pytest.raises(Refused) as raised:
        await dynamics.gateway.write_columns(nobody, {"name": "x"}, tag="t")
    assert raised.value.code == "record_missing"
    assert dynamics.simulator.row("account", nobody.id) is None


async def test_an_upsert_creates_once_and_then_updates(dynamics: Dynamics) -> None:
    record = RecordRef("account", "00000000-0000-4000-8000-000000000002")
    made = [await dynamics.gateway.upsert(record, {"name": n}, tag="t") for n in ("A", "B")]
    assert [one.created for one in made] == [True, False]
    keyed = [
        await dynamics.gateway.upsert_by_key(
            "account", {"accountnumber": "K'1"}, {"name": name}, tag="t"
        )
        for name in ("C", "D")
    ]
    assert [one.created for one in keyed] == [True, False]
    assert keyed[0].record == keyed[1].record
    assert keyed[1].row.columns["name"] == "D"


async def test_a_guarded_update_survives_a_race(dynamics: Dynamics) -> None:
    record = dynamics.account(name="Contoso")
    dynamics.simulator.faults.add(Fault("etag_race", method="PATCH"))
    after = await dynamics.gateway.update_unchanged(
        record, lambda row: {"name": f"{row.columns['name']}!"}, tag="t"
    )
    assert after.columns["name"] == "Contoso!"
    assert dynamics.simulator.faults.struck["etag_race"] == 1


async def test_bad_days_of_dataverse_are_told_apart(dynamics: Dynamics) -> None:
    record = dynamics.account(name="Contoso")
    faults = dynamics.simulator.faults
    writing = dynamics.gateway.write_columns
    await dynamics.gateway.read_record(record)
    faults.add(Fault("status", method="PATCH", status=429, retry_after=11))
    with pytest.raises(Throttled) as throttled:
        await writing(record, {"name": "x"}, tag="t")
    assert throttled.value.retry_after == 11
    for fault in (
        Fault("status", method="PATCH", status=503, html=True),
        Fault("status", method="PATCH", status=502),
        Fault("reset", method="PATCH"),
        Fault("hang_up", method="PATCH"),
    ):
        faults.add(fault)
        with pytest.raises(Unavailable):
            await writing(record, {"name": "x"}, tag="t")
    assert dynamics.ours() == []
    faults.add(Fault("lose_answer", method="PATCH"))
    with pytest.raises(Unavailable):
        await writing(record, {"name": "kept"}, tag="t")
    assert (await writing(record, {"name": "kept"}, tag="t")).columns["name"] == "kept"
    faults.add(Fault("token_expired", method="PATCH"))
    await writing(record, {"name": "again"}, tag="t")
    assert dynamics.entra.tokens_issued == 2


async def test_a_column_that_dataverse_does_not_have_is_our_configuration(
    dynamics: Dynamics,
) -> None:
    columns = {**CATALOGUE.tables["account"].columns, "new_nowhere": Column(ColumnKind.TEXT)}
    wrong = Catalogue({"account": Table("account", "accounts", "accountid", columns)})
    gateway = DataverseGateway(dynamics.simulator.url, dynamics.tokens, wrong, client=dynamics.http)
    with pytest.raises(Misconfigured, match="new_nowhere") as raised:
        await gateway.read_record(dynamics.account(name="Contoso"))
    assert raised.value.code == "column_unknown"


async def test_metadata_for_checks_is_there(dynamics: Dynamics) -> None:
    definition = await dynamics.gateway.definition_of("account")
    assert (definition.entity_set, definition.primary_id) == ("accounts", "accountid")
    columns = await dynamics.gateway.columns_of("account")
    assert columns["name"].writable
    assert not columns["versionnumber"].writable
    lengths = await dynamics.gateway.lengths_of("account")
    assert (lengths["new_xecmworkspaceid"], lengths["new_xecmworkspaceurl"]) == (50, 500)
    assert lengths["description"] == 2000  # several lines of text
    assert "statecode" not in lengths


@dataclass
class Ecm:
    """A simulated Content Server and our gateway to it."""

    simulator: ContentServerSimulator
    tickets: OtdsTickets
    http: httpx.AsyncClient
    gateway: ContentServerGateway
    observed: Observed

    @property
    def base_url(self) -> str:
        return self.simulator.url.removesuffix("/api")

    async def ensure(
        self, number: int = 1, name: str = "Contoso", attributes: Mapping[str, Any] | None = None
    ) -> Workspace:
        return await self.gateway.ensure_workspace(
            account(number),
            workspace_type="Account",
            template=None,
            name=name,
            attributes={"Business Record": attributes} if attributes else {},
        )

    def sign_ins(self) -> int:
        """How often we signed in at Content Server."""
        return self.observed.requests.count(("ecm", "sign_in", "200"))


def account(number: int) -> BusinessObject:
    row_id = f"{number:08d}-0000-4000-8000-000000000000"
    return BusinessObject(external_system="D365", type="account", id=row_id)


@asynccontextmanager
async def content_server(
    credential: OtcsUser | None = None,
    behaviour: Behaviour | None = None,
    data: Definition | None = None,
) -> AsyncIterator[Ecm]:
    observed = Observed()
    async with (
        ContentServerSimulator(data=data, behaviour=behaviour) as simulator,
        open_client(keep_affinity=True) as http,
    ):
        base_url = simulator.url.removesuffix("/api")
        client = simulator.client
        service = OtdsClient(simulator.otds_url, client.client_id, SecretStr(client.client_secret))
        tickets = OtdsTickets(
            base_url=base_url, credential=credential or service, client=http, observer=observed
        )
        gateway = ContentServerGateway(base_url, tickets, client=http, observer=observed)
        yield Ecm(simulator, tickets, http, gateway, observed)


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


async def test_a_workspace_is_made_once_with_its_attributes_and_then_found(ecm: Ecm) -> None:
    given = {
        "Record State": "Active",
        "Value": "12.50",
        "Closing Date": "2024-01-31",
        "Milestones:Milestone": "Kick-off",
    }
    made = await ecm.ensure(name="Contoso: North", attributes=given)
    found = await ecm.ensure(name="Another name")
    (stored,) = ecm.simulator.workspaces()
    assert (made.id, made.created, found.id, found.created) == (stored.id, True, stored.id, False)
    assert stored.name == made.name == found.name == "Contoso- North"
    assert made.url == f"{ecm.base_url}/app/nodes/{stored.id}"
    record = stored.categories["Business Record"]
    assert record["Record State"] == "Active"
    assert record["Value"] == 12.5
    assert record["Closing Date"] == "2024-01-31T00:00:00"
    assert record["Milestones"][0]["Milestone"] == "Kick-off"
    assert stored.business_objects[0].bo_id == account(1).id
    assert all(request.status == 200 for request in ecm.simulator.requests)


@pytest.mark.parametrize("none", ["empty", "400", "404"])
async def test_every_form_of_no_workspace_leads_to_a_new_one(none: Any) -> None:
    async with content_server(behaviour=Behaviour(bo_missing=none)) as system:
        assert (await system.ensure()).created
        assert not (await system.ensure()).created


async def test_a_user_signs_in_with_a_password() -> None:
    user = OtcsUser("dovetail", SecretStr("dovetail-password"))
    async with content_server(user) as system:
        assert (await system.ensure()).created
    wrong = OtcsUser("dovetail", SecretStr("wrong-password"))
    async with content_server(wrong) as system:
        with pytest.raises(Misconfigured, match="DOVETAIL_OTDS_USERNAME"):
            await system.ensure()


async def test_a_client_that_otds_does_not_know_names_the_settings(ecm: Ecm) -> None:
    stranger = OtdsClient(ecm.simulator.otds_url, "stranger", SecretStr("no-such-secret"))
    tickets = OtdsTickets(base_url=ecm.base_url, credential=stranger, client=ecm.http)
    with pytest.raises(Misconfigured, match="DOVETAIL_OTDS_CLIENT_ID"):
        await tickets.present()


@pytest.mark.parametrize("kind", ["lose_answer", "hang_up", "reset", "error_page", "garbage"])
async def test_a_creation_whose_answer_is_lost_makes_one_workspace(ecm: Ecm, kind: str) -> None:
    """Lost after the commit, the workspace is adopted at once; before it, made when repeated."""
    ecm.simulator.faults.add(Fault(kind, method="POST", path="/v2/businessworkspaces"))
    try:
        first = await ecm.ensure()
    except Unavailable:
        first = await ecm.ensure()
    again = await ecm.ensure()
    (stored,) = ecm.simulator.workspaces()
    assert first.id == again.id == stored.id
    assert ecm.simulator.faults.struck[kind] == 1
    assert first.created is (kind != "lose_answer")


async def test_ensured_from_many_sides_at_once_there_is_one_workspace(ecm: Ecm) -> None:
    all_of_them = await asyncio.gather(*(ecm.ensure() for _ in range(12)))
    assert len({one.id for one in all_of_them}) == 1
    assert sum(one.created for one in all_of_them) == 1
    assert len(ecm.simulator.workspaces()) == 1


async def test_two_workers_that_create_at_once_end_with_one_workspace(ecm: Ecm) -> None:
    """Each has its own gateway: the server refuses the second creation, and it is adopted."""
    others = [ContentServerGateway(ecm.base_url, ecm.tickets, client=ecm.http) for _ in range(4)]
    made = await asyncio.gather(
        *(
            one.ensure_workspace(
                account(1), workspace_type="Account", template=None, name="C", attributes={}
            )
            for one in others
        )
    )
    assert len({one.id for one in made}) == 1
    assert len(ecm.simulator.workspaces()) == 1


async def test_tickets_that_expire_under_parallel_calls_cost_one_sign_in(ecm: Ecm) -> None:
    await asyncio.gather(*(ecm.ensure(n, f"Account {n}") for n in range(10)))
    assert ecm.sign_ins() == 1
    ecm.simulator.expire_tickets(tokens=True)
    await asyncio.gather(*(ecm.ensure(n, f"Account {n}") for n in range(10, 20)))
    assert ecm.sign_ins() == 2
    assert len(ecm.simulator.workspaces()) == 20


async def test_a_ticket_that_expires_in_the_middle_of_a_creation_is_renewed(ecm: Ecm) -> None:
    ecm.simulator.faults.add(Fault("expire_ticket", method="POST", path="/v2/businessworkspaces"))
    assert (await ecm.ensure()).created
    assert len(ecm.simulator.workspaces()) == 1
    assert ecm.sign_ins() == 2


async def test_names_that_collide_are_made_unique_and_kept(ecm: Ecm) -> None:
    first, second = await ecm.ensure(1), await ecm.ensure(2)
    assert (first.name, second.name) == ("Contoso", "Contoso (00000002)")
    await ecm.gateway.update_workspace(second.id, name="Contoso", attributes={})
    assert ecm.simulator.workspace(second.id).name == "Contoso (00000002)"
    await ecm.gateway.update_workspace(first.id, name="Fabrikam", attributes={})
    assert ecm.simulator.workspace(first.id).name == "Fabrikam"


async def test_an_update_writes_only_what_differs(ecm: Ecm) -> None:
    given = {"Record State": "Active", "Value": "12.5", "Closing Date": "2024-01-31"}
    made = await ecm.ensure(attributes=given)
    before = len(ecm.simulator.requests)
    await ecm.gateway.update_workspace(
        made.id, name="Contoso", attributes={"Business Record": given}
    )
    assert {r.method for r in ecm.simulator.requests[before:]} == {"GET"}
    changed = {**given, "Record State": "Closed", "Closing Date": None}
    await ecm.gateway.update_workspace(
        made.id,
        name="Contoso Ltd",
        attributes={"Business Record": changed, "Contract": {"Status": "Draft"}},
    )
    stored = ecm.simulator.workspace(made.id)
    assert stored.name == "Contoso Ltd"
    assert stored.categories["Business Record"]["Record State"] == "Closed"
    assert stored.categories["Business Record"]["Closing Date"] is None
    assert stored.categories["Business Record"]["Value"] == 12.5
    assert stored.categories["Contract"]["Status"] == "Draft"


async def test_roles_and_relations_follow(ecm: Ecm) -> None:
    parent, child = await ecm.ensure(1, "Parent"), await ecm.ensure(2, "Child")
    set_members = ecm.gateway.set_role_members
    await set_members(child.id, role="Owner", members=["ann.seller", "hal.head@contoso.example"])
    await set_members(child.id, role="Owner", members=["ann.seller", "Legal"])
    assert set(ecm.simulator.workspace(child.id).roles["Owner"]) == {"ann.seller", "Legal"}
    with pytest.raises(Refused) as raised:
        await set_members(child.id, role="Owner", members=["ann.seller", "nobody"])
    assert raised.value.code == "member_unknown"
    for _ in range(2):
        await ecm.gateway.relate(child.id, related_id=parent.id, relation="parent")
        await ecm.gateway.relate(parent.id, related_id=child.id, relation="child")
    assert len(ecm.simulator.workspace(child.id).relations) == 1
    for _ in range(2):
        await ecm.gateway.unrelate(parent.id, related_id=child.id, relation="child")
    assert ecm.simulator.workspace(child.id).relations == ()
    assert [r for r in ecm.simulator.requests if r.status >= 500] == []


async def test_what_is_not_there_is_said(ecm: Ecm) -> None:
    with pytest.raises(Misconfigured, match="Account") as unknown:
        await ecm.gateway.ensure_workspace(
            account(1), workspace_type="Warehouse", template=None, name="x", attributes={}
        )
    assert unknown.value.code == "workspace_type_unknown"
    for missing in (
        ecm.gateway.update_workspace(99999, name="x", attributes={}),
        ecm.gateway.set_role_members(99999, role="Owner", members=[]),
        ecm.gateway.relate(99999, related_id=1, relation="parent"),
    ):
        with pytest.raises(Refused) as raised:
            await missing
        assert raised.value.code == "workspace_missing"


async def test_labels_for_checks_are_there(ecm: Ecm) -> None:
    attributes = await ecm.gateway.attribute_labels()
    definition = ecm.simulator.definition
    templates = [template for kind in definition.workspace_types for template in kind.templates]
    assert set(attributes) == {name for template in templates for name in template.categories}
    assert {"Record State", "Value", "Milestones:Due"} <= set(attributes["Business Record"])
    types = await ecm.gateway.workspace_types()
    roles = {kind.name: await ecm.gateway.role_names(kind) for kind in types}
    assert set(roles) == {kind.name for kind in definition.workspace_types}
    assert "Legal" in roles["Contract"]


async def test_the_rows_of_a_set_follow_the_lists_of_a_rule(ecm: Ecm) -> None:
    def held() -> Any:
        rows = ecm.simulator.workspace(made.id).categories["Business Record"]["Milestones"]
        return [(row["Milestone"], row["Due"]) for row in rows]

    def lists(*rows: tuple[str, str | None]) -> dict[str, Any]:
        titles, days = zip(*rows, strict=True) if rows else ((), ())
        return {"Milestones:Milestone": titles, "Milestones:Due": days}

    day = "2026-03-20"
    three = (("Design", day), ("Build", None), ("Test", day))
    made = await ecm.ensure(attributes=lists(*three))
    moment = f"{day}T00:00:00"
    assert held() == [("Design", moment), ("Build", None), ("Test", moment)]
    for rows in (three[:1], three[::-1], three[:2], ()):
        await ecm.gateway.update_workspace(
            made.id, name="Contoso", attributes={"Business Record": lists(*rows)}
        )
        assert held() == [(title, moment if due else None) for title, due in rows]
    before = len(ecm.simulator.requests)
    await ecm.gateway.update_workspace(
        made.id, name="Contoso", attributes={"Business Record": lists()}
    )
    assert {r.method for r in ecm.simulator.requests[before:]} == {"GET"}, "nothing differs"


async def test_bad_days_of_content_server_are_told_apart(ecm: Ecm) -> None:
    faults = ecm.simulator.faults
    faults.add(Fault("status", path="/boids/", status=429, retry_after=3))
    with pytest.raises(Throttled) as throttled:
        await ecm.ensure()
    assert throttled.value.retry_after == 3
    for fault in (
        Fault("status", path="/boids/", status=503, html=True),
        Fault("error_page", path="/boids/"),
        Fault("garbage", path="/boids/"),
        Fault("reset", path="/boids/"),
    ):
        faults.add(fault)
        with pytest.raises(Unavailable):
            await ecm.ensure()
    assert ecm.simulator.workspaces() == []
    await ecm.simulator.served.stop()
    with pytest.raises(Unavailable):
        await ecm.ensure()
    await ecm.simulator.served.start()
    assert (await ecm.ensure()).created


async def test_a_type_that_generates_names_keeps_its_own() -> None:
    data = default_definition()
    kinds = tuple(
        replace(kind, name_pattern="[Business Record/Record Name] (generated)")
        for kind in data.workspace_types
    )
    async with content_server(data=replace(data, workspace_types=kinds)) as system:
        made = await system.ensure(name="Ours", attributes={"Record Name": "Theirs"})
        assert made.name == "Theirs (generated)"
        await system.gateway.update_workspace(
            made.id, name="Ours", attributes={"Business Record": {"Record Name": "Theirs"}}
        )
        assert system.simulator.workspace(made.id).name == "Theirs (generated)"
        assert [r for r in system.simulator.requests if r.method == "PUT"] == []


async def test_no_failure_and_no_log_line_shows_a_secret_or_a_ticket(
    ecm: Ecm, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "app")
    caplog.set_level(logging.DEBUG, "httpx")
    monkeypatch.setattr(caplog.handler, "formatter", TextFormatter())
    await ecm.ensure()
    shown = [str(await ecm.tickets.present())]
    tickets = {(await ecm.tickets.present()).text}
    for kind in ("error_page", "garbage", "reset", "hang_up"):
        ecm.simulator.faults.add(Fault(kind, path="/boids/"))
        with pytest.raises(Unavailable) as raised:
            await ecm.ensure()
        shown.append(repr(raised.value) + str(raised.value))
        await ecm.ensure()
        tickets.add((await ecm.tickets.present()).text)
    text = "\n".join([*shown, caplog.text])
    assert "/boids/" in text
    assert len(tickets) > 1
    assert not [ticket for ticket in tickets if ticket in text]
    assert ecm.simulator.client.client_secret not in text
