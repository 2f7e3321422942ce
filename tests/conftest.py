"""What every test may ask for: a broker of the kind that ``--broker`` names, and fresh names."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.kafka_server.choice import CHOICES, Broker, running_broker
from tests.kafka_server.process import BrokerUnavailable
from tests.patience import PATIENCE_SECONDS

pytest_plugins = ["tests.conformance.operations"]  # here, for the controller of -n reads no other

# A gate gives the same answer twice for the same code; `make explore` looks for new examples.
# How long an example takes to make or to try is the machine's affair.
at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", at_leisure, derandomize=True)
settings.register_profile("explore", at_leisure, print_blob=True)

# Without a word a client of httpx gives up after 5 s, in which a busy machine may do nothing.
for wait in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, wait, PATIENCE_SECONDS)
assert httpx.Client(verify=False).timeout == httpx.Timeout(PATIENCE_SECONDS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--broker``."""
    parser.addoption(
        "--broker",
        default="embedded",
        metavar="BROKER",
        help=f"the broker of tests marked 'broker': {CHOICES} (default: embedded). kafka is Apache"
        " Kafka: from its image where Docker answers, else from its jars through Java and Maven",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Name the broker in the first lines of a run."""
    return f"broker: {config.getoption('--broker')}"


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker of this run (of this worker, with -n), started at its first use."""
    choice = request.config.getoption("--broker")
    try:
        with running_broker(choice, _teller(request.config)) as broker:
            yield broker
    except BrokerUnavailable as reason:
        raise pytest.fail.Exception(str(reason), pytrace=False) from None


@pytest.fixture(scope="session")
def kafka_address(kafka_broker: Broker) -> str:
    """The bootstrap address, host:port, of the broker of this run."""
    return kafka_broker.bootstrap


@pytest.fixture
def unique_prefix() -> str:
    """A prefix that no other test has, for the names of topics and groups: ``t3f9c1a52.``."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def unique_name(unique_prefix: str) -> Callable[[str], str]:
    """Makes names of this test's own: ``unique_name("changes")`` -> ``t3f9c1a52.changes``."""

    def name(stem: str) -> str:
        return unique_prefix + stem

    return name


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """Tells the person at the terminal, past pytest's capture and from a worker of xdist too."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{line}\n")
            sys.stderr.flush()

    return say
