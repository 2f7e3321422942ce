"""A small catalogue with a column of each kind, and short ways to decode."""

from __future__ import annotations

import json
from typing import Any

from app.sandbox.events import Encoded
from streams.catalogue import Catalogue, Column, ColumnKind, Table
from streams.errors import Unreadable
from streams.formats import Skipped, SourceMessage, decode
from streams.messages.facts import EcmEvent, RecordChange

ID = "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
OTHER_ID = "1b3f6f52-7c1b-4e0e-9d5c-0123456789ab"
USER = "5e3f6f52-7c1b-4e0e-9d5c-0123456789ab"
KAFKA_MS = 1_706_696_200_456

_CUSTOMER = ("account", "contact")
_OWNER = ("systemuser", "team")
_K = ColumnKind

COMMON = {
    "name": Column(_K.TEXT),
    "ownerid": Column(_K.LOOKUP, _OWNER),
    "statecode": Column(_K.CHOICE),
    "statuscode": Column(_K.CHOICE),
    "merged": Column(_K.BOOLEAN),
    "masterid": Column(_K.LOOKUP, ("account",)),
}
OPPORTUNITY = Table(
    "opportunity",
    "opportunities",
    "opportunityid",
    {
        **COMMON,
        "customerid": Column(_K.LOOKUP, _CUSTOMER),
        "parentaccountid": Column(_K.LOOKUP, ("account",)),
        "estimatedvalue": Column(_K.NUMBER),
        "closeprobability": Column(_K.INTEGER),
        "estimatedclosedate": Column(_K.DATE),
        "new_signedon": Column(_K.DATETIME),
        "new_confidential": Column(_K.BOOLEAN),
        "new_regions": Column(_K.CHOICES),
        "processid": Column(_K.GUID),
    },
)
ACCOUNT = Table("account", "accounts", "accountid", COMMON)
INCIDENT = Table("incident", "incidents", "incidentid", {**COMMON, "title": Column(_K.TEXT)})
QUOTE = Table("quote", "quotes", "quoteid", COMMON)
VENDOR = Table(
    "vendtable",
    "vendors",
    "id",
    {"accountnum": Column(_K.TEXT), "blocked": Column(_K.CHOICE), "since": Column(_K.DATE)},
)
VIRTUAL = Table(
    "mserp_vendvendorv2entity",
    "mserp_vendvendorv2entities",
    "mserp_vendvendorv2entityid",
    {"mserp_vendorname": Column(_K.TEXT)},
)
CATALOGUE = Catalogue({t.name: t for t in (OPPORTUNITY, ACCOUNT, INCIDENT, QUOTE, VENDOR, VIRTUAL)})
BUSINESS_OBJECTS = {("D365", "opportunity"): "opportunity"}


def source(
    value: Any,
    *,
    topic: str = "crm.events",
    key: bytes | None = None,
    headers: dict[str, bytes] | tuple[tuple[str, bytes], ...] = (),
) -> SourceMessage:
    """A message at the sample's Kafka time; a value that is not bytes is sent as JSON."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    pairs = tuple(headers.items()) if isinstance(headers, dict) else headers
    return SourceMessage(topic, 3, 42, KAFKA_MS, key, raw, pairs)


def sent(message: Encoded, topic: str = "crm.events") -> SourceMessage:
    return source(message.value, topic=topic, key=message.key, headers=message.headers)


def changes(message: SourceMessage) -> list[RecordChange]:
    found = decode(message, CATALOGUE, BUSINESS_OBJECTS)
    assert not isinstance(found, Skipped), found
    assert all(isinstance(one, RecordChange) for one in found)
    return [one for one in found if isinstance(one, RecordChange)]


def change(message: SourceMessage) -> RecordChange:
    (found,) = changes(message)
    return found


def ecm_event(message: SourceMessage) -> EcmEvent:
    found = decode(message, CATALOGUE, BUSINESS_OBJECTS)
    assert not isinstance(found, Skipped), found
    (event,) = found
    assert isinstance(event, EcmEvent)
    return event


def skip_reason(message: SourceMessage) -> str:
    found = decode(message, CATALOGUE, BUSINESS_OBJECTS)
    assert isinstance(found, Skipped), found
    return found.reason.value


def refusal(message: SourceMessage) -> Unreadable:
    try:
        found = decode(message, CATALOGUE, BUSINESS_OBJECTS)
    except Unreadable as fault:
        return fault
    raise AssertionError(f"was read: {found}")
