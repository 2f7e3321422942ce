"""Records and holds as calls see them (reference/extended-ecm.md 7)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.default_processes import RECORDS
from tests.sandbox.content_server.conftest import Api


def class_id(server: ContentServerSimulator, name: str = "Cases") -> int:
    return next(c.id for c in server.store.records.classifications.values() if c.name == name)


@pytest.fixture
def workspace(server: ContentServerSimulator) -> int:
    return server.create_workspace("Case", "Broken pump", user="dovetail").id


async def document(api: Api, parent_id: int, name: str = "a.txt") -> int:
    made = (await api.upload(parent_id, name, b"first")).json()
    return int(made["results"]["data"]["properties"]["id"])


async def classify(api: Api, server: ContentServerSimulator, node_id: int, **more: Any) -> None:
    body = {"class_id": class_id(server), **more}
    answer = await api.body("POST", f"/v1/nodes/{node_id}/rmclassifications", body)
    assert answer.status_code == 200, answer.text


async def details(api: Api, node_id: int) -> dict[str, Any]:
    shown: dict[str, Any] = (await api.get(f"/v1/nodes/{node_id}/rmclassifications")).json()
    return shown


async def test_what_lies_in_a_classified_workspace_inherits(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    assert (await details(api, inside))["data"] == []
    await classify(api, server, workspace)
    (own,) = (await details(api, workspace))["data"]
    shown = await details(api, inside)
    assert own["rmclassification_id"] == class_id(server)
    assert (own["file_number"], own["rsi"], own["file_status"]) == ("100-10", "CASE-7Y", "ACTIVE")
    assert shown["inherit_from"] is True
    assert shown["data"][0]["inherited_rmclassification_id"] == class_id(server)
    assert shown["data"][0]["rmclassification_id"] is None


async def test_classifying_with_everything_beneath_gives_each_its_own(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    await classify(api, server, workspace, apply_to_sub_items=True)
    assert (await details(api, inside))["data"][0]["rmclassification_id"] == class_id(server)


async def test_another_class_and_details_need_the_present_token(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = f"/v1/nodes/{workspace}/rmclassifications"
    await classify(api, server, workspace)
    other = {"class_id": class_id(server, "Contracts")}
    assert (await api.body("POST", path, other)).status_code == 400
    assert (await api.body("PUT", path, {"file_status": "CLOSED"})).status_code == 400
    stale = {"rm_metadataToken": "stale"}
    assert (await api.body("POST", path, other | stale)).status_code == 409
    assert (await api.body("PUT", path, {"file_status": "CLOSED"} | stale)).status_code == 409
    token = {"rm_metadataToken": (await details(api, workspace))["rm_metadataToken"]}
    assert (await api.body("PUT", path, {"file_status": "closed"} | token)).status_code == 200
    assert (await api.body("PUT", path, {"file_status": "ACTIVE"} | token)).status_code == 409
    token = {"rm_metadataToken": (await details(api, workspace))["rm_metadataToken"]}
    assert (await api.body("POST", path, other | token)).status_code == 200
    (row,) = (await details(api, workspace))["data"]
    assert (row["rsi"], row["file_status"]) == ("CONTRACT-10Y", "ACTIVE")


@pytest.mark.parametrize(
    "wrong",
    [
        {"file_status": "GONE"},
        {"essential": "X"},
        {"storage": "X"},
        {"record_date": "soon"},
        {"rsi": "NOPE"},
        {"cycle_period": "5"},
    ],
)
async def test_values_that_are_none_are_refused_and_change_nothing(
    server: ContentServerSimulator, api: Api, workspace: int, wrong: dict[str, str]
) -> None:
    await classify(api, server, workspace)
    before = await details(api, workspace)
    body = {"rm_metadataToken": before["rm_metadataToken"], "official": True, **wrong}
    answer = await api.body("PUT", f"/v1/nodes/{workspace}/rmclassifications", body)
    assert answer.status_code == 400
    assert await details(api, workspace) == before


async def test_a_final_record_is_neither_changed_nor_deleted(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    await classify(api, server, inside)
    other = await document(api, workspace, "b.txt")
    path = "/v1/rmclassifications/finalizerecords"
    assert (await api.form("PUT", path, ids=[inside, other])).status_code == 400
    assert not (await details(api, inside))["data"][0]["finalized"]
    assert (await api.form("PUT", path, ids=[inside])).status_code == 200
    assert (await details(api, inside))["canFinalize"] is False
    for answer in (
        await api.http.delete(f"/v2/nodes/{inside}"),
        await api.http.delete(f"/v2/nodes/{workspace}"),
        await api.body("PUT", f"/v2/nodes/{inside}", {"name": "x.txt"}),
        await api.http.post(f"/v2/nodes/{inside}/versions", files={"file": ("a.txt", b"2")}),
    ):
        assert answer.status_code == 500
        assert "final record" in answer.json()["error"]
    removed = await api.http.delete(f"/v1/nodes/{inside}/rmclassifications/{class_id(server)}")
    assert removed.status_code == 400
    assert server.happenings[-1].event == "record.finalized"


async def test_a_classification_schedule_and_secrecy_are_taken_back(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = f"/v1/nodes/{workspace}/rmclassifications"
    assert (await api.http.put(f"{path}/makeConfidential")).status_code == 400
    await classify(api, server, workspace)
    await api.http.put(f"{path}/makeConfidential")
    assert (await details(api, workspace))["data"][0]["confidential"] is True
    await api.http.put(f"{path}/removeConfidential")
    assert (await details(api, workspace))["data"][0]["confidential"] is False
    rsis = f"{path}/{class_id(server)}/rsis"
    assert (await api.form("POST", rsis, rsi="NOPE")).status_code == 400
    await api.form("POST", rsis, rsi="FINANCE-10Y")
    shown = (await api.get(f"/v1/nodes/{workspace}/rsis")).json()["data"]
    assert [row["RSI"] for row in shown] == ["FINANCE-10Y"]
    await api.http.delete(rsis)
    assert (await details(api, workspace))["data"][0]["rsi"] is None
    assert (await api.http.delete(f"{path}/12345")).status_code == 404
    await api.http.delete(f"{path}/{class_id(server)}")
    assert server.people.record(workspace) is None


async def test_a_hold_blocks_deletion_beneath_until_it_is_released(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    made = (await api.form("POST", "/v1/holds", name="Audit", type="AUDIT", comment="c")).json()
    hold = made["holdID"]
    again = await api.form("POST", "/v1/holds", name="audit", type="AUDIT")
    assert again.status_code == 400
    assert (await api.body("POST", f"/v1/nodes/{workspace}/holds", {})).status_code == 400
    for _ in range(2):
        await api.body("POST", f"/v1/nodes/{workspace}/holds", {"hold_id": hold})
    (lying,) = (await api.get(f"/v1/nodes/{inside}/holds")).json()["data"]
    assert (lying["hold_appliedmethod"], lying["removable"]) == ("Inherited", False)
    items = (await api.get(f"/v2/holditems/{hold}")).json()["results"]["data"]["holditems"]
    assert [item["DataID"] for item in items] == [workspace]
    blocked = await api.http.delete(f"/v2/nodes/{inside}")
    assert (blocked.status_code, "on hold" in blocked.json()["error"]) == (500, True)
    # Not in force, it does not hold; and a change of the text leaves the rest.
    await api.form("PUT", "/v1/holds", id=hold, active="false", comment="done")
    shown = (await api.get(f"/v2/holds/{hold}")).json()["results"]["data"]["hold"]
    assert (shown["ActiveHold"], shown["HoldComment"], shown["HoldName"]) == (0, "done", "Audit")
    await api.form("PUT", "/v1/holds", id=hold, active="true")
    assert (await api.http.delete(f"/v1/nodes/{inside}/holds/{hold}")).status_code == 404
    assert (await api.http.delete(f"/v1/nodes/{workspace}/holds/{hold}")).status_code == 200
    assert (await api.http.delete(f"/v2/nodes/{inside}")).status_code == 200
    events = [h.event for h in server.happenings if h.event.startswith("hold.")]
    assert events == ["hold.applied", "hold.released"]


async def test_holds_are_put_on_many_at_once(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    documents = [await document(api, workspace, f"{n}.txt") for n in range(3)]
    hold = (await api.form("POST", "/v1/holds", name="H", type="T")).json()["holdID"]
    path = "/v1/rmclassifications"
    assert (await api.form("POST", f"{path}/applyhold", ids=documents)).status_code == 400
    assert (await api.form("POST", f"{path}/applyhold", holdID=hold)).status_code == 400
    await api.form("POST", f"{path}/applyhold", ids=documents, holdID=hold)
    assert len(server.store.records.holds_on) == 3
    await api.form("POST", f"{path}/removehold", ids=documents[:2], holdID=hold)
    assert list(server.store.records.holds_on) == documents[2:]
    assert (await api.get("/v2/holds", limit=1)).json()["collection"]["paging"]["total_count"] == 1
    assert (await api.get("/v2/hold", holdname="none")).status_code == 404
    assert (await api.get("/v2/hold", id=99)).status_code == 404


async def test_plain_classifications_are_replaced_as_a_set(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = f"/v1/nodes/{workspace}/classifications"
    named = {n.name: n.id for n in server.store.nodes.values() if n.type == 199}
    await api.body("POST", path, {"class_id": [named["Evidence"], named["Invoices"]]})
    await api.body("POST", path, {"class_id": [named["Correspondence"]]})
    shown = (await api.get(path)).json()
    assert [row["name"] for row in shown["data"]] == ["Correspondence"]
    assert server.happenings[-1].attributes == {"classification": "Correspondence"}
    assert (await api.body("POST", path, {"class_id": [workspace]})).status_code == 400
    await api.http.delete(path)
    assert (await api.get(path)).json()["data"] == []


async def test_schedules_are_made_stage_by_stage(api: Api) -> None:
    fields = {"name": "HR-3Y", "title": "3 years", "status": "ACTIVE", "dispcontrol": "true"}
    made = (await api.form("POST", "/v2/rsischedules", **fields)).json()
    number = made["results"]["data"]["rsiID"]
    assert (await api.form("POST", "/v2/rsischedules", name="hr-3y")).status_code == 400
    path = f"/v2/rsischedules/{number}/stages"
    assert (await api.form("POST", path, retentionYears=3)).status_code == 400
    for stage in ("Archive", "Destroy"):
        await api.form("POST", path, stage=stage, retentionYears=3)
    rows = (await api.get(f"/v2/rsis/{number}")).json()["results"]["data"]["rsis"]
    assert [(row["RetStage"], row["DispControl"]) for row in rows] == [
        ("Archive", 1),
        ("Destroy", 1),
    ]
    assert (await api.get("/v2/rsis/99")).status_code == 404
    page = (await api.get("/v2/rsis", limit=2)).json()
    assert len(page["results"]["data"]["rsis"]) == 2
    assert page["collection"]["paging"]["total_count"] == 2 + len(RECORDS.rsis)


async def test_stages_of_a_schedule_follow_each_other_from_the_record_date(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    made = await api.form("POST", "/v2/rsischedules", name="TWO-STAGES")
    path = f"/v2/rsischedules/{made.json()['results']['data']['rsiID']}/stages"
    await api.form("POST", path, stage="Archive", dateToUse=95, retentionMonths=1)
    await api.form("POST", path, stage="Destroy", retentionYears=2, retentionDays=3)
    await classify(api, server, workspace, rsi="TWO-STAGES", record_date="2024-01-31")
    held = server.people.record(workspace)
    assert held is not None
    assert held.kept_until == date(2026, 3, 3)


async def test_a_create_call_brings_classes_and_clearance_or_leaves_nothing(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    named = {n.name: n.id for n in server.store.nodes.values() if n.type == 199}
    roles: dict[str, Any] = {
        "classifications": {"create_id": [named["Evidence"]], "id": [named["Invoices"]]},
        "rmclassifications": {"class_id": class_id(server), "record_date": "2026-01-31"},
        "securityclearances": {"clearance_level": 50, "supplemental_markings": ["HR"]},
    }
    made = (await api.upload(workspace, "a.txt", b"x", roles=roles)).json()
    node = made["results"]["data"]["properties"]["id"]
    shown = (await api.get(f"/v1/nodes/{node}/classifications")).json()["data"]
    assert [row["name"] for row in shown] == ["Evidence", "Invoices"]
    held = server.people.record(node)
    assert held is not None
    assert held.record_date == date(2026, 1, 31)
    needed = (await api.get(f"/v1/nodes/{node}/securityclearances")).json()["data"]
    assert needed["clearance_level"] == 50
    answer = await api.make_workspace(server, "Case", "Leak", "c-9", roles=roles)
    case = answer.json()["results"]["id"]
    assert server.people.record(case) == held
    for wrong in (
        {"rmclassifications": {"class_id": 999}},
        {"rmclassifications": {"class_id": class_id(server), "essential": "X"}},
        {"rmclassifications": [1]},
        {"classifications": {"id": [workspace]}},
        {"securityclearances": {"clearance_level": 7}},
        {"securityclearances": {"supplemental_markings": "HR"}},
        {"securityclearances": {"supplemental_markings": [["HR"]]}},
    ):
        assert (await api.upload(workspace, "b.txt", b"x", roles=wrong)).status_code == 400, wrong
        refused = await api.make_workspace(server, "Case", "B", "c-10", roles=wrong)
        assert refused.status_code == 400
    assert server.store.child_by_name(workspace, "b.txt") is None
    assert server.find_by_business_object("D365", "incident", "c-10") is None
