"""What the encoders send, held against the shapes of reference/dataverse.md 1, not the decoders."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.sandbox.events import (
    Encoded,
    RowEvent,
    cloudevents,
    damage,
    debezium,
    ecm,
    rec,
    relays,
    synapse,
    web_api,
)
from app.sandbox.events.change import Named, Sender, iso, made_guid, since_1970_ms
from streams.catalogue import Column, ColumnKind, Table

ID = "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
USER = "5e3f6f52-7c1b-4e0e-9d5c-0123456789ab"
AT_MS = 1_706_696_102_789
K = ColumnKind
TABLE = Table(
    "opportunity",
    "opportunities",
    "opportunityid",
    {
        "name": Column(K.TEXT),
        "statecode": Column(K.CHOICE),
        "statuscode": Column(K.CHOICE),
        "customerid": Column(K.LOOKUP, ("account", "contact")),
        "estimatedvalue": Column(K.NUMBER),
        "new_regions": Column(K.CHOICES),
        "new_signedon": Column(K.DATETIME),
    },
)
ROW: dict[str, Any] = {
    "name": None,
    "statecode": 1,
    "statuscode": 3,
    "customerid": f"contact:{ID}",
    "estimatedvalue": "922337203685477.5807",
    "new_regions": "1,3",
    "new_signedon": "2024-01-31T10:15:00Z",
}
EVENT = RowEvent(TABLE, ID, "update", ROW, AT_MS, 1_234_567, USER, tag="dovetail")
DELETED = RowEvent(TABLE, ID, "delete", ROW, AT_MS, 1_234_568, USER)
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"


def body(message: Encoded) -> Any:
    return json.loads(message.value or b"null")


def pairs(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in listed}


def test_rec_splits_state_from_the_other_columns_and_keeps_their_correlation() -> None:
    others, state = (body(message) for message in rec.encode(EVENT))
    shown = [
        set(pairs(pairs(part["InputParameters"])["Target"]["Attributes"])) & ROW.keys()
        for part in (others, state)
    ]
    assert shown == [ROW.keys() - {"statecode", "statuscode"}, {"statecode", "statuscode"}]
    assert others["CorrelationId"] == state["CorrelationId"]
    assert others["OperationId"] != state["OperationId"]
    assert len(rec.encode(EVENT, rec.Habits(split=False))) == 1


def test_rec_writes_values_as_the_platform_does() -> None:
    (message,) = rec.encode(EVENT, rec.Habits(split=False))
    assert message.key is None
    assert b"http:\\/\\/schemas.microsoft.com" in (message.value or b"")
    assert b'"Value":922337203685477.5807' in (message.value or b"")
    found = body(message)
    target = pairs(found["InputParameters"])["Target"]
    assert target["__type"] == f"Entity:{CONTRACTS}"
    columns = pairs(target["Attributes"])
    assert columns["name"] is None
    assert columns["statecode"] == {"__type": f"OptionSetValue:{CONTRACTS}", "Value": 1}
    assert [option["Value"] for option in columns["new_regions"]] == [1, 3]
    assert columns["new_signedon"] == "/Date(1706696100000)/"
    assert columns["modifiedon"] == "/Date(1706696102000)/"
    assert (columns["customerid"]["LogicalName"], columns["customerid"]["Id"]) == ("contact", ID)
    assert found["OperationCreatedOn"] == f"/Date({AT_MS}+0000)/"
    assert pairs(found["SharedVariables"]) == {"tag": "dovetail"}
    (image,) = found["PostEntityImages"]
    assert image["key"] == "AsynchronousStepPrimaryName" and "__type" not in image["value"]


def test_rec_trims_exactly_what_the_platform_trims_and_marks_it() -> None:
    (whole,) = rec.encode(EVENT, rec.Habits(split=False))
    (message,) = rec.encode(EVENT, rec.Habits(split=False, trimmed=True))
    lost = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}
    assert body(whole).keys() - body(message).keys() == lost
    assert dict(message.headers)["MessageMaxSizeExceeded"] == b"\x41"
    (hook,) = rec.encode(EVENT, rec.Habits("webhook", split=False, trimmed=True))
    assert "x-ms-dynamics-msg-size-exceeded" in dict(hook.headers)


def test_recs_headers_are_amqp_encoded_through_event_hubs_and_plain_from_a_webhook() -> None:
    (message,) = rec.encode(DELETED)
    headers = dict(message.headers)
    claims = "http://schemas.microsoft.com/xrm/2011/Claims/"
    assert headers[claims + "EntityLogicalName"] == b"\xa1\x0bopportunity"
    assert headers["content-type"] == b"application/json"
    (hook,) = rec.encode(DELETED, rec.Habits("webhook"))
    assert dict(hook.headers)["x-ms-dynamics-request-name"] == b"Delete"
    long = Sender(agent="a" * 300)
    (message,) = rec.encode(DELETED, rec.Habits(sender=long))
    agent = dict(message.headers)[claims + "InitiatingUserAgent"]
    assert agent == b"\xb1\x00\x00\x01\x2c" + b"a" * 300


def test_rec_deletes_by_reference_and_shows_values_in_a_pre_image_only() -> None:
    (message,) = rec.encode(DELETED, rec.Habits(images=True))
    found = body(message)
    assert pairs(found["InputParameters"])["Target"]["__type"] == f"EntityReference:{CONTRACTS}"
    image = pairs(found["PreEntityImages"])["PreImage"]
    assert "name" not in pairs(image["Attributes"])  # an image leaves empty columns out
    assert found["PostEntityImages"] == []


def test_synapse_writes_text_and_the_lakes_clock() -> None:
    (message,) = synapse.encode(EVENT)
    assert body(message) == {
        "Id": ID,
        "SinkCreatedOn": "1/31/2024 10:15:05 AM",
        "SinkModifiedOn": "1/31/2024 10:15:05 AM",
        "name": "",
        "statecode": "1",
        "statuscode": "3",
        "customerid": ID,
        "customerid_entitytype": "contact",
        "estimatedvalue": "922337203685477.5807",
        "new_regions": "1;3",
        "new_signedon": "2024-01-31T10:15:00Z",
        "modifiedon": "2024-01-31T10:15:02Z",
        "modifiedby": USER,
        "modifiedby_entitytype": "systemuser",
        "versionnumber": "1234567",
        "IsDelete": "",
    }
    assert body(synapse.encode(DELETED)[0])["IsDelete"] == "True"


def test_synapses_habits_change_case_types_and_where_the_table_is() -> None:
    (message,) = synapse.encode(EVENT, synapse.Habits(typed=True, lower=True))
    found = body(message)
    assert found.keys() == {name.lower() for name in found}
    assert (found["statecode"], found["name"], found["isdelete"]) == (1, None, None)
    (message,) = synapse.encode(EVENT, synapse.Habits(named=Named("header", "entity")))
    assert message.headers == (("entity", b"opportunity"),)
    (message,) = synapse.encode(DELETED, synapse.Habits(finance=True))
    assert list(body(message)) == ["Id", "SinkModifiedOn", "IsDelete"]


def test_debezium_writes_an_envelope_and_a_tombstone_after_a_delete() -> None:
    (message,) = debezium.encode(EVENT)
    found = body(message)
    assert (found["op"], found["before"]) == ("u", None)
    assert found["after"]["estimatedvalue"] == "922337203685477.5807"
    assert (found["source"]["ts_ms"], found["ts_ms"]) == (AT_MS, AT_MS + 500)
    assert message.key == b'{"opportunityid":"%s"}' % ID.encode()
    deleted, tombstone = debezium.encode(DELETED)
    assert body(deleted)["op"] == "d" and body(deleted)["after"] is None
    assert (tombstone.key, tombstone.value) == (deleted.key, None)


def test_debezium_of_sql_server_has_its_names_bytes_and_types() -> None:
    habits = debezium.Habits(sql_server=True, schemas=True, decimals="precise")
    found = body(debezium.encode(EVENT, habits)[0])
    row = found["payload"]["after"]
    assert found["payload"]["source"]["table"] == "OpportunityBase"
    assert int.from_bytes(base64.b64decode(row["VersionNumber"]), "big") == 1_234_567
    assert (row["StateCode"], row["CustomerIdType"]) == (1, 2)
    assert row["ModifiedOn"] == 1_706_696_102_000
    number = int.from_bytes(base64.b64decode(row["Estimatedvalue"]), "big", signed=True)
    assert number == 9_223_372_036_854_775_807
    fields = {f["field"]: f for f in found["schema"]["fields"][1]["fields"]}
    assert fields["Estimatedvalue"]["parameters"]["scale"] == "4"


def test_debezium_flattens() -> None:
    found = body(debezium.encode(DELETED, debezium.Habits(flat=True))[0])
    assert (found["__op"], found["__deleted"], found["__table"]) == ("d", "true", "opportunity")


def test_the_web_api_annotates_lookups_and_versions() -> None:
    found = body(web_api.encode(EVENT)[0])
    assert found["@odata.etag"] == 'W/"1234567"' and found["versionnumber"] == 1_234_567
    assert found["_customerid_value"] == ID
    annotation = "_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"
    assert found[annotation] == "contact"
    bare = body(web_api.encode(EVENT, web_api.Habits(annotated=False, versioned=False))[0])
    assert annotation not in bare and "versionnumber" not in bare


def test_the_web_api_tells_a_delete_by_id_and_reason() -> None:
    found = body(web_api.encode(DELETED)[0])
    assert found["@odata.context"].endswith("$metadata#opportunities/$deletedEntity")
    assert (found["id"], found["reason"]) == (ID, "deleted")
    page = body(web_api.page([DELETED, EVENT]))
    assert page["@odata.context"].endswith("#opportunities/$delta")
    assert [row.get("reason") for row in page["value"]] == [None, "deleted"]


def test_a_cloudevent_is_structured_or_binary() -> None:
    inner = Encoded(b"k", b'{"a":1}')
    attributes = cloudevents.Attributes("1", "t", subject="s", time_ms=AT_MS)
    whole = cloudevents.structured(inner, attributes)
    assert body(whole) == {
        "specversion": "1.0",
        "type": "t",
        "source": "/dataverse/org1",
        "id": "1",
        "subject": "s",
        "time": "2024-01-31T10:15:02.789Z",
        "datacontenttype": "application/json",
        "data": {"a": 1},
    }
    encoded = body(cloudevents.structured(inner, attributes, base64_data=True))
    assert base64.b64decode(encoded["data_base64"]) == inner.value
    binary = cloudevents.binary(inner, attributes)
    assert binary.value == inner.value
    assert dict(binary.headers)["ce_specversion"] == b"1.0"


def test_relays_wrap_what_they_pass_on() -> None:
    inner = Encoded(None, b'{"a":"\xc3\xbc"}')
    assert json.loads(body(relays.double_encoded(inner))) == {"a": "ü"}
    assert body(relays.in_key(inner, "body")) == {"body": {"a": "ü"}}
    assert json.loads(body(relays.in_key(inner, as_text=True))["value"]) == {"a": "ü"}
    assert base64.b64decode(body(relays.content_data(inner))["ContentData"]) == inner.value
    assert relays.with_bom(inner).value == b"\xef\xbb\xbf" + (inner.value or b"")


def test_an_ecm_event_is_the_documented_json() -> None:
    happening = ecm.EcmHappening("e1", "contract.signed", AT_MS, 5, ("D365", "opportunity", ID))
    assert body(ecm.encode(happening)) == {
        "event_id": "e1",
        "event": "contract.signed",
        "occurred_at": "2024-01-31T10:15:02.789Z",
        "workspace_id": 5,
        "business_object": {"external_system": "D365", "type": "opportunity", "id": ID},
        "document": None,
        "actor": None,
        "attributes": {},
    }
    event = body(ecm.encode_cloudevent(happening))
    assert (event["type"], event["id"]) == ("com.opentext.ecm.contract.signed", "e1")


@pytest.mark.parametrize("kind", damage.CODES)
def test_damage_keeps_key_and_headers(kind: str) -> None:
    message = Encoded(b"k", b'{"a":1}', (("h", b"1"),))
    broken = damage.damaged(message, kind)
    assert (broken.key, broken.headers) == (message.key, message.headers)
    assert broken.value != message.value


def test_times_and_ids_depend_on_nothing_but_their_input() -> None:
    assert iso(1_706_696_102_000) == "2024-01-31T10:15:02Z"
    assert since_1970_ms("2024-01-31T10:15:02.789Z") == AT_MS
    assert since_1970_ms("1969-12-31") == -86_400_000
    assert made_guid("a", 1) == made_guid("a", 1) != made_guid("a", 2)
