"""The commands that talk to Kafka, on a broker: topics, dead letters, the story of a record."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Sequence

import pytest
from aiokafka import AIOKafkaProducer

from app.cli.kafka import partition_counts
from app.cli.output import moment
from app.settings import Need, load_settings
from streams import topics
from streams.messages.audit import AuditEvent, AuditLine
from streams.messages.dead_letters import Failure
from tests.cli.conftest import Run

pytestmark = pytest.mark.broker
HOUR_MS = 3_600_000
#: A while ago: brokers refuse times of the future, and remove what is older than it may be.
NOW_MS = int(time.time()) * 1000 - 3 * HOUR_MS

Headers = Sequence[tuple[str, bytes]]
Sent = tuple[bytes, bytes | None, Headers, int]


@pytest.fixture
def broker(
    kafka_address: str, monkeypatch: pytest.MonkeyPatch, unique_name: Callable[[str], str]
) -> str:
    """Settings for the broker; other tests share it, so our topics may be there already."""
    monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", kafka_address)
    monkeypatch.setenv("DOVETAIL_REPLICATION_FACTOR", "1")
    monkeypatch.setenv("DOVETAIL_APPLICATION_ID", unique_name("app"))
    counts = asyncio.run(partition_counts(load_settings(Need.KAFKA)))
    monkeypatch.setenv("DOVETAIL_PARTITIONS", str(counts.get(topics.CHANGES.name, 3)))
    return kafka_address


@pytest.fixture
def ready(broker: str, run: Run) -> str:
    """The same, with all topics."""
    assert run("topics", "create").code == 0
    return broker


def produce(address: str, topic: str, messages: Iterable[Sent]) -> None:
    """Write messages as (key, value, headers, timestamp in Unix ms)."""

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            for key, value, headers, at_ms in messages:
                await producer.send_and_wait(
                    topic, value, key=key, headers=[*headers], timestamp_ms=at_ms
                )

    asyncio.run(send())


class TestTopics:
    def test_creating_twice_creates_once_and_all_are_there(self, run: Run, broker: str) -> None:
        first = run("topics", "create")
        assert first.code == 0
        changelogs = [line for line in first.out.splitlines() if "-changelog" in line]
        assert len(changelogs) >= 9
        again = run("topics", "create")
        assert (again.code, again.out) == (0, "")
        assert again.err.startswith("0 topics created, ")
        listed = [json.loads(line) for line in run("topics", "list", "--json").out.splitlines()]
        assert {row["state"] for row in listed} == {"there"}
        assert {topic.name for topic in topics.ALL} < {row["topic"] for row in listed}
        assert {row["cleanup"] for row in listed if "-changelog" in row["topic"]} == {"compact"}

    def test_what_is_missing_is_shown(self, run: Run, broker: str) -> None:
        rows = run("topics", "list").out.splitlines()
        assert rows[0].split() == ["TOPIC", "PARTITIONS", "CLEANUP", "STATE", "CARRIES"]
        assert any("-changelog" in row and " missing " in row for row in rows)

    def test_topics_that_are_listened_to_are_shown_first(
        self, run: Run, ready: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOVETAIL_SOURCE_TOPICS", f"{topics.AUDIT.name}.not,no-such-topic")
        monkeypatch.setenv("DOVETAIL_ECM_EVENT_TOPICS", "no-such-events")
        rows = [json.loads(line) for line in run("topics", "list", "--json").out.splitlines()]
        assert [(row["topic"], row["state"], row["carries"]) for row in rows[1:3]] == [
            ("no-such-topic", "missing", "yours: changes of Dynamics"),
            ("no-such-events", "missing", "yours: events of Extended ECM"),
        ]

    def test_another_number_of_partitions_is_a_fault_with_a_remedy(
        self, run: Run, ready: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOVETAIL_PARTITIONS", "7")
        ended = run("topics", "create")
        assert ended.code == 1
        assert "another number of partitions than 7" in ended.err
        assert "set DOVETAIL_PARTITIONS to theirs" in ended.err


class TestDeadLetters:
    @pytest.fixture
    def source(self, ready: str, unique_name: Callable[[str], str]) -> str:
        """Five letters of a source topic of this test's own, and what is not one of ours."""
        source = unique_name("source")
        letters = []
        for number in range(5):
            code = "unreadable" if number % 2 else "unknown_table"
            failure = Failure(
                source, 2, number, NOW_MS - HOUR_MS, "decode", code, f"no{number}\x1b[2J\nfake"
            )
            headers = (("original", b"kept"), *failure.headers())
            letters.append((b"\xffkey", b"canary", headers, NOW_MS + number * 1000))
        produce(ready, topics.DEAD_LETTERS.name, letters)
        produce(ready, topics.DEAD_LETTERS.name, [(b"x", b"y", (), NOW_MS)])
        return source

    def test_letters_are_listed_newest_first_without_their_content(
        self, run: Run, source: str
    ) -> None:
        ended = run("dlq", "list", "--topic", source)
        assert ended.code == 0
        assert ended.err == "5 of 5 dead letters\n"
        rows = ended.out.splitlines()[1:]
        assert [row.split()[4] for row in rows] == [f"{source}/2/{n}" for n in (4, 3, 2, 1, 0)]
        assert rows[0].split()[0] == moment(NOW_MS + 4000)
        assert "canary" not in ended.out
        # Text of a stranger moves no cursor and makes no line of its own.
        assert "\x1b" not in ended.out
        assert len(rows) == 5

    @pytest.mark.parametrize(
        ("words", "numbers"),
        [
            (("--error", "unreadable"), [3, 1]),
            (("--limit", "2"), [4, 3]),
            (("--since", moment(NOW_MS + 3000)), [4, 3]),
            (("--since", moment(NOW_MS + 3000), "--error", "unreadable"), [3]),
            (("--since", "5s"), []),
        ],
    )
    def test_letters_are_chosen_by_error_time_and_number(
        self, run: Run, source: str, words: tuple[str, ...], numbers: list[int]
    ) -> None:
        ended = run("dlq", "list", "--topic", source, "--json", *words)
        found = [json.loads(line) for line in ended.out.splitlines()]
        assert ended.code == 0
        assert [letter["source"] for letter in found] == [f"{source}/2/{n}" for n in numbers]

    def test_json_tells_all_but_the_content(self, run: Run, source: str) -> None:
        ended = run("dlq", "list", "--topic", source, "--limit", "1", "--json")
        (letter,) = [json.loads(line) for line in ended.out.splitlines()]
        place = letter.pop("place")
        assert place.startswith(f"{topics.DEAD_LETTERS.name}/")
        assert letter == {
            "at": moment(NOW_MS + 4000),
            "key": "\\xffkey",
            "size_bytes": 6,
            "stage": "decode",
            "error": "unknown_table",
            "message": "no4\x1b[2J\nfake",
            "source": f"{source}/2/4",
            "source_at": moment(NOW_MS - HOUR_MS),
        }
        assert ended.err == "1 of 5 dead letters\n"

    def test_what_dovetail_did_not_write_is_shown_as_such(self, run: Run, source: str) -> None:
        ended = run("dlq", "list", "--limit", "100000")
        assert "(not written by Dovetail)" in ended.out


