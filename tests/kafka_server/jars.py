"""Apache Kafka's own jars, brought by Maven once and kept in the repository's cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.kafka_server.process import BrokerUnavailable

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).resolve().parents[2] / ".cache"
OLDEST_JAVA = 17
MAVEN_SECONDS = 900.0
_QUIETLY = ("--batch-mode", "--no-transfer-progress")
_POM_VERSION = "{http://maven.apache.org/POM/4.0.0}properties/{*}kafka.version"


def kafka_version() -> str:
    """The version of Apache Kafka that the tests and docker-compose.yml use."""
    version = ElementTree.parse(POM).getroot().findtext(_POM_VERSION)
    if version is None:
        raise ValueError(f"{POM} has no property kafka.version")
    return version


def java() -> str:
    """The Java to run the broker with; raises BrokerUnavailable when it is missing or too old."""
    program = shutil.which("java")
    if program is None:
        raise BrokerUnavailable(f"no java on the PATH: install Java {OLDEST_JAVA} or newer")
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', told.stderr + told.stdout)
    if found is None or int(found[1]) < OLDEST_JAVA:
        line = (told.stderr or told.stdout).partition("\n")[0]
        raise BrokerUnavailable(
            f"Apache Kafka needs Java {OLDEST_JAVA} or newer and {program} is {line!r}"
        )
    return program


def kafka_jars(pom: Path = POM) -> Path:
    """The folder of the broker's jars, or of another pom's; copied by Maven where this pom's are
    not yet here.

    The folder's name holds a digest of the pom, so another version goes to another folder. Two
    test processes that ask at once wait for each other; later calls need neither Maven nor a net.
    """
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    jars = CACHE / f"kafka-{kafka_version()}-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _copy_with_maven(pom, jars)
    return jars


def _copy_with_maven(pom: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailable(
            "no mvn on the PATH to bring Apache Kafka's jars: install Maven, start a Docker daemon,"
            " or name a running broker with --broker=HOST:PORT"
        )
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="kafka-copying-") as copying:
        target = Path(copying) / "jars"
        options = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
        done = subprocess.run(
            [maven, *_QUIETLY, "--file", str(pom), "dependency:copy-dependencies", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BrokerUnavailable(f"Maven could not bring Apache Kafka's jars:\n{done.stdout}")
        # Renamed in one step: a run that is interrupted leaves no half-filled folder behind.
        target.rename(jars)
