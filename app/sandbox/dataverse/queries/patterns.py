"""SQL's wildcards in conditions on text: ``%`` any text, ``_`` one letter, ``[a-f]`` ``[^x]`` sets.

They count in ``like`` of FetchXML and in ``contains``, ``startswith`` and ``endswith`` of a filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_PIECE = re.compile(
    r"(?P<any>%)|(?P<one>_)|\[(?P<not>\^?)(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL
)


def like(pattern: str) -> Callable[[str], bool]:
    """A test of whole texts, which like ``pattern`` are casefolded."""
    expression = re.compile("".join(map(_translated, _PIECE.finditer(pattern))), re.DOTALL)
    return lambda text: expression.fullmatch(text) is not None


def _translated(piece: re.Match[str]) -> str:
    if piece["any"]:
        return ".*"
    if piece["one"]:
        return "."
    if piece["set"]:
        return f"[{piece['not']}{_ranges(piece['set'])}]"
    return re.escape(piece["plain"])


def _ranges(letters: str) -> str:
    """What stands in brackets, with ranges; one that runs backwards holds its two ends."""
    return re.sub(r"(.)-(.)|(.)", _range, letters, flags=re.DOTALL)


def _range(found: re.Match[str]) -> str:
    first, last, single = found.groups()
    if single is not None:
        return re.escape(single)
    between = "-" if first <= last else ""
    return f"{re.escape(first)}{between}{re.escape(last)}"
