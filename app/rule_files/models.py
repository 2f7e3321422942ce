"""From plain data to the typed rules, with every fault as file, line, what is wrong and the fix."""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from app.rule_files.columns import ColumnEntry
from app.rule_files.faults import Fault
from app.rule_files.yaml import Document, Trail
from streams.rules import RuleModel
from streams.rules.hints import nearest

Model = TypeVar("Model", bound=BaseModel)

VERSION = 1

LogicalName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
_SINGLE_EQUAL = re.compile(r"(?<![=!<>])=(?!=)")
_PATTERNS = {
    "^[a-z][a-z0-9-]*$": "must be lower-case letters, digits and hyphens, as in account-workspace",
    "^[a-z][a-z0-9_]*$": "must be a logical name: lower-case letters, digits and underscores",
}
_SHAPES = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "mapping_type": "must be keys and values",
    "dict_type": "must be keys and values",
    "model_type": "must be keys and values",
    "model_attributes_type": "must be keys and values",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


class TableEntry(RuleModel):
    """A table as ``tables.yaml`` declares it."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"system": {"const": "finance"}}, "required": ["system"]},
            "then": {"required": ["key"]},
            "else": {"required": ["primary_id"]},
        }
    )

    #: Where the rows are: in Dataverse, or in finance and operations (OData entities).
    system: Literal["dataverse", "finance"] = "dataverse"
    #: The table's name in the Web API or, for finance and operations, in OData.
    entity_set: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    #: Dataverse: the column that holds the row's id.
    primary_id: LogicalName | None = None
    columns: Mapping[LogicalName, ColumnEntry] = {}
    #: Read when needed; its rows start no flow.
    reference: bool = False
    #: Finance and operations: the columns that name a row, dataareaid first.
    key: tuple[LogicalName, ...] = ()
    #: Finance and operations: tables of Synapse Link and entities of data events that tell of
    #: these rows, each with its own names for our columns where they differ.
    sources: Mapping[LogicalName, Mapping[LogicalName, LogicalName]] = {}
    #: Finance and operations: business events about these rows, each with its fields for the key.
    business_events: Mapping[str, Mapping[LogicalName, str]] = {}


class TablesFile(RuleModel):
    """The top of ``tables.yaml``; what is in ``tables`` and ``processes`` is read one by one."""

    version: Any
    tables: Mapping[LogicalName, Any]
    processes: tuple[Any, ...] = ()
    members: Mapping[LogicalName, str] = {}


class FlowFile(RuleModel):
    """The top of a flow's file; what is in ``rules`` is read rule by rule."""

    version: Any
    flow: Any
    rules: tuple[Any, ...]


class Reading:
    """The outcome of reading one part: the model if there is one, the faults, what was left out."""

    def __init__(self, document: Document, trail: Trail) -> None:
        self.document = document
        self.trail = trail
        self.faults: list[Fault] = []
        self.left_out: set[Trail] = set()

    def read(self, model: type[Model], data: Any) -> Model | None:
        """Read data as a model.

        What is wrong is left out and the rest read again, so that faults which only show in a
        whole model are told at once too; None when too much is wrong for that.
        """
        try:
            return model.model_validate(data)
        except ValidationError as wrong:
            errors = wrong.errors(include_url=False, include_context=True)
        self.faults += (_fault(self.document, self.trail, model, data, error) for error in errors)
        rest = copy.deepcopy(data)
        for error in errors:
            trail = _trail(error)
            self.left_out.add(trail)
            if not _leave_out(rest, trail, error):
                return None
        try:
            return model.model_validate(rest)
        except ValidationError:
            return None


def _trail(error: ErrorDetails) -> Trail:
    return tuple(part for part in error["loc"] if part != "[key]")


def _leave_out(data: Any, trail: Trail, error: ErrorDetails) -> bool:
    """Take the wrong value out of ``data``; False when the rest cannot stand without it."""
    if error["type"] == "missing" or not trail:
        return False
    *parents, last = trail
    for part in parents:
        data = data[part]
    if not isinstance(data, dict):
        return False
    if "not a CEL expression" in error["msg"]:
        data[last] = "true"
    else:
        data.pop(last, None)
    return True


def _fault(
    document: Document, base: Trail, model: type[BaseModel], data: Any, error: ErrorDetails
) -> Fault:
    trail = _trail(error)
    if error["type"] == "missing":
        return Fault(document.at((*base, *trail[:-1])), f"{trail[-1]!r} is missing")
    where = document.at((*base, *trail))
    if error["type"] == "extra_forbidden":
        fix = nearest(str(trail[-1]), keys_of(model, trail[:-1]))
        return Fault(where, f"unknown key {trail[-1]!r}", fix)
    if "not a CEL expression" in error["msg"]:
        single = _SINGLE_EQUAL.search(str(error["input"]))
        return Fault(where, f"{trail[-1]}: {_what(error)}", "write == to compare" if single else "")
    named = next((str(part) for part in reversed(trail) if isinstance(part, str)), "this")
    return Fault(where, f"{named}: {_what(error)}")


def _what(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return f"{error['input']!r} {_PATTERNS.get(pattern, f'must match {pattern}')}"
    if kind == "literal_error":
        return f"{error['input']!r} must be {context.get('expected')}"
    if kind in _SHAPES:
        return _SHAPES[kind]
    message = error["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def keys_of(model: type[BaseModel], trail: Trail) -> tuple[str, ...]:
    """The keys that a model allows at a place within it."""
    inner: Any = model
    for part in trail:
        inner = _inside(inner, part)
    inner = next(_models(inner), None)
    return tuple(inner.model_fields) if inner is not None else ()


def _inside(annotation: Any, part: Hashable) -> Any:
    if isinstance(part, str):
        for model in _models(annotation):
            found = model.model_fields.get(part)
            return found.annotation if found else None
    arguments = get_args(annotation)
    # Mapping[key, value] and tuple[value, ...]: what is inside is a value.
    values = arguments[1:] if get_origin(annotation) is not tuple else arguments[:1]
    return values[0] if values else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for argument in get_args(annotation):
            yield from _models(argument)
