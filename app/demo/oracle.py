"""What has to be true in both systems at the end, computed from the truth alone.

Nothing of the path is used here: no flow, no table, no rule file. The expectations are written a
second time, as a person would read them off the rules, so that a mistake in the path cannot agree
with itself. Each act adds its own; see ``app.demo.acts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.demo.truth import Life, Truth


class _Something:
    """Any value but none: what nobody can know beforehand, such as the moment of a decision."""

    def __eq__(self, other: object) -> bool:
        return other is not None

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "something"


SOMETHING = _Something()


class Either:
    """One of these values: what depends on whether something was seen that was so for a moment."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def __eq__(self, other: object) -> bool:
        return other in self._values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return " or ".join(map(repr, self._values))


@dataclass(frozen=True)
class Kept:
    """A records management classification, and the day on which its time began, if it did."""

    classification: str
    since: str | None


@dataclass
class Expected:
    """One workspace: whether it has to be there, and how it has to look if it is.

    ``required``: a workspace that was due for a moment only may be there or not, depending on the
    order in which the news came; it then has to show ``state``. ``exact``: the rest counts too.
    ``foreign``: people made it before Dovetail came, and nothing asks Dovetail to take it over.
    ``link``: how the columns begin that show it on the record. ``open_to``: the roles that alone
    may open it; ``kept``: for how long; ``running``: how many workflows still run in it.
    """

    business_object: tuple[str, str]
    type: str
    required: bool
    state: str
    exact: bool = True
    foreign: bool = False
    name: str | Either = ""
    owner: str | None = None
    parents: set[tuple[str, str]] = field(default_factory=set)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    link: str = "new_xecmworkspace"
    open_to: tuple[str, ...] = ()
    kept: Kept | None = None
    running: int = 0
    #: The folders that may be in one of its folders, by that one's name.
    holds: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExpectedFolder:
    """A folder that stands for the record in another's workspace, and the state that it shows.

    ``link``: how the columns begin that show it on the record; nothing where none do.
    """

    business_object: tuple[str, str]
    path: str
    state: str
    required: bool = True
    link: str = ""


@dataclass
class Expectation:
    """One record: its workspaces by flow, and the columns that it has to show besides links."""

    life: Life
    workspaces: dict[str, Expected] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    folders: list[ExpectedFolder] = field(default_factory=list)
    #: What Dovetail has to have written into a column in turn, of a row of finance and operations.
    written: dict[str, tuple[str, ...]] = field(default_factory=dict)


def owners(truth: Truth) -> Mapping[str, str]:
    """The logins of people, by their rows in Dynamics."""
    return {person.id: person.login for person in truth.people}


def pair(lookup: object) -> tuple[str, str]:
    """A lookup as table and id."""
    table, _, row_id = str(lookup).partition(":")
    return table, row_id
