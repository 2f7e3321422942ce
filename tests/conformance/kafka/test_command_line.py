"""Apache Kafka's own command-line tools, and kcat, work on the broker."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka_server.jars import java, kafka_jars
from tests.kafka_server.process import BrokerUnavailable

pytestmark = pytest.mark.broker

SECONDS = 60
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

    def run(name: str, *arguments: str, feed: str = "", fails: bool = False) -> str:
        where = ("--bootstrap-server", kafka_address)
        done = subprocess.run(
            [program, *JAVA_OPTIONS, "-cp", jars, f"{TOOLS}.{name}", *where, *arguments],
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
    told = tool("consumer.ConsoleConsumer", *reading, "--timeout-ms", "20000")
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


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed (apt: kcat)")
def test_kcat_writes_and_reads(kafka_address: str, unique_name: Name) -> None:
    topic = unique_name("topic")
    admin = AdminClient({"bootstrap.servers": kafka_address})
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result(SECONDS)

    def kcat(*arguments: str, feed: str = "") -> str:
        done = subprocess.run(
            ["kcat", "-b", kafka_address, "-t", topic, *arguments],
            input=feed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout

    kcat("-P", "-K", ":", feed="a:one\nb:two\n")
    assert kcat("-C", "-e", "-q", "-f", "%o %k %s\\n") == "0 a one\n1 b two\n"
