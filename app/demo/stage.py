"""The demo's stage: embedded broker, simulated systems, and the worker as its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.demo.history import CHANGES_TOPIC, ECM_TOPIC
from app.ports import HeldPort
from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.finance import FinanceSimulator
from app.sandbox.kafka import EmbeddedBroker
from app.settings.fields import RULES_DIRECTORY

TENANT = "contoso"
CLIENT_ID = "5d0f3c1e-8a4b-4c39-9d5e-6a1b2c3d4e5f"
#: Whose writes in finance and operations are Dovetail's.
OUR_FINANCE_USER = "dovetail"
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Names:
    """What is this run's own on the broker: its group, the producers' topics, the partitions."""

    application: str = "dovetail-demo"
    changes: str = CHANGES_TOPIC
    ecm_events: str = ECM_TOPIC
    partitions: int = 6


@dataclass
class WorkerProcess:
    """The worker: started, killed and stopped by us; its log goes to a file."""

    environment: Mapping[str, str]
    log: Path
    url: str
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    #: Counters of workers that were killed, by metric and labels.
    counted: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, float] = field(default_factory=dict)

    async def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "app",
                "worker",
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours; we stop the worker ourselves
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until it has partitions and tables; raises RuntimeError when it ends instead."""
        async with httpx.AsyncClient() as client, asyncio.timeout(seconds):
            while True:
                self.assert_running()
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"{self.url}/readyz")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.1)

    def assert_running(self) -> None:
        if self.running:
            return
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"the worker has ended; the end of {self.log}:\n{tail}")

    async def counters(self) -> dict[str, float]:
        """All counters by name and labels, those of killed workers included."""
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient() as client:
                text = (await client.get(f"{self.url}/metrics")).text
            self.last_seen = dict(_samples(text))
        names = self.counted.keys() | self.last_seen.keys()
        return {n: self.counted.get(n, 0) + self.last_seen.get(n, 0) for n in names}

    async def kill(self) -> None:
        """SIGKILL, as a node that dies."""
        self.counted = await self.counters()
        self.last_seen = {}
        if self.process is not None and self.running:
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        if self.process is None or not self.running:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def _samples(text: str) -> list[tuple[str, float]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = (line.rpartition(" ") for line in lines)
    return [(name, float(value)) for name, _, value in pairs if "_total" in name]


@dataclass
class Stage:
    """Everything that runs. ``broker`` is None where it is somebody else's."""

    folder: Path
    names: Names
    bootstrap: str
    broker: EmbeddedBroker | None
    entra: EntraSimulator
    dataverse: DataverseSimulator
    finance: FinanceSimulator
    content_server: ContentServerSimulator
    worker: WorkerProcess

    def addresses(self) -> dict[str, str]:
        """Where everything is, for ``--keep``."""
        return {
            "Kafka": self.bootstrap,
            "Dataverse": self.dataverse.api_url,
            "Finance and operations": self.finance.data_url,
            "Content Server": self.content_server.url,
            "Entra ID": self.entra.authority,
            "Worker": self.worker.url,
            "Worker's log": str(self.worker.log),
        }


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    bootstrap: str | None = None,
    names: Names | None = None,
    rules: Sequence[Path] = (RULES_DIRECTORY,),
) -> AsyncIterator[Stage]:
    """Start everything but the worker; nothing is left behind at the end.

    ``bootstrap`` is the address of a broker that runs already, instead of an embedded one;
    ``rules`` are the folders of the worker's rules.
    """
    async with AsyncExitStack() as stack:
        secret = secrets.token_urlsafe(24)
        broker = None if bootstrap else await stack.enter_async_context(EmbeddedBroker())
        address = bootstrap or (broker.bootstrap if broker else "")
        client = EntraClient(CLIENT_ID, secrets=(secret,))
        entra = await stack.enter_async_context(EntraSimulator(TENANT, [client]))
        dataverse = await stack.enter_async_context(
            DataverseSimulator(entra, application_users={CLIENT_ID: "Dovetail"})
        )
        finance = await stack.enter_async_context(
            FinanceSimulator(entra, application_users={CLIENT_ID: OUR_FINANCE_USER})
        )
        content_server = await stack.enter_async_context(ContentServerSimulator())
        held = HeldPort()
        stack.callback(held.release)
        worker = WorkerProcess({}, folder / "worker.log", f"http://127.0.0.1:{held.port}")
        stack.push_async_callback(worker.stop)
        ready = Stage(
            folder,
            names or Names(),
            address,
            broker,
            entra,
            dataverse,
            finance,
            content_server,
            worker,
        )
        worker.environment = _environment(ready, secret, held.port, rules)
        yield ready


def _environment(stage: Stage, secret: str, port: int, rules: Sequence[Path]) -> dict[str, str]:
    """The worker's settings: what a person would set to point it at these systems."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DOVETAIL_")}
    service = stage.content_server.client
    settings = {
        "APPLICATION_ID": stage.names.application,
        "INSTANCE_ID": "demo-0",
        "KAFKA_BOOTSTRAP": stage.bootstrap,
        "SOURCE_TOPICS": stage.names.changes,
        "ECM_EVENT_TOPICS": stage.names.ecm_events,
        "PARTITIONS": str(stage.names.partitions),
        "REPLICATION_FACTOR": "1",
        "RULES_DIRECTORY": ",".join(map(str, rules)),
        "DATA_DIRECTORY": str(stage.folder / "tables"),
        "HTTP_PORT": str(port),
        "DATAVERSE_URL": stage.dataverse.url,
        "DATAVERSE_CALLS_PER_SECOND": "10000",
        "FINANCE_URL": stage.finance.url,
        "FINANCE_CALLS_PER_SECOND": "10000",
        "ENTRA_AUTHORITY": stage.entra.url,
        "ENTRA_TENANT_ID": TENANT,
        "ENTRA_CLIENT_ID": CLIENT_ID,
        "ENTRA_CLIENT_SECRET": secret,
        "CA_FILE": str(stage.entra.ca_path),
        "CONTENT_SERVER_URL": stage.content_server.url,
        "OTDS_URL": stage.content_server.otds_url,
        "OTDS_CLIENT_ID": service.client_id,
        "OTDS_CLIENT_SECRET": service.client_secret,
        "ECM_CALLS_PER_SECOND": "10000",
        "LOG_FORMAT": "text",
    }
    return kept | {f"DOVETAIL_{name}": value for name, value in settings.items()}
