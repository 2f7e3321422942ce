"""Apache Kafka from its jars: one process, broker and controller in one (KRaft)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.kafka_server.jars import java, kafka_jars, kafka_version
from tests.kafka_server.process import BrokerUnavailable, LeashedProcess
from tests.kafka_server.ready import wait_until_answers
from tests.kafka_server.settings import (
    BROKER_SETTINGS,
    CLUSTER_ID,
    as_properties,
    listener_settings,
)

START_SECONDS = 90.0
TRIES = 3
# A test's broker lives for a minute: the quick compiler and the small collector serve it best.
JAVA_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.level=INFO")


class ApacheKafka:
    """A single node in a folder of its own. Keeps address and data from one start to the next."""

    #: Further options of the tool that formats the storage.
    format_options: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._java = java()
        self._jars = kafka_jars()
        self.folder = Path(tempfile.mkdtemp(prefix="dovetail-kafka-"))
        self._log = self.folder / "broker.log"
        self._process: LeashedProcess | None = None
        self.bootstrap = ""
        self.description = f"Apache Kafka {kafka_version()} from its jars"

    def open(self) -> None:
        """Choose free ports, format the storage and start, until the broker answers."""
        for attempt in range(1, TRIES + 1):
            self._choose_address()
            try:
                self._format_storage()
                self.start()
                return
            except BrokerUnavailable:
                # Between choosing a free port and listening on it somebody may take it.
                taken = "Address already in use" in self._log_text()
                self.kill()
                if attempt == TRIES or not taken:
                    raise

    def start(self) -> None:
        """Start the broker on its address and its data; returns when clients and groups can."""
        with self._log.open("ab") as log:
            self._process = LeashedProcess(
                self._command("kafka.Kafka", str(self._properties)),
                folder=self.folder,
                output=log,
                errors=subprocess.STDOUT,
            )
        wait_until_answers(self.bootstrap, START_SECONDS, self._why_it_ended)

    def stop(self) -> None:
        """End the broker as an operator would: it hands over and closes its files."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End the broker as a power cut would."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the broker and remove all that it wrote."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _choose_address(self) -> None:
        client, controller = (f"127.0.0.1:{port}" for port in free_ports(2))
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        self._log.write_bytes(b"")
        self.bootstrap = client
        settings = {
            **BROKER_SETTINGS,
            **listener_settings(client, controller, client),
            "log.dirs": str(data),
        }
        self._properties.write_text(as_properties(self._adapted(settings)))

    def _adapted(self, settings: dict[str, str]) -> dict[str, str]:
        """The settings of this broker, for those that differ from the tests' usual one."""
        return settings

    def _format_storage(self) -> None:
        place = ("-t", CLUSTER_ID, "-c", str(self._properties))
        done = subprocess.run(
            self._command("kafka.tools.StorageTool", "format", *place, *self.format_options),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BrokerUnavailable(
                f"Apache Kafka could not format its storage:\n{done.stdout}{done.stderr}"
            )

    def _command(self, *arguments: str) -> list[str]:
        return [self._java, *JAVA_OPTIONS, "-cp", f"{self._jars}/*", *arguments]

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _why_it_ended(self) -> str | None:
        code = self._process.exit_code() if self._process is not None else None
        if code is None:
            return None
        last_lines = "\n".join(self._log_text().splitlines()[-30:])
        return f"Apache Kafka ended with exit code {code}; the end of its log:\n{last_lines}"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; held together until all are chosen, so they differ."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()
