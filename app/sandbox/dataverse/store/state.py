"""All that an organisation must still know after a restart: plain values, joined by ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.sandbox.dataverse.store.commits import Commit, Row
from app.sandbox.dataverse.tables.definitions import linked, related
from app.sandbox.dataverse.tables.schema import Choice, ManyToMany, OneToMany, Table

FIRST_VERSION = 1_000_000


@dataclass(slots=True)
class StoredFile:
    """The content of a file column; the column itself holds the id of this."""

    id: str
    name: str
    mime_type: str
    content: bytes


@dataclass(slots=True)
class State:
    """One organisation.

    ``version`` numbers all writes of all tables. ``rows`` are by table and id; ``deletions`` tell
    the version at which a row went, by table and id. ``links`` are the pairs of ids of each
    many-to-many relationship, by its schema name, with the version at which they came to be.
    ``oldest_token`` is the version below which no delta token is good any more. ``denied`` are the
    privileges that a user lacks, by user id: ``prvCreateAccount``, ``prvActOnBehalfOfAnotherUser``.
    """

    version: int = FIRST_VERSION
    oldest_token: int = 0
    tables: dict[str, Table] = field(default_factory=dict)
    one_to_many: dict[str, OneToMany] = field(default_factory=dict)
    many_to_many: dict[str, ManyToMany] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    deletions: dict[str, dict[str, int]] = field(default_factory=dict)
    links: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    denied: dict[str, list[str]] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)


def founded(tables: Sequence[Table]) -> State:
    """The state of an organisation that has these tables and no row."""
    return State(
        tables={table.name: table for table in tables},
        one_to_many=related(tables),
        many_to_many=linked(tables),
    )
