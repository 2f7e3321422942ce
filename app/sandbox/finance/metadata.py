"""What the service says of its entities and enums: ``/metadata`` and ``/data/$metadata``."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import quoteattr

from app.sandbox.events.finance_entities import ENTITIES, ENUMS, Entity, Field
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.values import NAMESPACE

METADATA_PATH = "/metadata"
_ADDRESS = re.compile(r"/(?P<kind>\w+)(?:\('(?P<name>\w+)'\))?/?")
_BY_SET = re.compile(r"EntitySetName eq '(?P<name>\w+)'")
_EDM = {"text": "Edm.String", "number": "Edm.Decimal", "date": "Edm.DateTimeOffset"}
_DATA_TYPES = {"text": "String", "number": "Real", "date": "Date", "enum": "Enum"}


def answered(path: str, where: str) -> dict[str, Any]:
    """``PublicEntities``, ``PublicEnumerations`` or ``DataEntities``, all or by name.

    ``where`` is the ``$filter``: entities by ``EntitySetName eq '…'``. Raises `Refusal`.
    """
    match = _ADDRESS.fullmatch(path)
    kind, name = (match["kind"], match["name"]) if match else ("", None)
    made = {
        "PublicEntities": {e.name: _entity(e) for e in ENTITIES},
        "DataEntities": {e.name: _data_entity(e) for e in ENTITIES},
        "PublicEnumerations": {n: _enumeration(n) for n in ENUMS},
    }.get(kind)
    if made is None:
        raise Refusal.no_resource(kind or path)
    if name is not None:
        if name not in made:
            raise Refusal.no_resource(name)
        return made[name]
    found = list(made.values())
    if where:
        asked = _BY_SET.fullmatch(where.strip())
        if asked is None:
            raise Refusal.query(f"Syntax error in '{where}'.")
        found = [one for one in found if one.get("EntitySetName") == asked["name"]]
    return {"value": found}


def document() -> str:
    """The EDMX of all entities."""
    enums = "".join(
        f"<EnumType Name={quoteattr(name)}>"
        + "".join(
            f'<Member Name={quoteattr(symbol)} Value="{number}"/>'
            for symbol, number in members.items()
        )
        + "</EnumType>"
        for name, members in ENUMS.items()
    )
    types = "".join(_type(entity) for entity in ENTITIES)
    sets = "".join(
        f'<EntitySet Name="{e.entity_set}" EntityType="{NAMESPACE}.{e.name}"/>' for e in ENTITIES
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" '
        'xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'{enums}{types}<EntityContainer Name="Resources">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _type(entity: Entity) -> str:
    key = "".join(f'<PropertyRef Name="{name}"/>' for name in entity.key)
    properties = "".join(
        f'<Property Name="{f.name}" Type="{_type_name(f)}"/>' for f in entity.fields.values()
    )
    return f'<EntityType Name="{entity.name}"><Key>{key}</Key>{properties}</EntityType>'


def _type_name(field: Field) -> str:
    return f"{NAMESPACE}.{field.enum}" if field.kind == "enum" else _EDM[field.kind]


def _entity(entity: Entity) -> dict[str, Any]:
    return {
        "Name": entity.name,
        "EntitySetName": entity.entity_set,
        "IsReadOnly": False,
        "ConfigurationEnabled": True,
        "Properties": [_property(entity, field) for field in entity.fields.values()],
    }


def _property(entity: Entity, field: Field) -> dict[str, Any]:
    key = field.name in entity.key
    return {
        "Name": field.name,
        "TypeName": _type_name(field),
        "DataType": _DATA_TYPES[field.kind],
        "IsKey": key,
        "IsMandatory": key,
        "AllowEdit": not (key or field.read_only),
        "AllowEditOnCreate": not field.read_only,
    }


def _data_entity(entity: Entity) -> dict[str, Any]:
    return {
        "Name": f"{entity.name}Entity",
        "PublicEntityName": entity.name,
        "PublicCollectionName": entity.entity_set,
        "EntitySetName": entity.entity_set,
        "DataServiceEnabled": True,
        "IsReadOnly": False,
    }


def _enumeration(name: str) -> dict[str, Any]:
    members = [{"Name": symbol, "Value": number} for symbol, number in ENUMS[name].items()]
    return {"Name": name, "Members": members}
