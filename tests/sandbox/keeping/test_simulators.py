"""Organisations and servers that go on from what was kept of others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server import keeping as ecm
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import NodeType
from app.sandbox.content_server.people import People
from app.sandbox.dataverse import DataverseSimulator, Reference
from app.sandbox.dataverse import keeping as dynamics
from app.sandbox.dataverse.errors import Refusal
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.finance import FinanceSimulator
from app.sandbox.finance import keeping as finance
from app.sandbox.keeping import Part
from app.serving import LocalCa

APP, OTHER_APP = (f"{digit * 8}-2222-4333-8444-555555555555" for digit in "12")
USERS = {APP: "Dovetail"}


def again(part: Part, records: Any) -> Any:
    """The records after a way through a file."""
    return part.load(part.dump(records))


def organisation(state: Any = None) -> DataverseSimulator:
    entra = EntraSimulator("contoso", [EntraClient(APP)])
    return DataverseSimulator(
        entra, application_users=USERS, resource="https://org.example", state=state
    )


def server(kept: Any = None) -> ContentServerSimulator:
    return ContentServerSimulator(3, kept=kept)


def test_an_organisation_goes_on_where_it_was() -> None:
    first = organisation()
    account = first.seed("account", {"name": "Contoso", "accountnumber": "A-1"})
    deal = first.seed(
        "opportunity", {"name": "Deal", "customerid": Reference("account", account.id)}
    )
    gone = first.seed("account", {"name": "Gone"})
    first.remove("account", gone.id)
    first.change("account", account.id, {"name": "Contoso Ltd"})

    second = organisation(again(dynamics.PART, first.state))

    assert second.state == first.state
    assert second.row("account", account.id) == first.row("account", account.id)
    assert second.row("account", gone.id) is None
    assert second.version == first.version
    assert [c.operation for c in second.commits] == [c.operation for c in first.commits]
    changed = second.change("opportunity", deal.id, {"name": "Bigger deal"})
    assert changed.version > first.version
    assert second.rows("systemuser") == first.rows("systemuser")


def test_alternate_keys_of_kept_rows_hold() -> None:
    first = organisation()
    values = {"name": "Contoso", "accountnumber": "taken"}
    first.seed("account", values)
    with pytest.raises(Refusal, match="412"):
        organisation(again(dynamics.PART, first.state)).seed("account", values)


def test_finance_and_operations_go_on_where_they_were() -> None:
    entra = EntraSimulator("contoso", [EntraClient(APP)])
    first = FinanceSimulator(entra, application_users=USERS)
    vendor = {"VendorAccountNumber": "V-1", "VendorOrganizationName": "Kumi Oy"}
    row = first.seed("VendorsV2", vendor)
    state = again(finance.PART, first.state)
    second = FinanceSimulator(entra, application_users=USERS, state=state)
    assert second.state == first.state
    assert second.row("VendorsV2", VendorAccountNumber="V-1") == row
    other = second.seed("VendorsV2", {**vendor, "VendorAccountNumber": "V-2"})
    assert (other.recid > row.recid, other.version > row.version) == (True, True)


def test_a_version_that_was_told_before_a_kill_is_not_given_again() -> None:
    first = organisation()
    account = first.seed("account", {"name": "Contoso"})
    saved = dynamics.PART.dump(first.state)
    told = first.change("account", account.id, {"name": "never saved"}).version
    second = organisation(dynamics.resumed(dynamics.PART.load(saved)))
    assert second.row("account", account.id) == account
    assert second.change("account", account.id, {"name": "after"}).version > told


def test_numbers_of_finance_that_were_told_before_a_kill_are_not_given_again() -> None:
    entra = EntraSimulator("contoso", [EntraClient(APP)])
    first = FinanceSimulator(entra, application_users=USERS)
    saved = finance.PART.dump(first.state)
    vendor = {"VendorAccountNumber": "V-1", "VendorOrganizationName": "Kumi Oy"}
    told = first.seed("VendorsV2", vendor)
    state = finance.resumed(finance.PART.load(saved))
    assert state.control_number > first.state.control_number
    again_made = FinanceSimulator(entra, application_users=USERS, state=state).seed(
        "VendorsV2", vendor
    )
    assert (again_made.recid > told.recid, again_made.version > told.version) == (True, True)


def test_ids_of_nodes_and_events_that_were_told_before_a_kill_are_not_given_again() -> None:
    first = server()
    saved = ecm.PART.dump(ecm.kept(first.store))
    told = first.create_workspace("Account", "Lost", business_object=("D365", "account", "1"))
    second = server(ecm.resumed(ecm.PART.load(saved)))
    made = second.create_workspace("Account", "Next", business_object=("D365", "account", "2"))
    assert made.id > max(first.store.nodes) >= told.id
    ids = [{h.event_id for h in simulator.happenings} for simulator in (first, second)]
    assert ids[1]
    assert not ids[0] & ids[1]


def test_another_application_gets_its_user_in_a_kept_organisation() -> None:
    state = again(dynamics.PART, organisation().state)
    entra = EntraSimulator("contoso", [EntraClient(OTHER_APP)])
    found = DataverseSimulator(
        entra, application_users={OTHER_APP: "Other"}, resource="https://org.example", state=state
    )
    names = [row.values["fullname"] for row in found.rows("systemuser")]
    assert names == ["SYSTEM", "Dovetail", "Other"]


def test_a_server_goes_on_where_it_was() -> None:
    first = server()
    made = first.create_workspace(
        "Account",
        "Contoso",
        business_object=("D365", "account", "1"),
        roles={"Owner": ["ann.seller"]},
    )

    second = server(again(ecm.PART, ecm.kept(first.store)))

    assert second.workspace(made.id) == first.workspace(made.id)
    assert second.find_by_business_object("D365", "account", "1") == made
    assert second.audit == first.audit
    assert second.happenings == first.happenings
    before, after = ecm.kept(first.store), ecm.kept(second.store)
    # The new process has drawn the secret of its sessions since.
    assert {**after, "random": None} == {**before, "random": None}
    following = second.create_workspace("Account", "Next")
    assert following.id > max(first.store.nodes)
    assert second.happenings[-1].event_id > first.happenings[-1].event_id
    assert People(second.store).workflows() == People(first.store).workflows()


def test_nothing_of_a_store_is_forgotten() -> None:
    store = server().store
    assert set(vars(store)) == {*ecm.kept(store), *ecm.OF_THE_PROCESS}
    assert set(vars(store.happenings)) == {*ecm.kept(store)["happenings"], *ecm.HEARD_BY}


def test_a_contract_workspace_of_a_restarted_server_still_tells_of_its_contract() -> None:
    first = server()
    made = first.create_workspace("Contract", "Deal", business_object=("D365", "contract", "1"))
    second = server(again(ecm.PART, ecm.kept(first.store)))
    for simulator in (first, second):
        folder = simulator.store.child_by_name(made.id, made.folders[0])
        assert folder is not None
        person = simulator.member("ann.seller")
        node = simulator.store.new_node(folder.id, "draft.txt", NodeType.DOCUMENT, person.id)
        simulator.store.record(node, AuditEvent.CREATE, person.id)
    told = [[h.event for h in simulator.happenings] for simulator in (first, second)]
    assert told[0] == told[1]
    assert any(event.startswith("contract.") for event in told[1]), told


async def test_a_restarted_server_finds_old_workspaces_by_search() -> None:
    first = server()
    first.create_workspace("Account", "Quixotic", business_object=("D365", "account", "1"))
    async with server(again(ecm.PART, ecm.kept(first.store))) as second:
        entries = [
            entry.regions["OTName"]
            for entry in second._application._index.entries()
            if "quixotic" in entry.words
        ]
        assert entries == ["Quixotic"]


def test_an_authority_on_a_folder_stays_the_same(tmp_path: Path) -> None:
    first, second = LocalCa(tmp_path / "ca"), LocalCa(tmp_path / "ca")
    pem = first.ca_path.read_bytes()
    first.close()
    assert second.ca_path.read_bytes() == pem
    assert (tmp_path / "ca" / "ca-key.pem").stat().st_mode & 0o077 == 0
    second.server_context("127.0.0.1")


def test_an_authority_without_a_folder_leaves_nothing() -> None:
    ca = LocalCa()
    assert ca.ca_path.exists()
    ca.close()
    assert not ca.ca_path.parent.exists()


def test_times_of_a_kept_server_are_aware() -> None:
    store = server(again(ecm.PART, ecm.kept(server().store))).store
    assert all(node.created.tzinfo == dt.UTC for node in store.nodes.values())
