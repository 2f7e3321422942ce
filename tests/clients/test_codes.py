"""The list of codes is closed, and nothing on it is dead."""

from __future__ import annotations

import ast
from pathlib import Path

import app.clients
from app.clients.codes import CODES
from app.clients.dynamics.status import DATAVERSE
from app.clients.ecm.status import CONTENT_SERVER, OTDS
from app.clients.finance.status import FINANCE
from streams.errors import Throttled


def raised_codes() -> set[str]:
    """Every ``code="..."`` in the source of the clients."""
    sources = Path(app.clients.__file__).parent.rglob("*.py")
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in sources]
    return {
        keyword.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "code"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


def test_the_codes_that_can_be_raised_are_the_codes_that_are_listed() -> None:
    tables = DATAVERSE.codes | FINANCE.codes | CONTENT_SERVER.codes | OTDS.codes
    assert raised_codes() | tables | {Throttled.code} == set(CODES)
