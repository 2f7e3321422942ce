"""Small files of the data folder: replaced whole, so that a crash leaves the old or the new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))
    fresh.replace(path)


def read_json(path: Path, default: Any) -> Any:
    """What `write_json` left at `path`, or `default` when there is no such file."""
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return default