class TestTrace:
    def lines(self, subject: str) -> list[AuditLine]:
        return [
            AuditLine(
                at_ms=NOW_MS + 2000,
                subject=subject,
                event=AuditEvent.DONE,
                summary="ensure_workspace done",
                rule="account-workspace",
                detail={"workspace": "4711"},
            ),
            AuditLine(
                at_ms=NOW_MS + 1000,
                subject=subject,
                event=AuditEvent.CHANGED,
                summary="name",
                source="rec dynamics.changes/0/1",
            ),
        ]

    def sent(self, address: str, subject: str, key: str | None = None) -> None:
        messages: list[Sent] = [
            ((key or subject).encode(), line.to_json(), (), NOW_MS) for line in self.lines(subject)
        ]
        produce(address, topics.AUDIT.name, messages)

    def test_a_record_tells_its_story_in_the_order_of_time(self, run: Run, ready: str) -> None:
        record, other = f"account:{uuid.uuid4()}", f"account:{uuid.uuid4()}"
        self.sent(ready, record)
        self.sent(ready, other)
        guid = record.partition(":")[2].upper()
        ended = run("trace", f"account:{{{guid}}}")
        assert ended.code == 0
        assert ended.err == "2 steps\n"
        assert [row.split(maxsplit=3) for row in ended.out.splitlines()[1:]] == [
            [moment(NOW_MS + 1000), "changed", "-", "name"],
            [
                moment(NOW_MS + 2000),
                "done",
                "account-workspace",
                "ensure_workspace done (workspace: 4711)",
            ],
        ]

    def test_a_workspace_has_a_story_too_and_json_tells_all_of_it(
        self, run: Run, ready: str
    ) -> None:
        subject = f"workspace:{uuid.uuid4().int % 10**9}"
        self.sent(ready, subject)
        found = [json.loads(line) for line in run("trace", subject, "--json").out.splitlines()]
        assert [line["event"] for line in found] == ["changed", "done"]
        assert found[1]["detail"] == {"workspace": "4711"}
        assert found[1]["at"] == moment(NOW_MS + 2000)

    def test_a_line_of_another_release_is_left_out_and_said_so(self, run: Run, ready: str) -> None:
        record = f"account:{uuid.uuid4()}"
        self.sent(ready, record)
        produce(ready, topics.AUDIT.name, [(record.encode(), b'{"new": 1}', (), NOW_MS)])
        ended = run("trace", record)
        assert ended.code == 0
        assert "written by another release" in ended.err
        assert ended.err.endswith("2 steps\n")

    def test_a_step_without_a_time_of_its_own_was_when_it_was_told(
        self, run: Run, ready: str
    ) -> None:
        record = f"account:{uuid.uuid4()}"
        line = AuditLine(at_ms=0, subject=record, event=AuditEvent.TOLD, summary="asked")
        produce(ready, topics.AUDIT.name, [(record.encode(), line.to_json(), (), NOW_MS)])
        self.sent(ready, record)
        rows = run("trace", record).out.splitlines()[1:]
        assert rows[0].split(maxsplit=3) == [moment(NOW_MS), "told", "-", "asked"]

    def test_a_record_without_a_story_is_told_so(self, run: Run, ready: str) -> None:
        ended = run("trace", f"account:{uuid.uuid4()}")
        assert (ended.code, ended.out) == (1, "")
        assert "nothing is told of account:" in ended.err
        assert "next: check the id" in ended.err

    def test_a_table_that_the_rules_do_not_know_is_told_with_the_nearest_one(
        self, run: Run, ready: str
    ) -> None:
        ended = run("trace", f"acount:{uuid.uuid4()}")
        assert ended.code == 1
        assert "next: no table is called 'acount'; did you mean account?" in ended.err

    def test_since_leaves_out_what_is_older(self, run: Run, ready: str) -> None:
        record = f"account:{uuid.uuid4()}"
        self.sent(ready, record)
        assert run("trace", record, "--since", "24h").code == 0
        assert run("trace", record, "--since", "5s").code == 1
