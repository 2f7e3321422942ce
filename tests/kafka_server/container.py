"""Apache Kafka from its image, where a Docker daemon answers."""

from __future__ import annotations

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from tests.kafka_server.apache import START_SECONDS
from tests.kafka_server.jars import kafka_version
from tests.kafka_server.ready import wait_until_answers
from tests.kafka_server.settings import (
    BROKER_SETTINGS,
    CLUSTER_ID,
    as_environment,
    listener_settings,
)

CLIENT_PORT = 9092
CONTROLLER_PORT = 9093


def docker_answers() -> bool:
    """Whether there is a Docker daemon that this user may ask."""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


class KafkaInDocker:
    """A single node in a container; testcontainers removes it, also after a killed run."""

    def __init__(self, host_port: int) -> None:
        image = f"apache/kafka:{kafka_version()}"
        self._container = DockerContainer(image).with_bind_ports(CLIENT_PORT, host_port)
        self._host_port = host_port
        self.bootstrap = ""
        self.description = f"{image} in Docker"

    def open(self) -> None:
        """Start the container and wait until the broker in it answers."""
        host = self._container.get_container_host_ip()
        self.bootstrap = f"{host}:{self._host_port}"
        settings = {
            **BROKER_SETTINGS,
            **listener_settings(
                f"0.0.0.0:{CLIENT_PORT}", f"localhost:{CONTROLLER_PORT}", self.bootstrap
            ),
        }
        for name, value in as_environment(settings).items():
            self._container.with_env(name, value)
        self._container.with_env("CLUSTER_ID", CLUSTER_ID)
        self._container.with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
        self._container.start()
        wait_until_answers(self.bootstrap, START_SECONDS, self._why_it_ended)

    def stop(self) -> None:
        """End the broker as an operator would; the container stays, with its data and port."""
        self._container.get_wrapped_container().stop()

    def start(self) -> None:
        """Start the container again, until the broker in it answers."""
        self._container.get_wrapped_container().start()
        wait_until_answers(self.bootstrap, START_SECONDS, self._why_it_ended)

    def close(self) -> None:
        """Remove the container and its data."""
        self._container.stop()

    def _why_it_ended(self) -> str | None:
        container = self._container.get_wrapped_container()
        container.reload()
        if container.status in ("created", "running"):
            return None
        said = container.logs(tail=30).decode(errors="replace")
        return f"the container is {container.status}; the end of its log:\n{said}"
