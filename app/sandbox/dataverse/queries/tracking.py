"""Change tracking: a first full read, then only what changed, then what is gone.

The wire is that of reference/dataverse.md 2.7. A token is ``<version>!<date>``; the version is that
of the store when the *first* page of a round was asked for, so that what is written while a client
turns pages is in its next round and never in none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.paging import MAX_PAGE, page_of, read_cookie, write_cookie
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Table

TOKEN_DATE = "%m/%d/%Y %H:%M:%S"
OWN_TABLE, EXPIRE_DAYS = "organization", 7
UNSUPPORTED = ("$filter", "$orderby", "$expand", "$top")


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """One page of a round: rows, ids of deleted rows, and one of the two continuations."""

    rows: list[Row]
    deleted: list[str]
    cookie: str | None
    token: str | None


class ChangeTracking:
    """Answers rounds of tracking from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def expire_days(self) -> int:
        """How long a token lives, as the organisation's own row has it."""
        found = [r.values.get("expirechangetrackingindays") for r in self._store.rows(OWN_TABLE)]
        return next((days for days in found if isinstance(days, int)), EXPIRE_DAYS)

    def expire_tokens(self) -> None:
        """Every token given out so far has expired from now on."""
        self._store.state.oldest_token = self._store.next_version()

    def page(
        self, table: Table, query: Mapping[str, str], size: int | None, now: dt.datetime
    ) -> ChangesPage:
        """One page. Raises `Refusal` 400 for options that tracking lacks and for dead tokens."""
        for option in UNSUPPORTED:
            if option in query:
                raise Refusal.tracking_option(option)
        if not table.change_tracking:
            raise Refusal.invalid_argument(
                f"Change tracking is not enabled for entity '{table.name}'."
            )
        since = self._since(query.get("$deltatoken"), now)
        until, position, number = self._store.version, 0, 1
        if cookie := query.get("$skiptoken"):
            content = read_cookie(cookie, "until", "position")
            until, position = content["until"], content["position"]
            if not isinstance(until, int) or not isinstance(position, int):
                raise Refusal.bad_query("Malformed XML in the Paging Cookie")
            number = page_of(cookie)
        return self._cut(table, since, until, position, size, now, number)

    def count(self, table: Table, token: str, now: dt.datetime) -> int:
        """How many rows changed since ``token``."""
        since = self._since(token, now)
        return len(self._changes(table, since, self._store.version))

    def _cut(
        self,
        table: Table,
        since: int | None,
        until: int,
        position: int,
        size: int | None,
        now: dt.datetime,
        number: int,
    ) -> ChangesPage:
        changes = [c for c in self._changes(table, since, until) if c[0] > position]
        limit = min(size or MAX_PAGE, MAX_PAGE)
        page, more = changes[:limit], len(changes) > limit
        rows = [change for _, change in page if isinstance(change, Row)]
        deleted = [change for _, change in page if isinstance(change, str)]
        if more:
            cookie = write_cookie({"until": until, "position": page[-1][0]}, number + 1)
            return ChangesPage(rows, deleted, cookie, None)
        token = f"{until}!{now.astimezone(dt.UTC).strftime(TOKEN_DATE)}"
        return ChangesPage(rows, deleted, None, token)

    def _changes(self, table: Table, since: int | None, until: int) -> list[tuple[int, Row | str]]:
        """Rows by version, then deletions behind them all; a first round knows no deletions."""
        after = since or 0
        rows: list[tuple[int, Row | str]] = sorted(
            ((r.version, r) for r in self._store.rows(table.name) if after < r.version <= until),
            key=lambda change: change[0],
        )
        if since is None:
            return rows
        gone = sorted(
            (version + until, row_id)
            for row_id, version in self._store.deletions(table.name).items()
            if after < version <= until
        )
        return [*rows, *gone]

    def _since(self, token: str | None, now: dt.datetime) -> int | None:
        if token is None:
            return None
        version, _, date = token.partition("!")
        try:
            given = dt.datetime.strptime(date, TOKEN_DATE).replace(tzinfo=dt.UTC)
            since = int(version)
        except ValueError as error:
            raise Refusal.invalid_argument(f"Invalid delta token '{token}'.") from error
        if since < self._store.state.oldest_token or now - given > dt.timedelta(
            days=self.expire_days
        ):
            raise Refusal.expired_token()
        return since


def deleted_entry(base_url: str, table: Table, row_id: str) -> dict[str, Any]:
    context = f"{base_url}/$metadata#{table.entity_set}/$deletedEntity"
    return {"@odata.context": context, "id": row_id, "reason": "deleted"}
