"""The file of a part: one line that says what it is, then its records.

A file is written beside the old one, forced to the disk and put in its place: a crash at any moment
leaves the old or the new one, whole.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import orjson

from app.sandbox.keeping.parts import Part

_KIND = "dovetail sandbox"


class Unusable(Exception):
    """A file of the data folder cannot be read; the text says why and what to do."""


def path_of(folder: Path, name: str) -> Path:
    """The file of the part with this name."""
    return folder / f"{name}.state"


def write_kept(path: Path, form: str, content: bytes) -> None:
    """Replace the file at ``path``, atomically and durably."""
    head = {"kind": _KIND, "form": form, "sha256": hashlib.sha256(content).hexdigest()}
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(orjson.dumps(head) + b"\n")
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(path.parent)


def read_kept(folder: Path, part: Part) -> Any:
    """What was kept of a part, None when nothing was. Raises `Unusable`."""
    path = path_of(folder, part.name)
    try:
        line, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    head = _head(line)
    if head.get("kind") != _KIND:
        raise Unusable(_advice(path, "is no file of a sandbox"))
    if head["sha256"] != hashlib.sha256(content).hexdigest():
        raise Unusable(_advice(path, "is damaged"))
    if head["form"] != part.form:
        raise Unusable(_advice(path, "was written by another version of Dovetail"))
    try:
        return part.load(content)
    except (pickle.UnpicklingError, AttributeError, TypeError, EOFError) as error:
        raise Unusable(_advice(path, f"does not hold what it should ({error})")) from error


def _head(line: bytes) -> dict[str, str]:
    try:
        head = orjson.loads(line)
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


def _advice(path: Path, what: str) -> str:
    return f"{path} {what}: move it away to begin anew, or give another folder with --data."


def _sync_folder(folder: Path) -> None:
    """Make the new name durable as well, where folders can be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
