"""Who calls: bearer token to application user to the user that a write is done as."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Author, Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.tables.values import as_guid, comparable
from app.sandbox.dataverse.web.privileges import BYPASS as BYPASS_PRIVILEGE
from app.sandbox.dataverse.web.privileges import BYPASS_PLUGINS as BYPASS_PLUGINS_PRIVILEGE
from app.sandbox.dataverse.web.privileges import IMPERSONATE, Privileges
from app.sandbox.entra.tokens import InvalidToken, TokenTrust

BYPASS = "mscrm.bypassbusinesslogicexecution"
BYPASS_STEPS = "mscrm.bypassbusinesslogicexecutionstepids"
BYPASS_PLUGINS = "mscrm.bypasscustompluginexecution"
"""The older header: synchronous logic alone, so events are sent all the same."""


class Unauthorized(Exception):
    """No token, or one that is not good: answer 401."""


class Callers:
    """Checks tokens and finds users, in the table of users itself."""

    def __init__(
        self, trust: TokenTrust, store: Store, users: Table, privileges: Privileges
    ) -> None:
        self.audiences: Sequence[str] = ()
        self._trust = trust
        self._store = store
        self._users = users
        self._privileges = privileges

    async def application_user(self, headers: Mapping[str, str]) -> Row:
        """The user of the request's token. Raises `Unauthorized`, or `Refusal` 403 if unknown."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("A bearer token is needed.")
        try:
            claims = await self._trust.verify(token.strip(), self.audiences)
        except InvalidToken as error:
            raise Unauthorized(str(error)) from error
        user = self._by("applicationid", claims.app_id)
        if user is None or user.values.get("isdisabled"):
            raise Refusal.not_a_member(claims.app_id)
        return user

    def author(self, user: Row, headers: Mapping[str, str], tag: str | None) -> Author:
        """As whom a request acts: the caller, or whom it impersonates. Raises `Refusal` 403."""
        acting = self._impersonated(headers) or user
        if acting is not user:
            self._privileges.require(user.id, IMPERSONATE)
        if headers.get(BYPASS) or headers.get(BYPASS_STEPS):
            self._privileges.require(user.id, BYPASS_PRIVILEGE)
        if headers.get(BYPASS_PLUGINS, "").strip().lower() == "true":
            self._privileges.require(user.id, BYPASS_PLUGINS_PRIVILEGE)
        correlation = headers.get("x-ms-correlation-id") or str(uuid.uuid4())
        return Author(
            user_id=acting.id,
            on_behalf_by=None if acting is user else user.id,
            app_id=str(user.values.get("applicationid")),
            tag=tag,
            correlation_id=correlation,
            bypass=_listed(headers.get(BYPASS, "")),
            bypass_steps=_listed(headers.get(BYPASS_STEPS, "").lower()),
            user_agent=headers.get("user-agent", ""),
        )

    def within(self, outer: Author, headers: Mapping[str, str], tag: str | None) -> Author:
        """As whom an inner request of a batch acts: its own headers add to those of the batch.

        Raises `Refusal` 403 as `author` does.
        """
        user = self._store.get(self._users.name, outer.initiating_user_id)
        if user is None:
            raise Refusal.not_a_member("the caller")
        own = self.author(user, headers, tag or outer.tag)
        acting = outer if own.on_behalf_by is None else own
        return replace(
            outer,
            user_id=acting.user_id,
            on_behalf_by=acting.on_behalf_by,
            tag=own.tag,
            bypass=outer.bypass | own.bypass,
            bypass_steps=outer.bypass_steps | own.bypass_steps,
        )

    def _impersonated(self, headers: Mapping[str, str]) -> Row | None:
        if object_id := headers.get("callerobjectid"):
            user = self._by("azureactivedirectoryobjectid", object_id)
        elif user_id := headers.get("mscrmcallerid"):
            user = self._store.get(self._users.name, as_guid(user_id) or "")
        else:
            return None
        if user is None:
            raise Refusal.not_a_member("the impersonated user")
        return user

    def _by(self, column: str, value: str) -> Row | None:
        wanted = comparable(value)
        rows = self._store.rows(self._users.name)
        return next((r for r in rows if comparable(r.values.get(column)) == wanted), None)


def _listed(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.replace(" ", "").split(",")))
