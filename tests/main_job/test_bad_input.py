"""Bad input over the wire: kept byte for byte, or left aside and counted; never in the way."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest

from app.sandbox.events import ecm, rec
from app.sandbox.events.change import Encoded
from app.sandbox.events.ecm import EcmHappening
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

HEADERS = (("from", b"a producer"),)
#: What is wrong with the message -> its bytes and the error of its dead letter.
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "malformed": (b'{"MessageName": nonsense}', "malformed_json"),
    "truncated": (b'{"MessageName":"Update","PrimaryEntityNa', "malformed_json"),
    "oversized": (b'{"note":"' + b"x" * 900_000, "malformed_json"),
    "not UTF-8": (b'{"name":"M\xfcller"}', "not_utf8"),
    "no object": (b"42", "not_an_object"),
    "unknown": (b'{"hello":"world"}', "unknown_format"),
}


async def test_what_cannot_be_read_is_kept_and_holds_up_nothing(scene: Scene) -> None:
    await scene.ready()
    sent = [Encoded(name.encode(), value, HEADERS) for name, (value, _) in UNREADABLE.items()]
    await scene.send(*sent)
    wrong = scene.account()
    typed = {"_table": "account", "Id": wrong.id, "SinkModifiedOn": "", "statecode": "many"}
    sent.append(Encoded(None, json.dumps(typed).encode(), HEADERS))
    await scene.send(sent[-1])
    good = scene.account("Contoso after all that")
    await scene.tell(good)
    await scene.until_linked(good)
    await scene.until_quiet()
    letters = await scene.letters()
    assert {(m.key, m.value, m.headers) for m in sent} == set(letters)
    assert len(letters) == len(sent)
    errors = await scene.errors()
    assert errors["wrong_type"] == 1
    assert set(errors) == {code for _, code in UNREADABLE.values()} | {"wrong_type"}


async def test_what_is_about_nothing_of_ours_is_left_aside_and_counted(scene: Scene) -> None:
    await scene.ready()
    contact = json.dumps({"_table": "contact", "Id": "x", "IsDelete": ""}).encode()
    await scene.send(Encoded(b"tombstone", None), Encoded(b"empty", b""), Encoded(None, contact))

    async def counted() -> bool:
        reasons = ("tombstone", "table_not_mapped")
        skipped = [await scene.metric("dovetail_messages_skipped_total", reason=r) for r in reasons]
        return skipped == [2, 1]

    await scene.until(counted, "all skips counted")
    assert await scene.letters() == []


async def test_events_of_unknown_workspaces_and_records_are_held_or_kept(scene: Scene) -> None:
    await scene.ready()
    nobody = ("D365", "contract", str(uuid.uuid4()))
    stranger = ("SAP", "vendor", "4711")
    happenings = [
        EcmHappening("1", "contract.signed", 1_700_000_000_000, workspace_id=9_000_077),
        EcmHappening("2", "contract.signed", 1_700_000_000_000, business_object=nobody),
        EcmHappening("3", "contract.signed", 1_700_000_000_000, business_object=stranger),
    ]
    sent = [ecm.encode(one) for one in happenings]
    await scene.send(*sent, topic=scene.here.names.ecm_events)

    async def held() -> bool:
        return await scene.metric("dovetail_events_held_total") == 1

    await scene.until(held, "the event of the unknown workspace held")
    await scene.until_quiet()
    # Only the last can belong to nothing, now or later: no rule knows such business objects.
    assert await scene.errors() == {"workspace_unknown": 1}
    assert [value for _, value, _ in await scene.letters()] == [sent[2].value]
    assert scene.content_server.workspaces() == []


async def test_a_large_message_that_can_be_read_is_taken_like_any_other(scene: Scene) -> None:
    await scene.ready()
    account = scene.account("Contoso")
    body = {"_table": "account", "Id": account.id, "SinkModifiedOn": "2024-01-01T00:00:00Z"}
    row = {"name": "Contoso", "statecode": 0, "description": "x" * 900_000}
    await scene.send(Encoded(None, json.dumps({**body, **row}).encode()))
    await scene.until_linked(account)
    assert await scene.letters() == []


async def test_a_value_that_extended_ecm_does_not_take_is_refused_and_told(scene: Scene) -> None:
    await scene.ready()
    account, good = scene.account(), scene.account("Contoso after that")
    await scene.tell(replace(account, row={**account.row, "name": "x" * 900_000}), good)
    await scene.until_linked(good)

    async def refused() -> bool:
        return await scene.metric("dovetail_refusals_total", code="attribute_invalid") == 1

    await scene.until(refused, "the name of 900,000 characters refused")
    await scene.until_quiet()
    assert scene.workspace(account) is None
    assert await scene.letters() == []


async def test_a_topic_full_of_rubbish_halts_the_worker_instead_of_draining(scene: Scene) -> None:
    scene.set(DEAD_LETTER_LIMIT_CONSECUTIVE=5)
    await scene.ready()
    rubbish = [Encoded(None, f"rubbish {number}".encode()) for number in range(40)]
    await scene.send(*rubbish)
    assert await scene.ended() == 1
    assert "stage decode-changes stopped at" in scene.log
    assert "dovetail dlq list" in scene.log
    assert "DOVETAIL_DEAD_LETTER_LIMIT_CONSECUTIVE" in scene.log
    # What is not kept has not been passed: whoever comes next begins there.
    kept = await scene.letters()
    assert await scene.watch.lag() >= len(rubbish) - len(kept) > 0

    scene.set(DEAD_LETTER_LIMIT_CONSECUTIVE=1000)
    good = scene.account()
    await scene.send(*rec.encode(good))
    await scene.ready()
    await scene.until_linked(good)
    await scene.until_quiet()
    assert sorted(m.value or b"" for m in rubbish) == sorted(
        value or b"" for _, value, _ in await scene.letters()
    )
