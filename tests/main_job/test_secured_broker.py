"""Brokers that ask who comes: TLS with a login, TLS with a certificate, and what a mistake says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from app.demo.stage import Names, stage
from tests.kafka_server.secured import PASSWORD, USERNAME, SecuredKafka
from tests.main_job.scene import Scene, scene_on

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def secured(request: pytest.FixtureRequest) -> Iterator[SecuredKafka]:
    """Apache Kafka: the embedded broker speaks no TLS, as it never leaves the machine."""
    if request.config.getoption("--broker") != "kafka":
        pytest.skip("TLS and logins are Apache Kafka's: run with --broker=kafka")
    broker = SecuredKafka()
    try:
        broker.open()
        yield broker
    finally:
        broker.close()


@pytest.fixture
async def scene(
    secured: SecuredKafka, tmp_path: Path, unique_name: Callable[[str], str]
) -> AsyncIterator[Scene]:
    """The test's own clients come in by the open listener, the worker as the test says."""
    names = Names(unique_name("app"), unique_name("changes"), unique_name("ecm"), partitions=2)
    async with (
        stage(tmp_path, bootstrap=secured.bootstrap, names=names) as here,
        scene_on(here) as scene,
    ):
        authority = tmp_path / "authorities.pem"
        authority.write_bytes(
            secured.certificates.authority.read_bytes() + here.entra.ca_path.read_bytes()
        )
        scene.set(CA_FILE=authority)
        yield scene


def _log_in(
    scene: Scene, secured: SecuredKafka, password: str = PASSWORD, mechanism: str = "PLAIN"
) -> None:
    scene.set(
        KAFKA_BOOTSTRAP=secured.login_address,
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM=mechanism,
        KAFKA_SASL_USERNAME=USERNAME,
        KAFKA_SASL_PASSWORD=password,
    )


def _show_certificate(scene: Scene, secured: SecuredKafka) -> None:
    scene.set(
        KAFKA_BOOTSTRAP=secured.certificate_address,
        KAFKA_SECURITY_PROTOCOL="SSL",
        KAFKA_CERTIFICATE_FILE=secured.certificates.client,
        KAFKA_KEY_FILE=secured.certificates.client_key,
    )


@pytest.mark.parametrize(
    "sign_in", [_log_in, partial(_log_in, mechanism="SCRAM-SHA-512"), _show_certificate]
)
async def test_a_worker_that_signs_in_does_its_job(
    scene: Scene, secured: SecuredKafka, sign_in: Callable[[Scene, SecuredKafka], None]
) -> None:
    sign_in(scene, secured)
    await scene.ready()
    account = scene.account()
    await scene.tell(account)
    await scene.until_linked(account)


async def test_a_wrong_password_is_told_with_its_setting_and_never_shown(
    scene: Scene, secured: SecuredKafka
) -> None:
    _log_in(scene, secured, password="wrong-secret-of-this-test")
    await scene.worker.start()
    assert await scene.ended() == 1
    assert "DOVETAIL_KAFKA_SASL_PASSWORD" in scene.log
    assert "wrong-secret-of-this-test" not in scene.log
    assert "Traceback" not in scene.log


async def test_a_broker_whose_certificate_nobody_vouches_for_is_told_with_the_setting(
    scene: Scene, secured: SecuredKafka
) -> None:
    _log_in(scene, secured)
    scene.set(CA_FILE=scene.here.entra.ca_path)
    await scene.worker.start()
    assert await scene.ended() == 1
    assert "DOVETAIL_CA_FILE" in scene.log
    assert "Traceback" not in scene.log


async def test_commands_tell_of_a_refused_login_at_once(
    scene: Scene, secured: SecuredKafka
) -> None:
    _log_in(scene, secured, password="wrong-secret-of-this-test")
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "topics", "list"),
        env=dict(scene.worker.environment),
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await command.communicate()
    assert command.returncode == 1
    assert "dovetail: The brokers refuse our login" in told.decode()
    assert "next: check DOVETAIL_KAFKA_SASL_USERNAME" in told.decode()
    assert "wrong-secret-of-this-test" not in told.decode()
