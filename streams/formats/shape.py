"""The types that all formats share: what goes in, what comes out, and why it sometimes does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streams.catalogue import Catalogue
from streams.errors import Unreadable
from streams.formats.headers import Headers
from streams.messages.facts import EcmEvent, Origin, RecordChange

#: A decoded JSON object.
Json = Mapping[str, Any]

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A message of a source topic as Kafka hands it over; ``timestamp_ms`` is Unix time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class SkipReason(StrEnum):
    """Why a message that was understood holds nothing for us."""

    TOMBSTONE = "tombstone"  # no value: compaction's marker, its delete came before it
    TABLE_NOT_MAPPED = "table_not_mapped"  # no rule listens to the table
    MESSAGE_NOT_MAPPED = "message_not_mapped"  # a platform message that changes no row's columns
    ASSOCIATION_NOT_MAPPED = "association_not_mapped"  # N:N links are no columns
    BUSINESS_EVENT_NOT_MAPPED = "business_event_not_mapped"
    ECM_EVENT_NOT_MAPPED = "ecm_event_not_mapped"
    TRUNCATE_NOT_MAPPED = "truncate_not_mapped"  # Debezium op t names no row
    LOGICAL_MESSAGE_NOT_MAPPED = "logical_message_not_mapped"  # Debezium op m is no row
    EMPTY_PAGE = "empty_page"  # an idle delta poll


class UnreadableReason(StrEnum):
    """Why a message can never be understood: the code of the ``Unreadable`` that is raised."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    MALFORMED_JSON = "malformed_json"
    MALFORMED_BASE64 = "malformed_base64"
    BINARY_XML = "binary_xml"
    TEXT_XML = "text_xml"
    WRAPPED_TOO_DEEP = "wrapped_too_deep"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_FORMAT = "unknown_format"
    TABLE_UNKNOWN = "table_unknown"
    ROW_ID_MISSING = "row_id_missing"
    BODY_INCOMPLETE = "body_incomplete"
    WRONG_TYPE = "wrong_type"
    WORKSPACE_UNKNOWN = "workspace_unknown"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The message was understood and left aside; ``detail`` names what it was about."""

    reason: SkipReason
    detail: str = ""


#: One or more changes in the order of the message, never an empty tuple; or a skip.
Decoded = tuple[RecordChange | EcmEvent, ...] | Skipped


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """What the CloudEvent around a body says; ``time_ms`` is None when it has no time."""

    id: str
    type: str
    source: str = ""
    subject: str = ""
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A message and what its outer layers told about the body that a format decoder gets."""

    message: SourceMessage
    catalogue: Catalogue
    headers: Headers
    business_objects: Mapping[tuple[str, str], str] = field(default_factory=dict)
    event: CloudEvent | None = None
    #: The schema that Kafka Connect's JsonConverter put beside the body.
    schema: Json | None = None

    @property
    def time_ms(self) -> int:
        """When it happened, for a body that does not say so itself."""
        if self.event is not None and self.event.time_ms is not None:
            return self.event.time_ms
        return self.message.timestamp_ms

    def origin(self, format_name: str) -> Origin:
        """Where a change came from; a CloudEvent around the format shows in its name."""
        return Origin(
            format=f"cloudevents+{format_name}" if self.event else format_name,
            topic=self.message.topic,
            partition=self.message.partition,
            offset=self.message.offset,
        )


def unreadable(reason: UnreadableReason, message: str, advice: str = "") -> Unreadable:
    """Build the one error that a decoder raises."""
    return Unreadable(message, code=reason.value, advice=advice)


def shown(value: object) -> str:
    """Return a value for an error text: its repr, cut so that the text stays readable."""
    text = repr(value) if not isinstance(value, dict | list) else type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
