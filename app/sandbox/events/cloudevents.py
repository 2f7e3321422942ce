"""CloudEvents 1.0 around any message, in Kafka's two modes (reference/dataverse.md 1.4)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import orjson

from app.sandbox.events.change import Encoded, dumped, iso


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of one event; ``time_ms`` None leaves the time out."""

    id: str
    type: str
    source: str = "/dataverse/org1"
    subject: str | None = None
    time_ms: int | None = None

    def named(self) -> dict[str, str]:
        found = {"specversion": "1.0", "type": self.type, "source": self.source, "id": self.id}
        if self.subject is not None:
            found["subject"] = self.subject
        if self.time_ms is not None:
            found["time"] = iso(self.time_ms)
        return found


def structured(inner: Encoded, attributes: Attributes, *, base64_data: bool = False) -> Encoded:
    """The event as one JSON object; ``inner``'s headers do not survive, as with a real relay."""
    value = inner.value or b""
    body: dict[str, object] = {**attributes.named(), "datacontenttype": "application/json"}
    if base64_data:
        body["data_base64"] = base64.b64encode(value).decode()
    else:
        body["data"] = orjson.Fragment(value) if value else None
    content_type = b"application/cloudevents+json; charset=UTF-8"
    return Encoded(inner.key, dumped(body), (("content-type", content_type),))


def binary(inner: Encoded, attributes: Attributes, *, prefix: str = "ce_") -> Encoded:
    """The attributes as headers; AMQP producers write ``cloudEvents:`` before their names."""
    headers = tuple((prefix + name, text.encode()) for name, text in attributes.named().items())
    return Encoded(inner.key, inner.value, (*headers, ("content-type", b"application/json")))
