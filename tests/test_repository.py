"""The repository's frame: locks, make targets, compose file, and what no file may hold."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from typer.main import get_command

from app.cli.main import app as dovetail
from app.sandbox.choice import CHANGES_TOPIC, ECM_TOPIC, PAGES_PORT, PORTS, Choice, System
from app.sandbox.company import SERVICE
from app.sandbox.content_server import default_definition
from app.sandbox.entra.defaults import TENANT
from app.settings.model import fields, variable
from tests.kafka_server.jars import kafka_version

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "requirements.lock"
RUNTIME_LOCK = REPOSITORY / "requirements-runtime.lock"
VALIDATOR_LOCK = REPOSITORY / "tests" / "k8s" / "requirements.lock"
TARGETS = (
    *("help", "setup", "demo", "test", "conformance", "test-kafka", "check", "format", "lock"),
    *("up", "down", "clean"),
)


def locked(lock: Path) -> list[Requirement]:
    """Every pin of a lock; one package may have several, each for other versions of Python."""
    lines = re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]+", lock.read_text(), flags=re.MULTILINE)
    return [Requirement(line) for line in lines]


def pins(lock: Path) -> dict[str, str]:
    """Name and version of everything that a lock holds for the Python that runs this."""
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in locked(lock)
        if pin.marker is None or pin.marker.evaluate()
    }


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def unmet(requirements: list[str], versions: dict[str, str]) -> list[str]:
    """The requirements that a lock has no fitting version of."""
    parsed = [Requirement(text) for text in requirements]
    return [
        str(each)
        for each in parsed
        if not each.specifier.contains(versions.get(canonicalize_name(each.name), "0"))
    ]


def tracked_files() -> list[Path]:
    """Every file that git holds or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [REPOSITORY / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """``file:line: text`` of each tracked line that matches, this file and the licence aside."""
    found = []
    for path in tracked_files():
        if path in (Path(__file__), REPOSITORY / "LICENSE"):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        if pattern.search(text):
            name = path.relative_to(REPOSITORY)
            numbered = enumerate(text.splitlines(), start=1)
            found += [f"{name}:{n}: {line}" for n, line in numbered if pattern.search(line)]
    return found


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person does, also when these tests are themselves run by make."""
    of_the_outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {k: v for k, v in os.environ.items() if k not in of_the_outer}
    return subprocess.run(
        ["make", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def compose() -> dict[str, Any]:
    """docker-compose.yml, with its merge keys resolved."""
    loaded: dict[str, Any] = YAML(typ="safe").load(REPOSITORY / "docker-compose.yml")
    return loaded


SERVICES: dict[str, Any] = compose()["services"]


@pytest.mark.parametrize("lock", [LOCK, RUNTIME_LOCK], ids=lambda lock: lock.name)
def test_every_dependency_is_locked_at_a_version_that_fits(lock: Path) -> None:
    assert unmet(project()["project"]["dependencies"], pins(lock)) == [], "run: make lock"


def test_every_development_dependency_is_locked_at_a_version_that_fits() -> None:
    assert unmet(project()["dependency-groups"]["dev"], pins(LOCK)) == [], "run: make lock"


def test_the_build_backend_is_locked() -> None:
    required = project()["build-system"]["requires"]

    assert unmet(required, pins(LOCK)) == []
    assert unmet(required, pins(RUNTIME_LOCK)) == []


def test_the_runtime_lock_holds_the_versions_that_were_tested() -> None:
    tested = pins(LOCK)

    assert {name: tested.get(name) for name in pins(RUNTIME_LOCK)} == pins(RUNTIME_LOCK)


@pytest.mark.parametrize("lock", [LOCK, RUNTIME_LOCK, VALIDATOR_LOCK], ids=lambda p: p.parent.name)
def test_a_lock_has_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    pinned = re.findall(r"^\S+==.*\n(?: {4}--hash=sha256:[0-9a-f]{64}.*\n)+", text, re.MULTILINE)

    assert len(pinned) == len(locked(lock)) > 0
    assert not re.search(r"^--|://", text, re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_make_lists_a_target(target: str) -> None:
    listed = make()

    assert re.search(rf"^  {target} +\S", listed.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("variables", "options"),
    [([], ""), (["CHAOS=1"], " --chaos"), (["CHAOS=1", "KEEP=1"], " --chaos --keep")],
)
def test_make_demo_hands_its_variables_on(variables: list[str], options: str) -> None:
    planned = make("--dry-run", "demo", *variables)

    assert planned.stdout.splitlines()[-1].split() == f".venv/bin/dovetail demo{options}".split()


def test_make_refuses_an_old_python_and_says_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)

    refused = make("setup", f"PYTHON={old}")

    assert refused.returncode != 0
    assert "needs Python 3.11 or newer" in refused.stderr
    assert "Python 3.9.1" in refused.stderr
    assert "make setup PYTHON=" in refused.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_reachable_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]

    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), f"{service['image']} is not pinned"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_a_condition_that_the_other_can_meet(name: str) -> None:
    for other, waits in SERVICES[name].get("depends_on", {}).items():
        runs_once = SERVICES[other].get("restart") == "no"
        met_by = "service_completed_successfully" if runs_once else "service_healthy"

        assert waits["condition"] == met_by
        assert runs_once or "healthcheck" in SERVICES[other]


def test_every_service_that_stays_has_a_health_check() -> None:
    staying = {name for name, service in SERVICES.items() if service.get("restart") != "no"}

    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == staying


def test_every_volume_and_file_of_a_service_exists() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]
    sources = {mount.partition(":")[0] for mount in mounts}
    files = {source for source in sources if source.startswith("./")}

    assert sources - files == compose()["volumes"].keys()
    assert [file for file in files if not (REPOSITORY / file).exists()] == []


def test_every_setting_of_a_service_exists() -> None:
    known = {variable(name) for name in fields()}
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}

    assert {name for name in given if name.startswith("DOVETAIL_")} <= known


def test_the_sandbox_of_compose_starts_with_a_command_that_exists() -> None:
    service = SERVICES["sandbox"]
    words = service["command"]
    context = get_command(dovetail).make_context("dovetail", list(words))
    group = get_command(dovetail).get_command(context, words[0])  # type: ignore[attr-defined]

    given = group.make_context("sandbox", words[1:]).params

    assert given["kafka"] == SERVICES["worker"]["environment"]["DOVETAIL_KAFKA_BOOTSTRAP"]
    assert Path(given["data"]).as_posix() in [m.split(":")[1] for m in service["volumes"]]
    assert f"127.0.0.1:{PAGES_PORT}:{PAGES_PORT}" in service["ports"]


def test_the_worker_of_compose_is_pointed_at_the_sandbox_beside_it() -> None:
    environment = SERVICES["worker"]["environment"]
    defaults = {
        name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in environment.items()
    }
    folder = next(m for m in SERVICES["worker"]["volumes"] if m.startswith("sandbox:"))
    ports = {System(name): f"127.0.0.1:{port}" for name, port in PORTS.items()}
    authority = Choice(data=Path(folder.split(":")[1])).authority_folder
    client = default_definition().clients[0]

    assert (
        defaults.items()
        >= {
            "DOVETAIL_DATAVERSE_URL": f"http://{ports[System.DATAVERSE]}",
            "DOVETAIL_FINANCE_URL": f"http://{ports[System.FINANCE]}",
            "DOVETAIL_ENTRA_AUTHORITY": f"https://localhost:{PORTS[System.ENTRA]}",
            "DOVETAIL_ENTRA_TENANT_ID": TENANT,
            "DOVETAIL_ENTRA_CLIENT_ID": SERVICE.client_id,
            "DOVETAIL_ENTRA_CLIENT_SECRET": SERVICE.secrets[0],
            "DOVETAIL_CA_FILE": f"{authority}/ca.pem",
            "DOVETAIL_CONTENT_SERVER_URL": f"http://{ports[System.CONTENT_SERVER]}/cs/cs/api",
            "DOVETAIL_OTDS_URL": f"http://{ports[System.CONTENT_SERVER]}/otdsws",
            "DOVETAIL_OTDS_CLIENT_ID": client.client_id,
            "DOVETAIL_OTDS_CLIENT_SECRET": client.client_secret,
            "DOVETAIL_SOURCE_TOPICS": CHANGES_TOPIC,
            "DOVETAIL_ECM_EVENT_TOPICS": ECM_TOPIC,
        }.items()
    )
    assert SERVICES["worker"]["network_mode"] == "service:sandbox"


def test_compose_and_the_tests_run_the_same_kafka() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_the_image_is_built_on_pinned_versions_as_somebody_without_rights() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)

    assert bases
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base) for base in bases)
    assert "--require-hashes" in text
    assert re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE) == [("10001", "10001")]


def test_the_image_gets_every_file_that_its_recipe_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (REPOSITORY / "Dockerfile").read_text(), re.M)
    sources = {name for line in copied for name in line.split()}
    let_through = (REPOSITORY / ".dockerignore").read_text().splitlines()

    assert {f"!{name}" for name in sources} == {n for n in let_through if n.startswith("!")}


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.$}/-])/(?:root|home/\w+|Users/\w+|work)/")

    assert lines_with(machine) == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = ("pypi.org", "pythonhosted.org", "repo1.maven.org", "repo.maven.apache.org")
    registry = re.compile("|".join(re.escape(host) for host in (*hosts, "registry.npmjs.org")))

    assert lines_with(registry) == []
