"""JSON Schemas of the rule files: what editors complete and mark while somebody writes.

They are made from the same models that read the files, so they cannot say anything else; the
comments of the models' fields become the words that an editor shows. The shipped files name their
schema in the first line (``# yaml-language-server: $schema=…``).
"""

from __future__ import annotations

import inspect
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, PydanticJsonSchemaWarning
from pydantic_core import core_schema

from app.rule_files.cases import CaseFile
from app.rule_files.models import VERSION, TableEntry, TablesFile
from streams.rules import MODELS, ProcessRule

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMMENTED = re.compile(r"((?:^[ ]{4}#: .*\n)+)^[ ]{4}([a-z_]+):", re.MULTILINE)


def schemas() -> Mapping[str, dict[str, Any]]:
    """The schemas by file name: of the flows' files, of ``tables.yaml`` and of the cases."""
    return {
        "rules.schema.json": _flow_files(),
        "tables.schema.json": _tables_file(),
        "cases.schema.json": _schema(CaseFile) | {"title": "Cases of Dovetail's rules"},
    }


def write_schemas(directory: Path) -> list[Path]:
    """Write the schemas into a folder; returns their paths."""
    written = []
    for name, schema in schemas().items():
        path = directory / name
        path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _flow_files() -> dict[str, Any]:
    """A flow's file: which keys its rules have depends on the flow that it names."""
    by_flow: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for flow, model in sorted(MODELS.items()):
        rule = _schema(model)
        definitions |= rule.pop("$defs", {})
        definitions[model.__name__] = rule
        rules = {"type": "array", "items": {"$ref": f"#/$defs/{model.__name__}"}}
        by_flow.append(
            {
                "if": {"properties": {"flow": {"const": flow}}, "required": ["flow"]},
                "then": {"properties": {"rules": rules}},
            }
        )
    top = {
        "version": {"const": VERSION},
        "flow": {"enum": sorted(MODELS), "description": "Which of Dovetail's flows it is."},
        "rules": {"type": "array", "description": "One rule for each table and workspace."},
    }
    return {
        "$schema": _DIALECT,
        "title": "A flow's rules",
        "type": "object",
        "properties": top,
        "required": [*top],
        "additionalProperties": False,
        "allOf": by_flow,
        "$defs": dict(sorted(definitions.items())),
    }


def _tables_file() -> dict[str, Any]:
    schema = _schema(TablesFile)
    definitions = schema.setdefault("$defs", {})
    for name, model in (("tables", TableEntry), ("processes", ProcessRule)):
        part = _schema(model)
        definitions |= part.pop("$defs", {})
        definitions[model.__name__] = part
        schema["properties"][name] |= _of_each(schema["properties"][name], model.__name__)
    schema["properties"]["version"] = {"const": VERSION}
    return schema | {"$schema": _DIALECT, "title": "Dovetail's tables"}


def _of_each(part: Mapping[str, Any], definition: str) -> dict[str, Any]:
    """What pydantic knows nothing of, because each of them is read by itself."""
    reference = {"$ref": f"#/$defs/{definition}"}
    if part["type"] == "array":
        return {"items": reference}
    (pattern,) = part["patternProperties"]
    return {"patternProperties": {pattern: reference}, "additionalProperties": False}


class _Schema(GenerateJsonSchema):
    """Adds the comments of the fields; leaves out defaults that JSON has no words for."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        made = super().model_schema(schema)
        for name, comment in _comments(schema["cls"]):
            part = made.get("properties", {}).get(name)
            if part is not None:
                part.setdefault("description", comment)
        return made

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default that is an expression is no fault of the schema."""


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    mode: JsonSchemaMode = "validation"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        return TypeAdapter(model).json_schema(mode=mode, schema_generator=_Schema)


def _comments(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """What the ``#:`` comments say of the fields of a model, its bases' first."""
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            for comment, name in _COMMENTED.findall(inspect.getsource(one)):
                words = (line.strip().removeprefix("#:").strip() for line in comment.splitlines())
                yield name, " ".join(words)
