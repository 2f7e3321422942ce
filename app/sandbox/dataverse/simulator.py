"""The simulated organisation: its tables and rows, served as the Dataverse Web API."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from starlette.types import ASGIApp

from app.sandbox.dataverse.api import Handler, RowHandlers, WebApi, encoded
from app.sandbox.dataverse.front import Front
from app.sandbox.dataverse.metadata.api import Metadata
from app.sandbox.dataverse.operations.actions import CLOSINGS, Closings
from app.sandbox.dataverse.operations.batch import Batch
from app.sandbox.dataverse.operations.bodies import Bodies
from app.sandbox.dataverse.operations.bulk import Bulk
from app.sandbox.dataverse.operations.bulk_delete import BulkDelete
from app.sandbox.dataverse.operations.conversions import CONVERSIONS, Conversions
from app.sandbox.dataverse.operations.files import Files
from app.sandbox.dataverse.operations.functions import Functions, Organization
from app.sandbox.dataverse.operations.lists import ListsApi
from app.sandbox.dataverse.operations.properties import PropertiesApi
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.push import PUSH_FAULTS, ServiceEndpoint
from app.sandbox.dataverse.push.admin import RelayAdmin
from app.sandbox.dataverse.queries.tracking import EXPIRE_DAYS, OWN_TABLE, ChangeTracking
from app.sandbox.dataverse.store.commits import Author, Callback, Commit, Row
from app.sandbox.dataverse.store.state import State, founded
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.definitions import Definitions, read_tables
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.web.callers import Callers
from app.sandbox.dataverse.web.privileges import Privileges
from app.sandbox.dataverse.web.protection import Limits, ServiceProtection
from app.sandbox.dataverse.web.service_errors import SERVICE_ERRORS, planned_status
from app.sandbox.dataverse.web.urls import API_PATH, ApiRequest
from app.sandbox.entra.tokens import TokenTrust
from app.sandbox.events.change import Sender
from app.sandbox.faults import FaultInjection, Faults
from app.serving import LocalCa, ServedApp

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "dovetail:sandbox:dataverse")
SYSTEM_USER_ID = str(uuid.uuid5(NAMESPACE, "SYSTEM"))
ORGANIZATION_ID = str(uuid.uuid5(NAMESPACE, "organization"))
BUSINESS_UNIT_ID = str(uuid.uuid5(NAMESPACE, "business unit"))
NAME = "org1"
KINDS = ("etag_race", "token_expired", *SERVICE_ERRORS, *PUSH_FAULTS)
CURRENCY_ID = str(uuid.uuid5(NAMESPACE, "euro"))


def application_user_id(app_id: str) -> str:
    """The systemuser of an application; the same in every run."""
    return str(uuid.uuid5(NAMESPACE, f"application user {app_id}"))


class DataverseSimulator:
    """One organisation behind the Web API v9.2; an async context manager.

    ``entra`` vouches for tokens; ``application_users`` maps the app ids that have a user here to
    its name. ``resource`` is the organisation's own address, for which tokens are accepted beside
    the one it is served at. ``tables`` and ``columns`` add to the built-in definitions, in the
    shape of `definitions`. ``limits`` are the service-protection limits, off unless enabled.

    ``application`` is the organisation as an ASGI application, which needs no `start` where
    ``resource`` is given.

    Faults (`faults`, and `app.sandbox.faults.ADMIN_PATH`): the built-in kinds, ``etag_race``
    (somebody else writes the row right before a write of it), ``token_expired`` (401), those of
    `web.service_errors`, such as ``plugin_error``, and those of the push side (`push`). At once:
    ``delta_tokens_expire`` (all that were given out), ``limits_on`` and ``limits_off``.
    """

    def __init__(
        self,
        entra: TokenTrust,
        *,
        application_users: Mapping[str, str],
        resource: str | None = None,
        tables: Iterable[Definitions] = (),
        columns: Definitions | None = None,
        limits: Limits | None = None,
        port: int = 0,
        ca: LocalCa | None = None,
        state: State | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.state = own = state or founded(read_tables(*tables, extend=columns))
        self.registry = Registry(own.tables, own.one_to_many, own.many_to_many, own.choices)
        self.protection = ServiceProtection(limits or Limits())
        self.endpoint: ServiceEndpoint | None = None
        self._resource = resource
        self._now = now
        self._store = Store(self.state)
        self._system = Author(user_id=SYSTEM_USER_ID)
        self.writer = Writer(
            self._store, now=now, business_unit_id=BUSINESS_UNIT_ID, currency_id=CURRENCY_ID
        )
        self.tracking = ChangeTracking(self._store)
        self.privileges = Privileges(self.state)
        users = self.registry.table("systemuser")
        self._callers = Callers(entra, self._store, users, self.privileges)
        self._bodies = Bodies(self._store, self.registry)
        self.faults = Faults(KINDS, at_once=self._switches())
        api = self._api()
        self._front = Front(api, self._callers, self.protection, self.faults, entra.tenant)
        self.application = RelayAdmin(self._injected(self._front), lambda: self.endpoint)
        self._served = ServedApp(self.application, port=port, ca=ca)
        self._accept(resource)
        if state is None:
            self._found()
        self._admit(application_users)

    @property
    def url(self) -> str:
        """The organisation's address, without a slash at the end; also the default audience."""
        return self._served.url

    @property
    def api_url(self) -> str:
        return f"{self.url}{API_PATH}"

    @property
    def scope(self) -> str:
        """The scope that a client asks its token for."""
        return f"{self._resource or self.url}/.default"

    @property
    def commits(self) -> Sequence[Commit]:
        """Every write so far, oldest first: who wrote what (seeding is by SYSTEM)."""
        return tuple(self._store.commits)

    @property
    def version(self) -> int:
        """The number of the last write."""
        return self._store.version

    @property
    def sender(self) -> Sender:
        """Who the organisation is to those that it tells of its commits."""
        host = self.url.partition("://")[2]
        return Sender(NAME, host, unit=BUSINESS_UNIT_ID, given_id=ORGANIZATION_ID)

    def on_commit(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` with every commit, as `store.commits` tells; call the result to end."""
        return self._store.on_commit(callback)

    def row(self, table: str, row_id: str) -> Row | None:
        return self._store.get(self.registry.table(table).name, row_id.lower())

    def rows(self, table: str) -> list[Row]:
        return self._store.rows(self.registry.table(table).name)

    def seed(
        self,
        table: str,
        values: Mapping[str, Any],
        *,
        row_id: str | None = None,
        at: dt.datetime | None = None,
        author: Author | None = None,
    ) -> Row:
        """A row as if a user had created it at ``at``; lookups as `Reference` or their guid.

        Stamps (createdon, modifiedby ..) may be among ``values``. Raises `Refusal` as the API does.
        """
        definition = self.registry.table(table)
        given = self._bodies.read_python(definition, values)
        who = author or self._system
        return self.writer.create(definition, given, who, row_id=row_id, at=at, trusted=True)

    def change(
        self,
        table: str,
        row_id: str,
        values: Mapping[str, Any],
        *,
        at: dt.datetime | None = None,
        author: Author | None = None,
    ) -> Row:
        """An update as if a user had made it. Raises KeyError when the row is missing."""
        definition = self.registry.table(table)
        given = self._bodies.read_python(definition, values)
        who, row = author or self._system, self._existing(definition, row_id)
        return self.writer.update(definition, row, given, who, at=at, trusted=True)

    def remove(
        self,
        table: str,
        row_id: str,
        *,
        at: dt.datetime | None = None,
        author: Author | None = None,
    ) -> None:
        """A delete as if a user had made it. Raises KeyError when the row is missing."""
        definition = self.registry.table(table)
        row = self._existing(definition, row_id)
        self.writer.delete(definition, row, author or self._system, at=at)

    async def start(self) -> None:
        await self._served.start()
        self._accept(self._resource, self.url)

    async def stop(self, *, abort: bool = False) -> None:
        """Stop serving, rows and address kept; ``abort`` resets the connections."""
        await self._served.stop(abort=abort)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.close()

    def _accept(self, *addresses: str | None) -> None:
        """Take tokens that were issued for these addresses, the first being our own."""
        known = [address for address in addresses if address]
        self._front.resource = next(iter(known), "")
        self._callers.audiences = [f"{a}{end}" for a in dict.fromkeys(known) for end in ("", "/")]

    def _injected(self, front: Front) -> ASGIApp:
        """Sign-in and limits stand before the faults, so that a slow answer counts as running."""
        front.inner = FaultInjection(front.serve, self.faults, render=planned_status)
        return front

    def _api(self) -> WebApi:
        """The operations, each with what it works on."""
        store, registry, bodies = self._store, self.registry, self._bodies
        writes = Writes(store, registry, self.writer, self.privileges)
        rows = RowsApi(store, registry, bodies, writes, self.privileges, self._now, self._race)
        lists = ListsApi(store, rows, self.tracking, self.privileges)
        files = Files(store, rows)
        properties = PropertiesApi(
            store, registry, bodies, writes, rows, lists, files, self.privileges
        )
        on_rows = RowHandlers(rows, lists, properties, Bulk(store, bodies, writes))
        api = WebApi(registry, on_rows, self._unbound(writes, rows))
        api.add("$batch", Batch(store, api.answer, encoded, self._callers).answer)
        return api

    def _unbound(self, writes: Writes, rows: RowsApi) -> dict[str, Handler]:
        """What is asked for by name: functions, actions, metadata."""
        store, registry, bodies = self._store, self.registry, self._bodies
        closings = Closings(store, registry, bodies, self.writer, self._now)
        conversions = Conversions(store, registry, bodies, writes, self.writer, rows)
        organization = Organization(ORGANIZATION_ID, BUSINESS_UNIT_ID, NAME)
        return {
            **Functions(store, registry, organization).by_name(),
            **Metadata(registry, store).by_name(),
            **dict.fromkeys(CLOSINGS, closings.answer),
            **dict.fromkeys(CONVERSIONS, conversions.convert),
            "Merge": conversions.merge,
            "BulkDelete": BulkDelete(store, registry, writes, self.writer, self._now).answer,
        }

    def _switches(self) -> dict[str, Callable[[], None]]:
        """The faults that wait for no request."""
        return {
            "delta_tokens_expire": self.tracking.expire_tokens,
            "limits_on": partial(self.protection.enable, True),
            "limits_off": partial(self.protection.enable, False),
        }

    def _existing(self, table: Table, row_id: str) -> Row:
        row = self._store.get(table.name, row_id.lower())
        if row is None:
            raise KeyError(f"There is no {table.name} {row_id}.")
        return row

    def _race(self, request: ApiRequest, table: Table, row: Row) -> None:
        if self.faults.take("etag_race", request.method, request.target):
            self.writer.update(table, row, {}, self._system)

    def _found(self) -> None:
        """The rows that every organisation has."""
        self.seed("businessunit", {"name": NAME}, row_id=BUSINESS_UNIT_ID)
        system = {"fullname": "SYSTEM", "businessunitid": BUSINESS_UNIT_ID}
        self.seed("systemuser", system, row_id=SYSTEM_USER_ID)
        own = {"name": NAME, "expirechangetrackingindays": EXPIRE_DAYS}
        self.seed(OWN_TABLE, own, row_id=ORGANIZATION_ID)
        euro = {"currencyname": "Euro", "isocurrencycode": "EUR", "exchangerate": 1.0}
        self.seed("transactioncurrency", euro, row_id=CURRENCY_ID)

    def _admit(self, application_users: Mapping[str, str]) -> None:
        """A user for each application that has none yet."""
        for app_id, name in application_users.items():
            if self.row("systemuser", application_user_id(app_id)) is not None:
                continue
            values = {"fullname": name, "applicationid": app_id}
            values |= {"businessunitid": BUSINESS_UNIT_ID}
            self.seed("systemuser", values, row_id=application_user_id(app_id))
