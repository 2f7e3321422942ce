"""Bad input over the wire: kept byte for byte, or left aside and counted; never in the way."""

from __future__ import annotations

import json

import pytest

from app.sandbox.events import rec
from app.sandbox.events.change import Encoded
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
    await scene.send(Encoded(b"tombstone", None), Encoded(None, contact))
    signed = {"event_id": "1", "event": "contract.signed", "occurred_at": 1, "workspace_id": 77}
    await scene.send(Encoded(None, json.dumps(signed).encode()), topic=scene.here.names.ecm_events)

    async def counted() -> bool:
        reasons = ("tombstone", "table_not_mapped")
        skipped = [await scene.metric("dovetail_messages_skipped_total", reason=r) for r in reasons]
        return skipped == [1, 1] and await scene.metric("dovetail_events_held_total") == 1

    await scene.until(counted, "both skips and the held event counted")
    assert await scene.letters() == []


async def test_a_topic_full_of_rubbish_halts_the_worker_instead_of_draining(scene: Scene) -> None:
    scene.set(DEAD_LETTER_LIMIT_CONSECUTIVE=5)
    await scene.ready()
    rubbish = [Encoded(None, f"rubbish {number}".encode()) for number in range(40)]
    await scene.send(*rubbish)
    assert await scene.ended() != 0
    assert "DOVETAIL_DEAD_LETTER_LIMIT_CONSECUTIVE" in scene.log
    assert len(await scene.letters()) < len(rubbish)

    scene.set(DEAD_LETTER_LIMIT_CONSECUTIVE=1000)
    good = scene.account()
    await scene.send(*rec.encode(good))
    await scene.ready()
    await scene.until_linked(good)
    await scene.until_quiet()
    assert {m.value for m in rubbish} == {value for _, value, _ in await scene.letters()}
