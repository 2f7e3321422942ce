"""The Dataverse gateway: what it sends, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from app.clients.dynamics import DataverseGateway
from streams.catalogue import Catalogue, Column, ColumnKind, ColumnValue, Table
from streams.errors import Conflict, Misconfigured, Refused, Retryable, Throttled, Unavailable
from streams.ports import DynamicsGateway, Row
from tables.keys import RecordRef
from tests.clients.conversation import Conversation, CountingSignIn, Observed, ok, page

ID = "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
OTHER = "1b3f6f52-7c1b-4e0e-9d5c-0123456789ab"
OPPORTUNITY = RecordRef("opportunity", ID)
COLUMNS: Mapping[str, Column] = {
    "name": Column(ColumnKind.TEXT),
    "estimatedvalue": Column(ColumnKind.NUMBER),
    "statecode": Column(ColumnKind.CHOICE),
    "new_tags": Column(ColumnKind.CHOICES),
    "isrevenuesystemcalculated": Column(ColumnKind.BOOLEAN),
    "actualclosedate": Column(ColumnKind.DATE),
    "new_signedon": Column(ColumnKind.DATETIME),
    "new_count": Column(ColumnKind.INTEGER),
    "customerid": Column(ColumnKind.LOOKUP, ("account", "contact")),
    "ownerid": Column(ColumnKind.LOOKUP, ("systemuser", "team")),
    "new_workspace": Column(ColumnKind.LOOKUP, ("new_workspace",)),
}
CATALOGUE = Catalogue(
    {
        "opportunity": Table("opportunity", "opportunities", "opportunityid", COLUMNS),
        "account": Table(
            "account", "accounts", "accountid", {"accountnumber": Column(ColumnKind.TEXT)}
        ),
        "contact": Table("contact", "contacts", "contactid", {}),
        "systemuser": Table("systemuser", "systemusers", "systemuserid", {}, reference=True),
        "processstage": Table(
            "processstage",
            "processstages",
            "processstageid",
            {"stagename": Column(ColumnKind.TEXT)},
            reference=True,
        ),
    }
)
LOOKUP = "@Microsoft.Dynamics.CRM.lookuplogicalname"
ROW: dict[str, Any] = {
    "@odata.context": "https://org/$metadata#opportunities/$entity",
    "@odata.etag": 'W/"77"',
    "opportunityid": ID,
    "name": "Deal",
    "statecode": 0,
    "new_tags": "3,1",
    "isrevenuesystemcalculated": False,
    "actualclosedate": "2024-01-31",
    "new_signedon": "2024-01-31T10:15:00Z",
    "new_count": None,
    "_customerid_value": OTHER.upper(),
    f"_customerid_value{LOOKUP}": "account",
    "_ownerid_value": None,
    "_new_workspace_value": OTHER,
    "versionnumber": 77,
    "modifiedon": "2024-01-31T10:15:02Z",
}
# Numbers as text, so that no float comes between.
ROW_JSON = json.dumps(ROW)[:-1] + ', "estimatedvalue": 922337203685477.5800}'
EXPECTED: dict[str, ColumnValue] = {
    "name": "Deal",
    "estimatedvalue": "922337203685477.58",
    "statecode": 0,
    "new_tags": "1,3",
    "isrevenuesystemcalculated": False,
    "actualclosedate": "2024-01-31",
    "new_signedon": "2024-01-31T10:15:00Z",
    "new_count": None,
    "customerid": f"account:{OTHER}",
    "ownerid": None,
    "new_workspace": f"new_workspace:{OTHER}",
}


def row(status: int = 200, text: str = ROW_JSON) -> httpx.Response:
    return httpx.Response(status, content=text, headers={"Content-Type": "application/json"})


def problem(status: int, code: str, message: str = "no") -> httpx.Response:
    return ok({"error": {"code": code, "message": message}}, status)


def relationship(column: str, target: str, navigation: str) -> dict[str, str]:
    return {
        "ReferencingAttribute": column,
        "ReferencedEntity": target,
        "ReferencingEntityNavigationPropertyName": navigation,
    }


def environment() -> Conversation:
    """The metadata that every call may need."""
    names = [*COLUMNS, "versionnumber", "modifiedon"]
    columns = [{"LogicalName": n, "AttributeType": "String"} for n in names]
    stage = [{"LogicalName": "stagename", "AttributeType": "String", "IsValidForUpdate": False}]
    relations = [
        relationship("customerid", "account", "customerid_account"),
        relationship("customerid", "contact", "customerid_contact"),
        relationship("ownerid", "owner", "ownerid"),
        relationship("new_workspace", "new_workspace", "new_Workspace"),
    ]
    definition = {
        "EntitySetName": "new_workspaceset",
        "PrimaryIdAttribute": "new_workspaceid",
        "ChangeTrackingEnabled": True,
        "Keys": [{"LogicalName": "by_node", "KeyAttributes": ["new_node"]}],
    }
    return (
        Conversation()
        .on("GET", r"'opportunity'\)/Attributes", ok({"value": columns}))
        .on("GET", r"'account'\)/Attributes", ok({"value": columns}))
        .on("GET", r"'processstage'\)/Attributes", ok({"value": stage}))
        .on("GET", r"'opportunity'\)/ManyToOneRelationships", ok({"value": relations}))
        .on("GET", r"EntityDefinitions\(LogicalName='new_workspace'\)\?", ok(definition))
    )


def gateway(talk: Conversation, observed: Observed | None = None) -> DataverseGateway:
    return DataverseGateway(
        "https://org.example/",
        CountingSignIn(),
        CATALOGUE,
        client=talk.client(),
        observer=observed,
    )


def sent(talk: Conversation) -> Any:
    return json.loads(talk.asked("PATCH")[-1].content)


def test_the_gateway_is_what_the_writers_ask_for() -> None:
    port: DynamicsGateway = gateway(Conversation())
    assert port


async def test_a_read_selects_the_declared_columns_and_brings_canonical_values() -> None:
    talk = environment().on("GET", rf"/opportunities\({ID}\)", row())
    found = await gateway(talk).read_record(OPPORTUNITY)
    assert found == Row(EXPECTED, 77, 1706696102000)
    request = talk.requests[-1]
    assert request.url.path == f"/api/data/v9.2/opportunities({ID})"
    assert request.url.params["$select"] == (
        "name,estimatedvalue,statecode,new_tags,isrevenuesystemcalculated,actualclosedate,"
        "new_signedon,new_count,_customerid_value,_ownerid_value,_new_workspace_value,"
        "versionnumber,modifiedon"
    )
    assert request.headers["prefer"] == (
        'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
    )
    assert request.headers["odata-version"] == request.headers["odata-maxversion"] == "4.0"
    assert request.headers["if-none-match"] == "null"


async def test_a_table_without_stamps_is_read_without_them() -> None:
    talk = environment().on("GET", r"/processstages\(", ok({"stagename": "Propose"}))
    found = await gateway(talk).read_record(RecordRef("processstage", ID))
    assert found == Row({"stagename": "Propose"}, None, 0)
    assert talk.requests[-1].url.params["$select"] == "stagename"


async def test_metadata_is_asked_for_once() -> None:
    talk = environment().on("GET", r"/opportunities\(", row())
    reading = gateway(talk)
    await reading.read_record(OPPORTUNITY)
    await reading.read_record(OPPORTUNITY)
    assert len(talk.asked("GET", "EntityDefinitions")) == 1


async def test_a_record_that_does_not_exist_is_none() -> None:
    talk = environment().on("GET", r"/opportunities\(", problem(404, "0x80040217"))
    assert await gateway(talk).read_record(OPPORTUNITY) is None


async def test_an_unknown_404_is_not_taken_for_a_deleted_record() -> None:
    talk = environment().on("GET", r"/opportunities\(", problem(404, "0x1"))
    with pytest.raises(Refused) as raised:
        await gateway(talk).read_record(OPPORTUNITY)
    assert raised.value.code == "not_found"


async def test_a_value_of_another_kind_names_the_declaration() -> None:
    talk = environment().on("GET", r"/opportunities\(", ok({"statecode": "Open"}))
    with pytest.raises(Misconfigured, match=r"opportunity\.statecode") as raised:
        await gateway(talk).read_record(OPPORTUNITY)
    assert raised.value.code == "column_kind_wrong"


async def test_a_table_that_is_not_declared_is_our_configuration() -> None:
    with pytest.raises(Misconfigured, match=r"tables\.yaml"):
        await gateway(Conversation()).read_record(RecordRef("incident", ID))


async def test_a_write_never_creates_and_carries_the_tag() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", row())
    after = await gateway(talk).write_columns(
        OPPORTUNITY, {"name": "Deal", "estimatedvalue": "922337203685477.58"}, tag="dove tail&1"
    )
    assert after == Row(EXPECTED, 77, 1706696102000)
    request = talk.requests[-1]
    assert request.headers["if-match"] == "*"
    assert "if-none-match" not in request.headers
    assert request.headers["prefer"].startswith("return=representation,")
    assert request.headers["content-type"] == "application/json"
    assert request.url.params["tag"] == "dove tail&1"
    assert request.content == b'{"name":"Deal","estimatedvalue":922337203685477.58}'


async def test_every_kind_of_column_is_written_in_its_encoding() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", row())
    columns: dict[str, ColumnValue] = {
        "statecode": 1,
        "new_tags": "1,3",
        "isrevenuesystemcalculated": True,
        "actualclosedate": "2024-01-31",
        "new_signedon": "2024-01-31T10:15:00Z",
        "new_count": 7,
        "estimatedvalue": None,
        "name": None,
    }
    await gateway(talk).write_columns(OPPORTUNITY, columns, tag="t")
    assert sent(talk) == columns


@pytest.mark.parametrize(
    ("column", "value", "property_", "bound"),
    [
        ("customerid", f"contact:{OTHER}", "customerid_contact", f"/contacts({OTHER})"),
        ("customerid", f"account:{OTHER}", "customerid_account", f"/accounts({OTHER})"),
        ("ownerid", f"systemuser:{OTHER}", "ownerid", f"/systemusers({OTHER})"),
        ("new_workspace", f"new_workspace:{OTHER}", "new_Workspace", f"/new_workspaceset({OTHER})"),
        ("customerid", None, "customerid_account", None),
        ("ownerid", None, "ownerid", None),
    ],
)
async def test_a_lookup_is_bound_by_its_navigation_property(
    column: str, value: str | None, property_: str, bound: str | None
) -> None:
    talk = environment().on("PATCH", r"/opportunities\(", row())
    await gateway(talk).write_columns(OPPORTUNITY, {column: value}, tag="t")
    assert sent(talk) == {f"{property_}@odata.bind": bound}


async def test_a_lookup_without_a_relationship_names_the_declaration() -> None:
    talk = environment()
    with pytest.raises(Misconfigured, match=r"opportunity\.customerid to systemuser"):
        await gateway(talk).write_columns(
            OPPORTUNITY, {"customerid": f"systemuser:{OTHER}"}, tag="t"
        )
    assert talk.asked("PATCH") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("statecode", "open"), ("estimatedvalue", "much"), ("customerid", "Contoso"), ("name", 5)],
)
async def test_a_value_that_does_not_fit_is_refused_before_it_is_sent(
    column: str, value: ColumnValue
) -> None:
    talk = environment()
    with pytest.raises(Refused, match=column) as raised:
        await gateway(talk).write_columns(OPPORTUNITY, {column: value}, tag="t")
    assert raised.value.code == "value_invalid"
    assert talk.asked("PATCH") == []


async def test_a_column_that_is_not_declared_is_our_configuration() -> None:
    with pytest.raises(Misconfigured, match=r"opportunity\.new_x"):
        await gateway(environment()).write_columns(OPPORTUNITY, {"new_x": 1}, tag="t")


async def test_a_server_that_brings_no_row_is_asked_for_it() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", ok(status=204))
    talk.on("GET", r"/opportunities\(", row())
    after = await gateway(talk).write_columns(OPPORTUNITY, {"name": "Deal"}, tag="t")
    assert after.version == 77


async def test_a_record_that_is_gone_and_a_target_that_is_gone_are_told_apart() -> None:
    gone = problem(404, "0x80040217", f"opportunity With Id = {ID} Does Not Exist")
    talk = environment().on("PATCH", r"/opportunities\(", gone)
    with pytest.raises(Refused) as raised:
        await gateway(talk).write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert raised.value.code == "record_missing"
    other = problem(404, "0x80040217", f"contact With Id = {OTHER} Does Not Exist")
    talk = environment().on("PATCH", r"/opportunities\(", other)
    with pytest.raises(Refused) as raised:
        await gateway(talk).write_columns(OPPORTUNITY, {"customerid": f"contact:{OTHER}"}, tag="t")
    assert raised.value.code == "lookup_target_missing"


async def test_a_service_protection_limit_says_how_long_to_wait() -> None:
    slow = problem(429, "0x80072322", "Number of requests exceeded the limit of 6000")
    slow.headers["Retry-After"] = "37"
    talk = environment().on("PATCH", r"/opportunities\(", slow)
    with pytest.raises(Throttled) as raised:
        await gateway(talk).write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert (raised.value.code, raised.value.retry_after) == ("requests_exceeded", 37)
    assert len(talk.asked("PATCH")) == 1


@pytest.mark.parametrize("reply", [page(503), httpx.ReadTimeout("slow"), page(200)])
async def test_an_outage_is_not_retried_here(reply: Any) -> None:
    talk = environment().on("PATCH", r"/opportunities\(", reply)
    with pytest.raises(Unavailable):
        await gateway(talk).write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert len(talk.asked("PATCH")) == 1


async def test_a_plug_in_that_threw_may_be_tried_again_by_the_writer() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", problem(400, "0x80040265", "ISV"))
    with pytest.raises(Retryable) as raised:
        await gateway(talk).write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert raised.value.code == "plugin_failed"


async def test_an_expired_token_is_renewed_once() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", ok(status=401), row())
    await gateway(talk).write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert [r.headers["authorization"] for r in talk.asked("PATCH")] == [
        "Bearer pass-1",
        "Bearer pass-2",
    ]


async def test_an_upsert_tells_whether_it_created() -> None:
    talk = environment().on("PATCH", r"/opportunities\(", row(201), row(200))
    writing = gateway(talk)
    first = await writing.upsert(OPPORTUNITY, {"name": "Deal"}, tag="t")
    second = await writing.upsert(OPPORTUNITY, {"name": "Deal"}, tag="t")
    assert (first.created, second.created) == (True, False)
    assert first.record == OPPORTUNITY
    assert all("if-match" not in request.headers for request in talk.asked("PATCH"))


ACCOUNT_ROW = {"accountid": ID.upper(), "accountnumber": "O'Neil & Co", "versionnumber": 5}


async def test_an_upsert_by_key_addresses_the_key_and_does_not_repeat_it() -> None:
    talk = environment().on("PATCH", r"/accounts\(", ok(ACCOUNT_ROW, 201))
    done = await gateway(talk).upsert_by_key(
        "account", {"accountnumber": "O'Neil & Co"}, {"accountnumber": "O'Neil & Co"}, tag="t"
    )
    assert done.record == RecordRef("account", ID)
    assert done.created
    path = talk.requests[-1].url.raw_path.decode().partition("?")[0]
    assert path.endswith("/accounts(accountnumber='O''Neil%20%26%20Co')")
    assert sent(talk) == {}


async def test_of_two_upserts_that_create_at_once_the_later_one_updates() -> None:
    talk = environment().on(
        "PATCH", r"/accounts\(", problem(412, "0x80040237"), ok(ACCOUNT_ROW, 200)
    )
    key: dict[str, ColumnValue] = {"accountnumber": "A1"}
    done = await gateway(talk).upsert_by_key("account", key, {}, tag="t")
    assert not done.created
    assert len(talk.asked("PATCH")) == 2


async def test_a_duplicate_that_stays_is_refused() -> None:
    talk = environment().on("PATCH", r"/accounts\(", problem(412, "0x80040237"))
    with pytest.raises(Refused) as raised:
        await gateway(talk).upsert_by_key("account", {"accountnumber": "A1"}, {}, tag="t")
    assert raised.value.code == "duplicate_key"
    assert len(talk.asked("PATCH")) == 2


async def test_a_guarded_update_reads_again_when_somebody_wrote_between() -> None:
    fresh = ROW_JSON.replace('W/\\"77\\"', 'W/\\"78\\"').replace('"Deal"', '"Deal 2"')
    talk = environment().on("GET", r"/opportunities\(", row(), row(text=fresh))
    talk.on("PATCH", r"/opportunities\(", problem(412, "0x80060882"), row())
    await gateway(talk).update_unchanged(
        OPPORTUNITY, lambda seen: {"name": f"{seen.columns['name']}!"}, tag="t"
    )
    first, second = talk.asked("PATCH")
    assert (first.headers["if-match"], second.headers["if-match"]) == ('W/"77"', 'W/"78"')
    assert [json.loads(r.content) for r in (first, second)] == [
        {"name": "Deal!"},
        {"name": "Deal 2!"},
    ]


async def test_a_guarded_update_gives_up_after_its_attempts() -> None:
    talk = environment().on("GET", r"/opportunities\(", row())
    talk.on("PATCH", r"/opportunities\(", problem(412, "0x80060882"))
    with pytest.raises(Conflict):
        await gateway(talk).update_unchanged(
            OPPORTUNITY, lambda _: {"name": "x"}, tag="t", attempts=3
        )
    assert len(talk.asked("PATCH")) == 3


async def test_a_guarded_update_without_changes_writes_nothing() -> None:
    talk = environment().on("GET", r"/opportunities\(", row())
    same = await gateway(talk).update_unchanged(OPPORTUNITY, lambda _: {}, tag="t")
    assert same.version == 77
    assert talk.asked("PATCH") == []


async def test_a_guarded_update_of_nothing_is_refused() -> None:
    talk = environment().on("GET", r"/opportunities\(", problem(404, "0x80040217"))
    with pytest.raises(Refused) as raised:
        await gateway(talk).update_unchanged(OPPORTUNITY, lambda _: {"name": "x"}, tag="t")
    assert raised.value.code == "record_missing"


async def test_our_own_user_is_asked_for_once() -> None:
    talk = Conversation().on("GET", "/WhoAmI", ok({"UserId": OTHER.upper()}))
    asking = gateway(talk)
    assert await asking.own_user() == await asking.own_user() == OTHER
    assert len(talk.requests) == 1


async def test_an_address_without_a_web_api_is_our_configuration() -> None:
    talk = Conversation().on("GET", "/WhoAmI", httpx.Response(404, json={"error": "Not found."}))
    with pytest.raises(Misconfigured, match="who_am_i with 404") as told:
        await gateway(talk).own_user()
    assert "DOVETAIL_DATAVERSE_URL" in told.value.advice


async def test_definitions_are_there_for_checks() -> None:
    checking = gateway(environment())
    columns = await checking.columns_of("processstage")
    assert not columns["stagename"].writable
    definition = await checking.definition_of("new_workspace")
    assert definition.entity_set == "new_workspaceset"
    assert definition.change_tracking
    assert definition.keys == {"by_node": ("new_node",)}


async def test_a_table_that_dataverse_does_not_have_is_our_configuration() -> None:
    missing = problem(404, "0x80060888", "Could not find an entity with name incident")
    talk = Conversation().on("GET", "EntityDefinitions", missing)
    with pytest.raises(Misconfigured, match="incident") as raised:
        await gateway(talk).columns_of("incident")
    assert raised.value.code == "table_unknown"


async def test_calls_are_observed_by_operation() -> None:
    observed = Observed()
    talk = environment().on("GET", r"/opportunities\(", row()).on("PATCH", r"\(", row())
    calling = gateway(talk, observed)
    await calling.read_record(OPPORTUNITY)
    await calling.write_columns(OPPORTUNITY, {"name": "x"}, tag="t")
    assert observed.requests == [
        ("dynamics", "metadata", "200"),
        ("dynamics", "read", "200"),
        ("dynamics", "write", "200"),
    ]
