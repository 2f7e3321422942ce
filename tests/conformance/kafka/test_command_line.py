"""Apache Kafka's own command-line tools, and kcat, work on the broker."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka_server.jars import MAVEN_SECONDS, java, kafka_jars
from tests.kafka_server.process import BrokerUnavailable

# The first test on a new machine waits for Maven to bring the tools.
pytestmark = [pytest.mark.broker, pytest.mark.timeout(MAVEN_SECONDS + 300)]

SECONDS = 120
POM = Path(__file__).with_name("tools_pom.xml")
# A tool lives for a second: the quick compiler and the small collector serve it best.
JAVA_OPTIONS = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
TOOLS = "org.apache.kafka.tools"
Name = Callable[[str], str]
Run = Callable[..., str]


@pytest.fixture(scope="session")
def class_path() -> tuple[str, str]:
    """The Java to run and the jars of Kafka's tools."""
    try:
        return java(), f"{kafka_jars(POM)}/*"
    except BrokerUnavailable as reason:
        pytest.skip(f"Kafka's command-line tools cannot run here: {reason}")


@pytest.fixture
def tool(class_path: tuple[str, str], kafka_address: str) -> Run:
    """Runs a tool against the broker of this run: ``tool("TopicCommand", "--list")``."""
    program, jars = class_path

    def run(
        name: str, *arguments: str, feed: str = "", fails: bool = False, where: bool = True
    ) -> str:
        address = ("--bootstrap-server", kafka_address) if where else ()
        done = subprocess.run(
            [program, *JAVA_OPTIONS, "-cp", jars, f"{TOOLS}.{name}", *address, *arguments],
            input=feed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_kafkas_own_tools_work(tool: Run, unique_name: Name, tmp_path: Path) -> None:
    topic, group = unique_name("topic"), unique_name("group")
    tool("TopicCommand", "--create", "--topic", topic, "--config", "retention.ms=123456")
    told = tool("TopicCommand", "--describe", "--topic", topic)
    assert "PartitionCount: 1" in told
    assert "retention.ms=123456" in told

    tool("ConsoleProducer", "--topic", topic, feed="one\ntwo\nthree\n")
    reading = ("--topic", topic, "--group", group, "--from-beginning", "--max-messages", "3")
    told = tool("consumer.ConsoleConsumer", *reading, "--timeout-ms", "60000")
    assert told.split()[:3] == ["one", "two", "three"]
    told = tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", group)
    assert [line.split()[3:6] for line in told.splitlines() if topic in line] == [["3", "3", "0"]]

    file = tmp_path / "delete.json"
    wanted = {"topic": topic, "partition": 0, "offset": 2}
    file.write_text(json.dumps({"partitions": [wanted], "version": 1}))
    assert "low_watermark: 2" in tool("DeleteRecordsCommand", "--offset-json-file", str(file))
    told = tool("LogDirsCommand", "--describe", "--topic-list", topic)
    described = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
    (folder,) = described["brokers"][0]["logDirs"]
    assert [part["partition"] for part in folder["partitions"]] == [f"{topic}-0"]

    refused = tool("TopicCommand", "--create", "--topic", topic, fails=True)
    assert f"Topic '{topic}' already exists" in refused


def test_kafkas_own_tools_move_groups_and_tell_of_transactions(
    tool: Run, unique_name: Name, kafka_address: str
) -> None:
    topic, group, txn = unique_name("topic"), unique_name("group"), unique_name("txn")
    tool("TopicCommand", "--create", "--topic", topic, "--partitions", "1")
    sent = ("--num-records", "50", "--record-size", "2048", "--throughput", "-1")
    properties = ("--producer-props", f"bootstrap.servers={kafka_address}", "acks=all")
    in_one = ("--transactional-id", txn, "--transaction-duration-ms", "60000")
    told = tool("ProducerPerformance", "--topic", topic, *sent, *properties, *in_one, where=False)
    assert "50 records sent" in told
    # The end of the transaction is a record too.
    assert f"{topic}:0:51" in tool("GetOffsetShell", "--topic", topic)
    assert f"{topic}:0:0" in tool("GetOffsetShell", "--topic", topic, "--time", "earliest")
    (row,) = [
        line.split() for line in tool("TransactionsCommand", "list").splitlines() if txn in line
    ]
    assert row[-1] == "CompleteCommit"
    told = tool("TransactionsCommand", "describe-producers", "--topic", topic, "--partition", "0")
    assert told.split()[-1] == "None", told

    moved = ("--group", group, "--topic", topic, "--reset-offsets", "--to-offset", "7", "--execute")
    told = tool("consumer.group.ConsumerGroupCommand", *moved)
    assert told.split()[-4:] == [group, topic, "0", "7"]
    told = tool("VerifiableConsumer", "--topic", topic, "--group-id", group, "--max-messages", "43")
    done = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    consumed = [event for event in done if event["name"] == "records_consumed"]
    assert sum(event["count"] for event in consumed) == 43
    assert consumed[0]["partitions"][0]["minOffset"] == 7
    told = tool("consumer.group.ConsumerGroupCommand", "--describe", "--group", group, "--state")
    assert "Empty" in told
    told = tool("consumer.group.ConsumerGroupCommand", "--delete", "--group", group)
    assert "was successful" in told
    assert group not in tool("GroupsCommand", "--list")


@pytest.fixture
def kcat(kafka_address: str) -> Run:
    """Runs kcat against the broker of this run."""
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed (Debian and Homebrew: kcat)")

    def run(*arguments: str, feed: str = "", seconds: float = SECONDS) -> str:
        done = subprocess.run(
            ["kcat", "-b", kafka_address, *arguments],
            input=feed,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
        return done.stdout

    return run


def test_kcat_writes_and_reads(kcat: Run, kafka_address: str, unique_name: Name) -> None:
    topic = unique_name("topic")
    admin = AdminClient({"bootstrap.servers": kafka_address})
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result(SECONDS)

    kcat("-t", topic, "-P", "-K", ":", "-H", "origin=test", feed="a:one\nb:two\n")
    read = ("-t", topic, "-C", "-e", "-q", "-f")
    assert kcat(*read, "%o %k %s %h\\n") == "0 a one origin=test\n1 b two origin=test\n"
    assert kcat("-t", topic, "-C", "-o", "-1", "-e", "-q") == "two\n"
    assert kcat("-Q", "-t", f"{topic}:0:-1").strip() == f"{topic} [0] offset 2"

    described = json.loads(kcat("-L", "-J", "-t", topic))
    (found,) = described["topics"]
    assert [part["partition"] for part in found["partitions"]] == [0]
    assert found["partitions"][0]["leader"] in [node["id"] for node in described["brokers"]]


def test_kcat_reads_in_a_group_and_goes_on(
    kcat: Run, kafka_address: str, unique_name: Name
) -> None:
    topic, group = unique_name("topic"), unique_name("group")
    admin = AdminClient({"bootstrap.servers": kafka_address})
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result(SECONDS)
    kcat("-t", topic, "-P", "-z", "snappy", feed="one\ntwo\nthree\n")
    earliest = ("-X", "auto.offset.reset=earliest", "-q")
    assert kcat(*earliest, "-c", "2", "-G", group, topic) == "one\ntwo\n"
    assert kcat(*earliest, "-c", "1", "-G", group, topic) == "three\n"
