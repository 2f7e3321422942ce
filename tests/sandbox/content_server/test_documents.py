"""Versions with their numbers and locks, large files in parts, shortcuts, collections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import Behaviour, ContentServerSimulator
from app.sandbox.content_server.uploads import PART_SIZE, Uploads
from tests.sandbox.content_server.conftest import Api


def _id(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return int(answer.json()["results"]["data"]["properties"]["id"])


async def _version(api: Api, document: int, content: bytes, **fields: Any) -> httpx.Response:
    files = {"file": ("a.txt", content, "text/plain")}
    return await api.http.post(f"/v2/nodes/{document}/versions", data=fields, files=files)


def _shown(answer: httpx.Response, *names: str) -> tuple[Any, ...]:
    assert answer.status_code == 200, answer.text
    version = answer.json()["results"]["data"]["versions"]
    return tuple(version[name] for name in names)


async def test_versions_count_up_and_each_keeps_its_bytes_type_and_name(api: Api) -> None:
    document = _id(await api.upload(2000, "a.txt", b"one"))
    files = {"file": ("b ü.pdf", b"%PDF", "application/pdf")}
    path = f"/v2/nodes/{document}/versions"
    added = await api.http.post(path, data={"description": "d" * 300}, files=files)
    assert _shown(added, "version_number", "version_number_name", "file_name", "mime_type") == (
        2,
        "2",
        "b ü.pdf",
        "application/pdf",
    )
    assert len(_shown(added, "description")[0]) == 255
    first = await api.get(f"{path}/1/content", action="download")
    assert (first.content, first.headers["content-type"]) == (b"one", "text/plain; charset=utf-8")
    newest = await api.get(f"/v1/nodes/{document}/content")
    assert newest.content == b"%PDF"
    assert newest.headers["content-disposition"] == "inline; filename*=UTF-8''b%20%C3%BC.pdf"
    assert newest.headers["content-length"] == "4"
    missing = await api.get(f"{path}/9/content")
    assert (missing.status_code, missing.json()["error"]) == (400, "The version does not exist.")
    audit = (await api.get(f"/v2/nodes/{document}/audit")).json()["results"]["data"]["audit"]
    assert [row["audit_name"] for row in audit[:2]] == ["Version Opened", "Version Opened"]


async def test_a_document_with_advanced_versioning_counts_minor_and_major(api: Api) -> None:
    document = _id(await api.upload(2000, "a.txt", b"1", advanced_versioning=True))
    names = [_shown(await api.get(f"/v2/nodes/{document}/versions/1"), "version_number_name")[0]]
    for major in ("false", "true", "false"):
        added = await _version(api, document, b"2", add_major_version=major)
        names += _shown(added, "version_number_name")
    assert names == ["0.1", "0.2", "1.0", "1.1"]
    path = f"/v2/nodes/{document}/versions/4/promote"
    promoted = await api.http.post(path)
    assert _shown(promoted, "version_number_name", "version_number_major") == ("2.0", 2)
    assert (await api.http.post(path)).status_code == 400
    plain = _id(await api.upload(2000, "b.txt", b"1"))
    refused = await api.http.post(f"/v2/nodes/{plain}/versions/1/promote")
    assert refused.json()["error"] == "The document does not have advanced versioning."


async def test_a_locked_version_is_neither_deleted_nor_purged(api: Api) -> None:
    document = _id(await api.upload(2000, "a.txt", b"1"))
    for content in (b"2", b"3", b"4"):
        await _version(api, document, content)
    path = f"/v2/nodes/{document}/versions"
    assert _shown(await api.http.post(f"{path}/1/lock"), "locked") == (True,)
    assert (await api.http.post(f"{path}/1/lock")).status_code == 400
    assert (await api.http.delete(f"{path}/1")).json()["error"] == "The version is locked."
    assert (await api.http.delete(f"{path}/2")).status_code == 200
    assert (await api.form("DELETE", path, number_to_keep=1)).status_code == 200
    left = (await api.get(path)).json()["results"]
    assert [row["data"]["versions"]["version_number"] for row in left] == [4, 1]
    assert _shown(await api.http.post(f"{path}/1/unlock"), "locked") == (False,)
    assert (await api.http.delete(f"{path}/4")).status_code == 200
    only = await api.http.delete(f"{path}/1")
    assert only.json()["error"] == "The only version of a document cannot be deleted."


async def test_a_large_file_comes_in_parts(api: Api) -> None:
    limits = (await api.get("/v2/multipart/settings")).json()
    assert limits["is_enabled"] is True
    content = b"a" * PART_SIZE + b"b" * 10
    fields = {"file_name": "big.bin", "file_size": len(content), "mime_type": "application/x-big"}
    begun = (await api.form("POST", "/v2/multipart", **fields)).json()
    assert begun["num_parts"] == 2
    path = f"/v2/multipart/{begun['upload_key']}"
    parts = {1: content[: begun["part_size"]], 2: content[begun["part_size"] :]}
    early = {"type": 144, "parent_id": 2000, "upload_key": begun["upload_key"]}
    assert (await api.body("POST", "/v2/nodes", early)).status_code == 400
    for number in (2, 1):
        files = {"part_content": ("part", parts[number], "application/octet-stream")}
        assert (await api.http.post(f"{path}/{number}", files=files)).status_code == 200
    again = await api.http.post(f"{path}/1", files={"part_content": ("part", b"x", "a/b")})
    assert again.status_code == 500
    assert (await api.http.post(path)).status_code == 200
    document = _id(await api.body("POST", "/v2/nodes", early))
    whole = await api.get(f"/v2/nodes/{document}/content")
    assert whole.content == content
    assert whole.headers["content-type"] == "application/x-big"
    used_up = await api.body("POST", "/v2/nodes", {**early, "name": "again.bin"})
    assert (used_up.status_code, "expired" in used_up.json()["error"]) == (500, True)


async def test_an_upload_that_lacks_bytes_is_not_finished_and_can_be_cancelled(api: Api) -> None:
    fields = {"file_name": "a.bin", "file_size": 10, "mime_type": "a/b"}
    key = (await api.form("POST", "/v2/multipart", **fields)).json()["upload_key"]
    path = f"/v2/multipart/{key}"
    assert (await api.http.post(path)).json()["error"] == "The upload lacks parts."
    outside = await api.http.post(f"{path}/2", files={"part_content": ("p", b"x", "a/b")})
    assert outside.status_code == 400
    await api.http.post(f"{path}/1", files={"part_content": ("p", b"x", "a/b")})
    assert "announced" in (await api.http.post(path)).json()["error"]
    assert (await api.http.delete(path)).status_code == 200
    assert (await api.http.delete(path)).status_code == 500
    too_large = await api.form("POST", "/v2/multipart", file_name="a", file_size=10**12)
    assert too_large.status_code == 400


def test_uploads_expire_and_only_the_newest_are_kept() -> None:
    now = datetime(2026, 3, 20, tzinfo=UTC)
    server = ContentServerSimulator(clock=lambda: now, behaviour=Behaviour())
    uploads = Uploads(server.store)
    keys = [uploads.start("a", 1, "a/b").key for _ in range(51)]
    with pytest.raises(Exception, match="has expired"):
        uploads.finish(keys[0])
    uploads.add_part(keys[-1], 1, b"x")
    now += timedelta(hours=2)
    with pytest.raises(Exception, match="has expired"):
        uploads.finish(keys[-1])


async def test_flat_form_fields_make_a_folder_and_a_document_as_well(api: Api) -> None:
    folder = _id(await api.form("POST", "/v2/nodes", type=0, parent_id=2000, name="F"))
    fields = {"type": "144", "parent_id": str(folder), "name": "flat.txt"}
    files = {"file": ("other.txt", b"x", "text/plain")}
    document = _id(await api.http.post("/v2/nodes", data=fields, files=files))
    renamed = await api.form("PUT", f"/v2/nodes/{document}", name="new.txt")
    assert renamed.json()["results"]["data"]["properties"]["name"] == "new.txt"


async def test_a_shortcut_points_and_a_compound_document_holds_documents(
    server: ContentServerSimulator, api: Api
) -> None:
    compound = _id(
        await api.body("POST", "/v2/nodes", {"type": 136, "parent_id": 2000, "name": "Set"})
    )
    document = _id(await api.upload(compound, "page.txt", b"x"))
    shortcut = _id(
        await api.body(
            "POST",
            "/v2/nodes",
            {"type": 1, "parent_id": 2000, "name": "To page", "original_id": document},
        )
    )
    assert server.node(shortcut).original_id == document
    audit = (await api.get(f"/v2/nodes/{document}/audit")).json()["results"]["data"]["audit"]
    assert audit[0]["audit_name"] == "Shortcut Created"
    children = (await api.get(f"/v2/nodes/{compound}/nodes")).json()["results"]
    assert [row["data"]["properties"]["name"] for row in children] == ["page.txt"]
    nothing = {"type": 1, "parent_id": 2000, "name": "To nothing", "original_id": 999999}
    assert (await api.body("POST", "/v2/nodes", nothing)).status_code == 400
    restored = await api.http.delete(f"/v2/nodes/{compound}")
    assert restored.status_code == 200
    await api.form("POST", "/v2/volumes/recyclebin/nodes/restore", ids=compound)
    names = [row.event.name for row in server.audit if row.node_id == document]
    assert names[-2:] == ["DELETE", "RESTORE"]
