"""What a handler is given, and typed access to its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.content_server import access, errors
from app.sandbox.content_server.attributes import LANGUAGE
from app.sandbox.content_server.bodies import Body, UploadedFile
from app.sandbox.content_server.definition import ClientSpec
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.search.index import SearchIndex
from app.sandbox.content_server.sessions import Session, Sessions
from app.sandbox.content_server.store import Store
from app.sandbox.content_server.uploads import Uploads


@dataclass
class Call:
    """One request, signed in (except for open calls, whose ``session`` is None) and parsed."""

    store: Store
    sessions: Sessions
    clients: Mapping[str, ClientSpec]
    index: SearchIndex
    uploads: Uploads
    request: Request
    path: Mapping[str, Any]
    body: Body
    session: Session | None = None

    @property
    def actor(self) -> Member:
        """The user who calls."""
        if self.session is None:
            raise errors.unauthenticated()
        return self.store.members[self.session.user_id]

    def node(self, node_id: int | None = None) -> Node:
        """The node of the path (or with ``node_id``) that the caller may see; 400 when missing."""
        node = self.store.node(self.path["id"] if node_id is None else node_id)
        if not access.visible(self.store, node, self.actor):
            raise errors.not_accessible()
        return node

    def workspace(self, workspace_id: int | None = None) -> Node:
        """The workspace of the path (or with the id) that the caller may see; 404 when missing."""
        node = self.store.workspace(self.path["id"] if workspace_id is None else workspace_id)
        if not access.visible(self.store, node, self.actor):
            raise errors.no_such_workspace(node.id)
        return node

    def visible(self, found: Iterable[Node]) -> list[Node]:
        """Those of the nodes that the caller may see."""
        return [node for node in found if access.visible(self.store, node, self.actor)]

    def require(self, node: Node, *permissions: str) -> None:
        """Refuse the call unless the caller has the permissions on the node."""
        access.require(self.store, node, self.actor, *permissions)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the body."""
        return self.body.fields

    @property
    def query(self) -> QueryParams:
        """The query parameters."""
        return self.request.query_params

    def flag(self, name: str) -> bool:
        """A valueless or true query flag (``?metadata``)."""
        return name in self.query and self.query[name].lower() not in ("false", "0")

    def uploaded(self) -> UploadedFile | None:
        """The file of a multipart request, or that of ``upload_key``; see `use_up`."""
        key = self.text("upload_key")
        return self.uploads.file(key) if key else self.body.files.get("file")

    def use_up(self) -> None:
        """The file of ``upload_key`` is in its place: it serves no second time."""
        if key := self.text("upload_key"):
            self.uploads.cancel(key)

    def text(self, name: str, default: str = "") -> str:
        """A text field of the body; 400 when it is a list or an object."""
        return to_text(self.fields.get(name), name, default)

    def required(self, name: str) -> str:
        """A text field that has to be there and not empty."""
        value = self.text(name)
        if not value:
            raise errors.missing_argument(name)
        return value

    def number(self, name: str) -> int | None:
        """An integer field of the body; None when missing or empty."""
        return to_int(self.fields.get(name), name)

    def query_number(self, name: str, default: int) -> int:
        """An integer query parameter."""
        value = to_int(self.query.get(name), name)
        return default if value is None else value


def json_response(content: Any, status: int) -> Response:
    """JSON as the product labels it."""
    return Response(orjson.dumps(content), status, media_type="application/json;charset=utf-8")


def in_own_language(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with ``name`` and ``description`` as ``{field}_multilingual`` says them.

    Only in the server's one language; 400 for what is no object of texts by language.
    """
    found = dict(fields)
    for name in ("name", "description"):
        given = found.pop(f"{name}_multilingual", None)
        if given is None:
            continue
        if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
            raise errors.invalid_datatype(f"{name}_multilingual")
        if LANGUAGE in given:
            found[name] = given[LANGUAGE]
    return found


Handler = Callable[[Call], Any | Response]


@dataclass(frozen=True)
class Endpoint:
    """A call: ``pattern`` has ``{name}`` for text and ``{name:int}`` for numbers.

    ``accepts`` names the body encodings of `bodies`; ``open`` calls need no sign-in.
    """

    method: str
    pattern: str
    handler: Handler
    accepts: str = ""
    open: bool = False
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.pattern.strip("/").split("/")))


def to_int(value: Any, name: str) -> int | None:
    """``value`` as an integer; None for missing or empty; 400 for anything else."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | float | list | dict):
        raise errors.invalid_datatype(name)
    try:
        return int(value)
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong


def to_text(value: Any, name: str, default: str = "") -> str:
    """``value`` as text; ``default`` for missing, 400 for a list or an object."""
    if value is None:
        return default
    if isinstance(value, list | dict):
        raise errors.invalid_datatype(name)
    return str(value)


def to_bool(value: Any, default: bool = False) -> bool:
    """A boolean as the product takes it: true/false, 1/0, any case."""
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    return str(value).lower() in ("true", "1")
