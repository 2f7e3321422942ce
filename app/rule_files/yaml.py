"""One YAML file as plain data that knows its lines.

``Document.line(path)`` answers for any path of keys and indices, as pydantic reports them. Keys
that stand twice are faults: the parser would keep one of them and say nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from app.rule_files.faults import Fault, Location

#: Keys and indices from the top of a file to a value.
Trail = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content (None when it could not be read), and the lines of its keys."""

    file: str
    data: Any = None
    lines: Mapping[Trail, int] = field(default_factory=dict)

    def at(self, trail: Trail) -> Location:
        """Where the value stands; for one that is missing, where its surroundings begin."""
        while trail and trail not in self.lines:
            trail = trail[:-1]
        return Location(self.file, self.lines.get(trail, 0))


def read_document(path: Path) -> tuple[Document, list[Fault]]:
    """Read a file; what is wrong with it as YAML comes back beside it."""
    here = Location(path.name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        fault = Fault(Location(path.name, line), "is not UTF-8 text", "save it as UTF-8")
        return Document(path.name), [fault]
    except OSError as wrong:
        return Document(path.name), [Fault(here, f"cannot be read: {wrong.strerror}")]
    return parse_document(path.name, text)


def parse_document(file: str, text: str) -> tuple[Document, list[Fault]]:
    """Read YAML text; ``file`` names it in faults."""
    lines: dict[Trail, int] = {}
    faults: list[Fault] = []
    try:
        loader = YAML(typ="safe", pure=True)
        loader.allow_duplicate_keys = True
        data = loader.load(text)
        top = YAML(typ="safe", pure=True).compose(text)
        if top is not None:
            _walk(file, top, (), lines, faults)
    except MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        where = Location(file, mark.line + 1 if mark else 0)
        return Document(file), [Fault(where, f"is not YAML: {_first_line(wrong)}")]
    except (YAMLError, ValueError) as wrong:
        return Document(file), [Fault(Location(file), f"is not YAML: {str(wrong).splitlines()[0]}")]
    except RecursionError:
        return Document(file), [Fault(Location(file), "is nested too deeply, or holds itself")]
    if not isinstance(data, dict):
        what = "is empty" if data is None else "must hold keys and values at its top"
        faults.append(Fault(Location(file), what, "begin with version: 1"))
        data = None
    return Document(file, data, lines), faults


def _first_line(wrong: MarkedYAMLError) -> str:
    return (wrong.problem or wrong.context or "cannot be understood").splitlines()[0]


def _walk(
    file: str, node: Node, trail: Trail, lines: dict[Trail, int], faults: list[Fault]
) -> None:
    lines.setdefault(trail, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            _walk(file, item, (*trail, index), lines, faults)
    if not isinstance(node, MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            continue
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            what = f"{name!r} stands twice, first in line {seen[name]}"
            faults.append(Fault(Location(file, line), what, "keep one of them"))
            continue
        seen[name] = line
        lines[(*trail, name)] = line
        _walk(file, value, (*trail, name), lines, faults)
