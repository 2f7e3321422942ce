"""Which simulated systems a sandbox has, where they listen and what they begin with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

CHANGES_TOPIC = "dynamics.changes"
ECM_TOPIC = "opentext.events"
SOURCE_PARTITIONS = 6


class System(StrEnum):
    """One simulated system; the value is its name on the command line and in addresses."""

    KAFKA = "kafka"
    ENTRA = "entra"
    DATAVERSE = "dataverse"
    FINANCE = "finance"
    CONTENT_SERVER = "content-server"


TITLES: Mapping[System, str] = MappingProxyType(
    {
        System.KAFKA: "Embedded Kafka broker",
        System.ENTRA: "Microsoft Entra ID",
        System.DATAVERSE: "Microsoft Dataverse",
        System.FINANCE: "Finance and operations",
        System.CONTENT_SERVER: "OpenText Content Server",
    }
)
PORTS: Mapping[System, int] = MappingProxyType(
    {
        System.KAFKA: 9092,
        System.ENTRA: 8443,
        System.DATAVERSE: 8081,
        System.CONTENT_SERVER: 8082,
        System.FINANCE: 8083,
    }
)
"""Fixed, so that a worker's settings outlive the sandbox; the worker's own pages are on 8080."""

PAGES_PORT = 8090
NEEDS: Mapping[System, frozenset[System]] = MappingProxyType(
    {
        System.DATAVERSE: frozenset({System.ENTRA}),
        System.FINANCE: frozenset({System.ENTRA}),
    }
)
"""What a system cannot do without: Entra ID vouches for the callers of Dynamics."""


@dataclass(frozen=True)
class Choice:
    """What to start.

    ``ports`` replaces those of `PORTS`, 0 for a free one. ``data`` is the folder that keeps
    everything, None for memory. ``kafka`` is a broker and ``entra`` (``https://host:port``) a
    simulated authority that runs elsewhere, the latter with its certificates in ``entra_ca`` or
    where a sandbox of this user keeps them. ``seed`` decides ids, ``users`` how many people there
    are; both count for a new sandbox only.
    """

    systems: frozenset[System] = frozenset(System)
    ports: Mapping[System, int] = field(default_factory=dict)
    data: Path | None = None
    kafka: str | None = None
    seed: int = 0
    users: int = 8
    entra: str | None = None
    entra_ca: Path | None = None

    def starts(self, system: System) -> bool:
        """Whether it is wanted, or needed by one that is."""
        elsewhere = {System.KAFKA: self.kafka, System.ENTRA: self.entra}
        if elsewhere.get(system) is not None:
            return False
        needed = {need for chosen in self.systems for need in NEEDS.get(chosen, ())}
        return system in self.systems | needed

    def port(self, system: System) -> int:
        return self.ports.get(system, PORTS[system])

    @property
    def authority_folder(self) -> Path:
        """Where the certificate authority is kept, so that clients trust the next sandbox too."""
        return (self.data or own_folder()) / "authority"

    @property
    def authority_file(self) -> Path:
        """What vouches for Entra ID, here or elsewhere."""
        return self.entra_ca or self.authority_folder / "ca.pem"

    @property
    def tables_folder(self) -> Path:
        """Where a worker keeps its tables, which belong to the topics of this sandbox."""
        return (self.data or own_folder()) / "worker"


def own_folder() -> Path:
    """This user's folder for what sandboxes without a data folder share."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "dovetail" / "sandbox"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written, as in a container
        return Path(tempfile.mkdtemp(prefix="dovetail-sandbox-"))
    return folder
