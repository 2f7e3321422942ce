"""Switches for what differs between servers or is not documented (reference/extended-ecm.md 11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter


@dataclass
class Behaviour:
    """How this server behaves; change a field at any time, the next call follows it.

    Durations are seconds. ``lenient_bodies`` accepts JSON and every other encoding everywhere.
    ``zulu_dates`` adds ``Z`` to dates of node calls; workspace lists are zone-less either way.
    ``negative_parents`` shows a workspace's children with ``parent_id`` minus the workspace id.
    ``index_lag_seconds`` is how long a change takes to be found by search. ``request_log_length``
    is how many requests the simulator remembers. ``search_repeats_last_page`` answers a page of a
    search beyond the last with the last one, as some servers do. ``denied_status`` answers a write
    that the caller has no permission for (400 or 500 on live servers). ``rm_status_key`` is the
    name under which this version takes the file status of a record; another one is passed over in
    silence. ``category_bodies`` is what becomes of a category update whose values come in the one
    field ``body``, the only encoding in which null empties a number; ``empty_numbers`` lets an
    empty form field do it.
    """

    version: str = "25.4"
    session_idle_seconds: float = 7200.0
    session_from: Literal["last_request", "last_login"] = "last_request"
    token_lifetime_seconds: float = 3600.0
    index_lag_seconds: float = 0.0
    search_repeats_last_page: bool = False
    lenient_bodies: bool = False
    zulu_dates: bool = True
    negative_parents: bool = False
    bulk_upsert: bool = True
    bo_linked_status: int = 500
    bo_linked_text: str = "The business object is already linked to another business workspace."
    bo_missing: Literal["empty", "400", "404"] = "empty"
    denied_status: int = 500
    rm_status_key: Literal["status", "file_status"] = "file_status"
    category_bodies: Literal["taken", "refused", "ignored"] = "taken"
    empty_numbers: bool = False
    member_present_text: str = "The member is already assigned to the role."
    relation_present_text: str = "The relationship already exists."
    queryable_columns: tuple[str, ...] = ("name", "create_date", "modify_date", "id")
    request_log_length: int = 20_000

    def change(self, given: Mapping[str, Any]) -> None:
        """Set these fields, all of them or none.

        Raises ValueError for a field that there is not, or a value that does not fit.
        """
        names = [field.name for field in fields(self)]
        if unknown := set(given) - set(names):
            raise ValueError(
                f"There is no {', '.join(sorted(unknown))}; there are {', '.join(names)}."
            )
        wanted = orjson.dumps({**asdict(self), **given})
        checked = TypeAdapter(Behaviour).validate_json(wanted, strict=True)
        for name in names:
            setattr(self, name, getattr(checked, name))
