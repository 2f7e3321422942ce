"""Reading a RemoteExecutionContext's envelope: parameters, images, ids, user, tag and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.catalogue import Table
from streams.errors import Unreadable
from streams.formats.rows import time_of, user_of
from streams.formats.shape import Json, Source, UnreadableReason, shown, unreadable
from streams.formats.values import ZERO_GUID

#: Set by the transport when it dropped parameters and images (reference/dataverse.md 1.1).
_TRIMMED = ("messagemaxsizeexceeded", "x-ms-dynamics-msg-size-exceeded")
#: A pipeline within a pipeline stops at eight by the platform's own depth limit.
_MAX_PARENTS = 8
_NAME = "RemoteExecutionContext"


@dataclass(frozen=True, slots=True)
class RecBody:
    """One message; ``message`` is its name in lower case, ``inputs`` is empty when trimmed."""

    source: Source
    body: Json
    message: str
    inputs: Json
    time_ms: int
    trimmed: bool

    @classmethod
    def of(cls, body: Json, source: Source) -> RecBody:
        name = body["MessageName"]
        if not isinstance(name, str) or not name:
            raise _misshapen("MessageName", name, "the name of a message")
        created = time_of(_NAME, "OperationCreatedOn", body.get("OperationCreatedOn"))
        return cls(
            source=source,
            body=body,
            message=name.lower(),
            inputs=pairs(body.get("InputParameters"), "InputParameters"),
            time_ms=source.time_ms if created is None else created,
            trimmed=source.headers.flag(*_TRIMMED),
        )

    def table_name(self) -> str | None:
        """The table of the row: the primary entity's, else the target's."""
        name = self.body["PrimaryEntityName"]
        if isinstance(name, str) and name and name.lower() != "none":
            return name
        for parameter in ("Target", "EntityMoniker"):
            name = self.entity(parameter).get("LogicalName")
            if isinstance(name, str) and name:
                return name
        targets = self.inputs.get("Targets")
        name = targets.get("EntityName") if isinstance(targets, dict) else None
        return name if isinstance(name, str) and name else None

    def row_id(self, table: Table) -> Any:
        """The row's id, wherever the message has it: alternate-key targets have a zero id."""
        found = _filled(self.body.get("PrimaryEntityId"))
        for parameter in ("Target", "EntityMoniker"):
            found = found or id_of(self.entity(parameter))
        found = found or attributes(self.entity("Target")).get(table.primary_id)
        outputs = self.body.get("OutputParameters")
        return found or pairs(outputs, "OutputParameters").get("id")

    def entity(self, name: str) -> Json:
        """An entity or a reference among the parameters; empty when it is not there."""
        value = self.inputs.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _misshapen(name, value, "an entity or a reference")
        return value

    def entities(self, name: str) -> list[Json]:
        """The entities of a collection among the parameters."""
        value = self.inputs.get(name)
        found = value.get("Entities") if isinstance(value, dict) else value
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
            raise _misshapen(name, found, "a collection of entities")
        return found

    def closing_activity(self) -> Json:
        """The attributes of OpportunityClose, IncidentResolution or QuoteClose."""
        for name in ("OpportunityClose", "IncidentResolution", "QuoteClose"):
            if name in self.inputs:
                return attributes(self.entity(name))
        return {}

    def pre_image(self) -> dict[str, Any]:
        return _images(self.body, "PreEntityImages")

    def post_image(self) -> dict[str, Any]:
        return _images(self.body, "PostEntityImages")

    @property
    def actor(self) -> str | None:
        """Who started it: the real caller, also under impersonation."""
        for name in ("InitiatingUserId", "UserId"):
            found = user_of(self.body.get(name))
            if found:
                return found
        headers = self.source.headers
        return user_of(headers.claim("InitiatingUser") or headers.claim("User"))

    @property
    def tag(self) -> str | None:
        """The ``tag`` of the request that caused this, from this pipeline or one around it."""
        context: Any = self.body
        for _ in range(_MAX_PARENTS):
            if not isinstance(context, dict):
                return None
            tag = pairs(context.get("SharedVariables"), "SharedVariables").get("tag")
            if isinstance(tag, str) and tag:
                return tag
            context = context.get("ParentContext")
        return None


def pairs(value: Any, where: str) -> dict[str, Any]:
    """Read ``[{"key": …, "value": …}]``; an empty dict when it is not there."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return dict(value)  # some relays make an object of it
    if not isinstance(value, list):
        raise _misshapen(where, value, "a list of keys and values")
    found: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("key"), str):
            raise _misshapen(where, item, "a key and a value")
        found[item["key"]] = item.get("value")
    return found


def attributes(entity: Json) -> dict[str, Any]:
    """An entity's columns in lower case; a reference has none."""
    found = pairs(entity.get("Attributes"), "Attributes")
    return {name.lower(): value for name, value in found.items()}


def id_of(reference: Any) -> Any:
    """The id of an entity, a reference or a bare guid; None when it is empty or all zeros."""
    if isinstance(reference, dict):
        return _filled(reference.get("Id"))
    return _filled(reference)


def _filled(guid: Any) -> Any:
    return None if guid in (None, "", ZERO_GUID) else guid


def _images(body: Json, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for image in pairs(body.get(name), name).values():
        if image is None:
            continue
        if not isinstance(image, dict):
            raise _misshapen(name, image, "an entity")
        found.update(attributes(image))
    return found


def _misshapen(where: str, value: Any, expected: str) -> Unreadable:
    return unreadable(
        UnreadableReason.WRONG_TYPE,
        f"{_NAME}.{where} holds {shown(value)}: not {expected}",
    )
