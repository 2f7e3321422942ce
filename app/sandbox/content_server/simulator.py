"""A Content Server and its directory service on a loopback socket, to test and demo against."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from app.sandbox.content_server import workspaces
from app.sandbox.content_server.application import API, DIRECTORY, OWN_FAULTS, Application
from app.sandbox.content_server.application import RequestRecord as RequestRecord
from app.sandbox.content_server.attributes import keys_by_label
from app.sandbox.content_server.audit_trail import AuditRow
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.definition import ClientSpec, Definition, UserSpec
from app.sandbox.content_server.happenings import Listener
from app.sandbox.content_server.keeping import restore
from app.sandbox.content_server.model import BusinessReference, Member, Node, WorkspaceType
from app.sandbox.content_server.people import People
from app.sandbox.content_server.people_admin import PeopleAdmin
from app.sandbox.content_server.seeding import category_named, fill
from app.sandbox.content_server.sessions import Sessions
from app.sandbox.content_server.store import ADMIN_ID, Clock, Store, utc_now
from app.sandbox.content_server.views import WorkspaceView, workspace_view
from app.sandbox.content_server.workspaces import WorkspaceRequest
from app.sandbox.events.ecm import EcmHappening
from app.sandbox.events.outbox import Outbox
from app.sandbox.faults import FaultInjection, Faults
from app.serving import LocalCa, ServedApp


class ContentServerSimulator:
    """Use as an async context manager; then `url` and `otds_url` answer.

    ``seed`` decides ids and tickets, ``data`` what the server starts with (`default_definition`
    when None), ``clock`` what time it is for tickets and dates. `faults` and `behaviour` may be
    changed at any time (beside `application.OWN_FAULTS` there are ``expire_all_tickets`` and
    ``expire_all_tokens``, which end all sessions at once); everything else about the server is in
    `store`. `app` is the ASGI application itself, for those who need no socket. ``kept`` is what
    another server knew (`keeping.kept`), in place of a fresh start with ``data``.
    """

    def __init__(
        self,
        seed: int = 0,
        data: Definition | None = None,
        *,
        behaviour: Behaviour | None = None,
        clock: Clock = utc_now,
        port: int = 0,
        ca: LocalCa | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.definition = data or default_definition()
        self.behaviour = behaviour or Behaviour()
        self.store = Store(self.behaviour, clock, random.Random(seed))
        if kept is None:
            fill(self.store, self.definition)
        else:
            restore(self.store, kept)
        self.people = People(self.store)
        self.relay: Outbox | None = None
        self.sessions = Sessions(self.store)
        at_once = {
            "expire_all_tickets": self.sessions.expire_all,
            "expire_all_tokens": lambda: self.sessions.expire_all(grants=True),
        }
        self.faults = Faults(OWN_FAULTS, at_once=at_once)
        clients = {client.client_id: client for client in self.definition.clients}
        self._application = Application(self.store, self.sessions, clients, self.faults)
        inner = FaultInjection(self._application, self.faults)
        self.app = PeopleAdmin(inner, self.store, self.people, lambda: self.relay)
        self.served = ServedApp(self.app, port=port, ca=ca)

    async def __aenter__(self) -> Self:
        await self.served.start()
        self.store.happenings.cs_url = self.url.removesuffix("/api")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.served.close()

    # -- where it is and how to sign in ------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        return self.served.url

    @property
    def url(self) -> str:
        """The base of the REST API; ``/v1`` and ``/v2`` follow."""
        return self.served.url + API

    @property
    def otds_url(self) -> str:
        """The base of the directory service."""
        return self.served.url + DIRECTORY

    @property
    def client(self) -> ClientSpec:
        """The first OAuth client of the definition."""
        return self.definition.clients[0]

    @property
    def service_user(self) -> UserSpec:
        """The user behind `client`, with the password."""
        return next(u for u in self.definition.users if u.login == self.client.login)

    # -- what is in it -----------------------------------------------------------------------

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """The newest requests that reached the server's code, oldest first.

        As many as ``behaviour.request_log_length``.
        """
        return tuple(self._application.requests)

    @property
    def happenings(self) -> Sequence[EcmHappening]:
        """The newest events that the server would have sent out, oldest first."""
        return tuple(self.store.happenings.items)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every event from now on; call the result to end that."""
        listeners = self.store.happenings.listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    @property
    def audit(self) -> Sequence[AuditRow]:
        """The audit trail of all nodes, oldest first."""
        return self.store.audit

    def workspaces(self) -> list[WorkspaceView]:
        """Every business workspace (no templates), oldest first."""
        return [workspace_view(self.store, node) for node in self.store.workspaces()]

    def workspace(self, workspace_id: int) -> WorkspaceView:
        """One workspace; ApiError when there is none with the id."""
        return workspace_view(self.store, self.store.workspace(workspace_id))

    def find_by_business_object(
        self, external_system: str, bo_type: str, bo_id: str
    ) -> WorkspaceView | None:
        """The workspace of a business object, or None."""
        node = self.store.linked_workspace(BusinessReference(external_system, bo_type, bo_id))
        return workspace_view(self.store, node) if node is not None else None

    def member(self, name: str) -> Member:
        """The user or group with this login or name; KeyError when there is none."""
        found = self.store.member_named(name)
        if found is None:
            raise KeyError(name)
        return found

    def template_id(self, workspace_type: str) -> int:
        """The node id of the template of a workspace type."""
        return self._type(workspace_type).template_ids[0]

    def type_id(self, workspace_type: str) -> int:
        """The id of a workspace type."""
        return self._type(workspace_type).id

    def category_id(self, name: str) -> int:
        """The node id of a category, the first part of its attribute keys."""
        return category_named(self.store, name).id

    def attribute_keys(self, category: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by label as the request keys (``12345_2``...) of a category."""
        return keys_by_label(category_named(self.store, category), values)

    # -- what was there before the product ------------------------------------------------------

    def create_workspace(
        self,
        workspace_type: str,
        name: str,
        *,
        business_object: tuple[str, str, str] | None = None,
        categories: Mapping[str, Mapping[str, Any]] | None = None,
        roles: Mapping[str, Sequence[str]] | None = None,
        user: str = "",
        parent_id: int | None = None,
    ) -> WorkspaceView:
        """Make a workspace directly, as people did before the product came (adoption).

        ``categories`` and ``roles`` go by label and name; raises ApiError as the call would.
        """
        given = categories or {}
        request = WorkspaceRequest(
            name=name,
            type_id=self.type_id(workspace_type),
            parent_id=parent_id,
            reference=BusinessReference(*business_object) if business_object else None,
            categories={
                self.category_id(label): self.attribute_keys(label, values)
                for label, values in given.items()
            },
            role_users={role: list(members) for role, members in (roles or {}).items()},
        )
        actor = self.member(user) if user else self.store.members[ADMIN_ID]
        return workspace_view(self.store, workspaces.create(self.store, request, actor))

    def add_business_object(self, external_system: str, bo_type: str, **columns: str) -> None:
        """A record that the leading application's adapter tells of; ``ID`` is its key."""
        self.store.bo_type(external_system, bo_type)
        found = self.store.business_objects.setdefault((external_system, bo_type), [])
        found.append(columns)

    def expire_tickets(self, *, tokens: bool = False) -> None:
        """End every session now; with ``tokens`` every token of the directory service as well."""
        self.sessions.expire_all(grants=tokens)

    def node(self, node_id: int) -> Node:
        """The stored node; ApiError when it does not exist."""
        return self.store.node(node_id)

    def _type(self, name: str) -> WorkspaceType:
        return {kind.name: kind for kind in self.store.workspace_types.values()}[name]
