"""The simulated finance and operations: its entities, served as OData over rows in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from app.sandbox.entra.tokens import TokenTrust
from app.sandbox.events.finance_entities import ADDED, COMPANY, SETS, Entity
from app.sandbox.faults import Faults
from app.sandbox.finance.api import DATA_PATH, Api, Asked
from app.sandbox.finance.front import SERVICE_ERRORS, Front
from app.sandbox.finance.state import Row, State
from app.sandbox.finance.store import Callback, Change, Store
from app.sandbox.finance.values import stored
from app.serving import LocalCa, ServedApp

SYSTEM_USER = "Admin"


class FinanceSimulator:
    """One environment; an async context manager.

    ``entra`` vouches for tokens; ``application_users`` maps the app ids that are registered here
    to their users. ``company`` is the default company of all of them. ``page_size`` is the longest
    list of one answer. ``state`` is what an earlier simulator had.

    Faults (`faults`, and `app.sandbox.faults.ADMIN_PATH`): the built-in kinds, ``etag_race``
    (somebody else writes the row right before a write of it), ``token_expired`` (401), and
    those of `front.SERVICE_ERRORS`, such as ``deadlock``.
    """

    def __init__(
        self,
        entra: TokenTrust,
        *,
        application_users: Mapping[str, str],
        company: str = "usmf",
        page_size: int = 10_000,
        port: int = 0,
        ca: LocalCa | None = None,
        state: State | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.state = state or State()
        self.company = company
        self.faults = Faults(kinds=("etag_race", "token_expired", *SERVICE_ERRORS))
        self._store = Store(self.state, now)
        api = Api(self._store, company, page_size, self._race)
        self.application = Front(self._store, api, entra, dict(application_users), self.faults)
        self._served = ServedApp(self.application, port=port, ca=ca)

    @property
    def url(self) -> str:
        """The environment's address, without a slash at the end; also the audience of tokens."""
        return self._served.url

    @property
    def data_url(self) -> str:
        return f"{self.url}{DATA_PATH}"

    @property
    def scope(self) -> str:
        """The scope that a client asks its token for."""
        return f"{self.url}/.default"

    @property
    def changes(self) -> Sequence[Change]:
        """Every write so far, oldest first: who wrote what (seeding is by Admin)."""
        return tuple(self._store.changes)

    def on_change(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` with each committed write; call the result to end that."""
        return self._store.on_change(callback)

    def rows(self, entity_set: str) -> list[Row]:
        """All rows of an entity, of every company."""
        return self._store.rows(SETS[entity_set])

    def row(self, entity_set: str, **key: Any) -> Row | None:
        """``row("VendorsV2", VendorAccountNumber="V-1")``, in the default company unless said."""
        return self._store.find(SETS[entity_set], {COMPANY: self.company, **key}, None)

    def seed(
        self,
        entity_set: str,
        values: Mapping[str, Any],
        *,
        user: str = SYSTEM_USER,
        at: dt.datetime | None = None,
    ) -> Row:
        """A row as if a user had created it, then or now; raises `Refusal` as the API does."""
        entity = SETS[entity_set]
        given = {COMPANY: self.company, **values}
        return self._store.create(entity, _checked(entity, given), user, at)

    def change(
        self,
        entity_set: str,
        row: Row,
        values: Mapping[str, Any],
        *,
        user: str = SYSTEM_USER,
        at: dt.datetime | None = None,
    ) -> Row:
        """An update as if a user had made it, of read-only fields too."""
        entity = SETS[entity_set]
        present = self._store.state.tables[entity.table][row.recid]
        return self._store.update(entity, present, _checked(entity, values), user, at)

    def remove(
        self,
        entity_set: str,
        row: Row,
        *,
        user: str = SYSTEM_USER,
        at: dt.datetime | None = None,
    ) -> None:
        """A delete as if a user had made it."""
        entity = SETS[entity_set]
        present = self._store.state.tables[entity.table][row.recid]
        self._store.delete(entity, present, user, at)

    def held(self) -> dict[str, int]:
        """How many rows each entity set has, for a page of what is here."""
        return {name: len(self._store.rows(entity)) for name, entity in SETS.items()}

    async def start(self) -> None:
        await self._served.start()
        self.application.audiences = (self.url, f"{self.url}/")

    async def stop(self, *, abort: bool = False) -> None:
        """Stop serving, rows and address kept; ``abort`` resets the connections."""
        await self._served.stop(abort=abort)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.close()

    def _race(self, asked: Asked, entity: Entity, row: Row) -> None:
        if self.faults.take("etag_race", asked.method, f"{DATA_PATH}{asked.path}"):
            kept = {*entity.key, *(field.name for field in ADDED)}
            free = [f.name for f in entity.fields.values() if f.name not in kept]
            # The last: a reference or a currency, which names nobody.
            name = [name for name in free if entity.fields[name].kind == "text"][-1]
            text = f"{row.values[name]}*"
            self._store.update(entity, row, {name: text}, SYSTEM_USER)


def _checked(entity: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stored(entity, entity.fields[name], value) for name, value in values.items()}
