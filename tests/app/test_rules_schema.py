"""The JSON Schemas that editors use say what the reader of the files says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta
from ruamel.yaml import YAML

from app.rule_files.schema import schemas
from app.settings.fields import RULES_DIRECTORY
from streams.rules import MODELS

SHIPPED = sorted(RULES_DIRECTORY.glob("*.yaml"))


def schema_of(path: Path) -> str:
    if path.name.endswith("_test.yaml"):
        return "cases.schema.json"
    return "tables.schema.json" if path.name == "tables.yaml" else "rules.schema.json"


def content(path: Path) -> Any:
    """A file as an editor sees it: plain JSON."""
    return json.loads(json.dumps(YAML(typ="safe").load(path), default=str))


def faults(name: str, data: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schemas()[name]).iter_errors(data)]


@pytest.mark.parametrize("name", [*schemas()])
def test_the_shipped_schema_is_the_one_that_the_models_make(name: str) -> None:
    assert meta.is_valid(schemas()[name])
    shipped = json.loads((RULES_DIRECTORY / name).read_text("utf-8"))
    assert shipped == schemas()[name], "run: dovetail rules schema --write app/rules"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_names_its_schema_and_fits_it(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={schema_of(path)}"
    assert faults(schema_of(path), content(path)) == []


def _change(data: Any, change: Callable[[Any], object]) -> Any:
    change(data)
    return data


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("record_workspace.yaml", lambda d: d["rules"][0].update(closd="true")),
        ("record_workspace.yaml", lambda d: d["rules"][0].update(on_delete="burn")),
        ("record_workspace.yaml", lambda d: d["rules"][0].update(stage_reached="true")),
        ("record_workspace.yaml", lambda d: d["rules"][0].pop("table")),
        ("record_workspace.yaml", lambda d: d.update(flow="record_workspaces")),
        ("record_workspace.yaml", lambda d: d["rules"][0]["workspace"].pop("name")),
        ("contract_lifecycle.yaml", lambda d: d["rules"][0]["write_back"].update(sined_on="x")),
        ("tables.yaml", lambda d: d["tables"]["account"]["columns"].update(name="txt")),
        ("tables.yaml", lambda d: d["tables"]["account"].pop("entity_set")),
        ("tables.yaml", lambda d: d["processes"][0].pop("stage_column")),
        ("record_workspace_test.yaml", lambda d: d["cases"][0].pop("given")),
        ("record_workspace_test.yaml", lambda d: d["cases"][0]["given"][0].update(colums={})),
    ],
)
def test_what_the_reader_refuses_an_editor_marks(
    file: str, change: Callable[[Any], object]
) -> None:
    path = RULES_DIRECTORY / file
    assert faults(schema_of(path), _change(content(path), change)) != []


def test_a_rule_of_every_flow_has_its_keys_and_their_meaning() -> None:
    definitions = schemas()["rules.schema.json"]["$defs"]
    for model in MODELS.values():
        properties = definitions[model.__name__]["properties"]
        assert set(properties) == set(model.model_fields)
        assert "Lookup columns" in properties["lookups"]["description"]
