"""Folders of a workspace that stand for something outside (reference/extended-ecm.md 5).

The key goes into the folder's ``external_identity``, in the same call that makes it, so a folder
is recognised whatever it is called; a folder of the wanted name that people made is adopted.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.clients.ecm.answers import Properties, all_pages, body_form, number, one
from app.clients.ecm.names import clean_name, names_to_try
from app.clients.ecm.roles import missing_workspace
from app.clients.http import Endpoint
from streams.errors import Refused, Throttled
from streams.errors import Retryable as RetryableError

_FOLDER = 0
_FIELDS = "properties{id,name,type,external_identity}"


class WorkspaceFolders:
    """Makes and renames folders; safe to repeat."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def ensure(
        self, workspace_id: int, path: Sequence[str], key: str, name: str
    ) -> tuple[int, str]:
        """Id and name of the folder that ``key`` names, under ``path``, under this name.

        A name that is taken by another folder is made unique with the key. Raises Refused
        (``workspace_missing``, ``name_taken``).
        """
        parent = workspace_id
        try:
            for step in path:
                parent = await self._step(parent, clean_name(step, "Folder"))
            return await self._keyed(parent, key, name)
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def _keyed(self, parent: int, key: str, name: str) -> tuple[int, str]:
        candidates = list(names_to_try(name, _short(key)))
        # The folder that has its name already is found without reading all of its siblings.
        near = await self._children(parent, candidates[0])
        present = _with_key(near, key) or _with_key(await self._children(parent), key)
        if present is not None:
            return await self._renamed(present, candidates)
        last: Refused | None = None
        for candidate in candidates:
            try:
                return await self._make(parent, candidate, key), candidate
            except Refused as refused:
                if refused.code != "name_taken":
                    raise
                last = refused
        raise last or ValueError("there is always a name to try")

    async def _step(self, parent: int, name: str) -> int:
        """The folder of this name, made where it is missing."""
        found = _named(await self._children(parent, name), name)
        return await self._make(parent, name, "") if found is None else _id(found)

    async def _make(self, parent: int, name: str, key: str) -> int:
        """One create call; a folder that is there by now is taken if it is ours or nobody's."""
        body = {"type": _FOLDER, "parent_id": parent, "name": name}
        if key:
            body |= {"external_identity": key, "external_source": "dovetail"}
        try:
            form = body_form(body)
            answer = await self._endpoint.call("make_folder", "POST", "/v2/nodes", form=form)
            return _id(one(answer.body, "the folder").get("properties") or {})
        except Throttled:
            raise
        except (RetryableError, Refused):
            found = _named(await self._children(parent, name), name)
            if found is None or (held := str(found.get("external_identity") or "")) not in (
                "",
                key,
            ):
                raise
            if held != key:
                await self._change(_id(found), external_identity=key, external_source="dovetail")
            return _id(found)

    async def _renamed(self, folder: Properties, candidates: Sequence[str]) -> tuple[int, str]:
        folder_id, shown = _id(folder), str(folder.get("name"))
        if shown in candidates:
            return folder_id, shown
        last: Refused | None = None
        for candidate in candidates:
            try:
                await self._change(folder_id, name=candidate)
                return folder_id, candidate
            except Refused as refused:
                if refused.code != "name_taken":
                    raise
                last = refused
        raise last or ValueError("there is always a name to try")

    async def _change(self, folder_id: int, **values: str) -> None:
        path = f"/v2/nodes/{folder_id}"
        await self._endpoint.call("change_folder", "PUT", path, form=body_form(values))

    async def _children(self, parent: int, name: str = "") -> list[Properties]:
        """The folders in a container; with ``name`` those whose name contains it."""
        where = {"where_name": name} if name else {}
        found = await all_pages(
            self._endpoint,
            "list_folders",
            f"/v2/nodes/{parent}/nodes",
            where_type=str(_FOLDER),
            fields=_FIELDS,
            **where,
        )
        return [item for item in found if number(item.get("type", _FOLDER)) == _FOLDER]


def _with_key(folders: Sequence[Properties], key: str) -> Properties | None:
    return next((item for item in folders if item.get("external_identity") == key), None)


def _named(folders: Sequence[Properties], name: str) -> Properties | None:
    wanted = name.casefold()
    return next((f for f in folders if str(f.get("name", "")).casefold() == wanted), None)


def _short(key: str) -> str:
    """What of the key tells folders of one name apart: the row id of ``<table>:<row id>``."""
    return key.rpartition(":")[2] or key


def _id(item: Properties) -> int:
    found = number(item.get("id"))
    if found is None:
        raise Refused("A folder of Content Server has no id.", code="application_error")
    return found
