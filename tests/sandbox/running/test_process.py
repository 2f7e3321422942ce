"""The command as people run it: what it says, what it keeps, and how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.sandbox.running.process import (
    FREE_PORTS,
    SandboxProcess,
    descendants,
    environment,
    sandbox,
    until,
)

SYSTEMS = ["kafka", "entra", "dataverse", "finance", "content-server"]


def write_account(running: SandboxProcess, name: str) -> str:
    """A row over the Web API, as a developer makes one; its id."""
    token = httpx.get(f"{running.pages}/token").text
    answer = httpx.post(
        f"{running.settings['DOVETAIL_DATAVERSE_URL']}/api/data/v9.2/accounts",
        json={"name": name},
        headers={"Authorization": f"Bearer {token}", "Prefer": "return=representation"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["accountid"])


def names_of_accounts(running: SandboxProcess) -> list[str]:
    token = httpx.get(f"{running.pages}/token").text
    answer = httpx.get(
        f"{running.settings['DOVETAIL_DATAVERSE_URL']}/api/data/v9.2/accounts?$select=name",
        headers={"Authorization": f"Bearer {token}"},
    )
    return [row["name"] for row in answer.json()["value"]]


def sign_in_to_content_server(running: SandboxProcess) -> httpx.Client:
    """A client of the REST API with a ticket."""
    url = running.settings["DOVETAIL_CONTENT_SERVER_URL"]
    client = httpx.Client(base_url=url)
    login = {"username": "ann.seller", "password": "contoso-password"}
    client.headers["OTCSTicket"] = client.post("/v1/auth", data=login).json()["ticket"]
    return client


def make_folder(running: SandboxProcess, name: str) -> int:
    with closing(sign_in_to_content_server(running)) as client:
        answer = client.post("/v2/nodes", data={"type": "0", "parent_id": "2000", "name": name})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["results"]["data"]["properties"]["id"])


def folder_name(running: SandboxProcess, node_id: int) -> Any:
    with closing(sign_in_to_content_server(running)) as client:
        return client.get(f"/v2/nodes/{node_id}").json()["results"]["data"]["properties"]["name"]


def until_saved(path: Path, text: bytes) -> None:
    """Wait until a file of state holds this text, which nobody asked it to save."""
    for _ in until():
        if path.exists() and text in path.read_bytes():
            return
    raise AssertionError(f"{path.name} has not been saved")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_and_leaves_no_process_and_no_half_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    with sandbox(tmp_path, "--data", str(data)) as running:
        faults = httpx.get(f"{running.pages}/faults").json()
        assert list(faults) == SYSTEMS
        write_account(running, "Contoso")
        assert running.end(number) == 0
    assert descendants(running.process.pid) == set()
    assert [path.name for path in data.rglob("*.new")] == []
    with sandbox(tmp_path, "--data", str(data)) as running:
        assert names_of_accounts(running) == ["Contoso"]


def test_after_sigkill_it_goes_on_with_all_but_the_last_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with sandbox(tmp_path, "--data", str(data)) as running:
        write_account(running, "Contoso")
        folder = make_folder(running, "Kept")
        ca = Path(running.settings["DOVETAIL_CA_FILE"]).read_bytes()
        until_saved(data / "dataverse.state", b"Contoso")
        until_saved(data / "content-server.state", b"Kept")
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
    with sandbox(tmp_path, "--data", str(data)) as running:
        assert names_of_accounts(running) == ["Contoso"]
        assert folder_name(running, folder) == "Kept"
        assert Path(running.settings["DOVETAIL_CA_FILE"]).read_bytes() == ca
        write_account(running, "Fabrikam")
        assert sorted(names_of_accounts(running)) == ["Contoso", "Fabrikam"]


def test_the_file_of_settings_is_what_a_shell_reads(tmp_path: Path) -> None:
    path = tmp_path / "my worker.env"
    with sandbox(tmp_path, "--env-file", str(path)) as running:
        assert path.stat().st_mode & 0o077 == 0
        script = f"set -a; . {shlex.quote(str(path))}; env"
        printed = subprocess.run(
            ["sh", "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        ).stdout
        read = dict(line.split("=", 1) for line in printed.splitlines())
        assert {k: v for k, v in read.items() if k.startswith("DOVETAIL_")} == running.settings
        checked = subprocess.run(
            [sys.executable, "-m", "app", "check"],
            env=environment(tmp_path, running.settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr


def test_the_settings_are_the_same_at_the_next_start(tmp_path: Path) -> None:
    """Fixed ports stand for themselves; what else could differ is where files are."""
    kept = ("DOVETAIL_CA_FILE", "DOVETAIL_DATA_DIRECTORY", "DOVETAIL_ENTRA_CLIENT_SECRET")
    found = []
    for _ in range(2):
        with sandbox(tmp_path) as running:
            found.append([running.settings[name] for name in kept])
            found[-1].append(Path(running.settings["DOVETAIL_CA_FILE"]).read_text())
    assert found[0] == found[1]


def test_a_worker_of_a_sandbox_in_memory_begins_with_empty_tables(tmp_path: Path) -> None:
    left = tmp_path / "dovetail" / "sandbox" / "worker" / "tables"
    left.mkdir(parents=True)
    with sandbox(tmp_path) as running:
        assert running.settings["DOVETAIL_DATA_DIRECTORY"] == str(left.parent)
        assert not left.exists()


@pytest.mark.parametrize(
    ("words", "systems"),
    [
        (("kafka",), ["kafka"]),
        (("dataverse",), ["entra", "dataverse"]),
        (("content-server",), ["content-server"]),
    ],
    ids=lambda value: "-".join(value),
)
def test_one_system_runs_alone_or_with_what_it_needs(
    tmp_path: Path, words: tuple[str, ...], systems: list[str]
) -> None:
    ports = ("--port", "0", "--pages-port", "0")
    if words == ("dataverse",):
        # Its Entra ID has the usual port, which may be taken on this machine.
        words, ports = ("--only", "dataverse"), FREE_PORTS
    with sandbox(tmp_path, *words, ports=ports) as running:
        assert list(httpx.get(f"{running.pages}/faults").json()) == systems


def test_systems_in_processes_of_their_own_share_one_authority(tmp_path: Path) -> None:
    free = ("--port", "0", "--pages-port", "0")
    with sandbox(tmp_path, "entra", ports=free) as entra:
        address = entra.settings["DOVETAIL_ENTRA_AUTHORITY"]
        ca = entra.settings["DOVETAIL_CA_FILE"]
        with sandbox(tmp_path, "dataverse", "--entra", address, ports=free) as running:
            assert list(httpx.get(f"{running.pages}/faults").json()) == ["dataverse"]
            assert running.settings["DOVETAIL_ENTRA_AUTHORITY"] == address
            assert running.settings["DOVETAIL_CA_FILE"] == ca
            url = running.settings["DOVETAIL_DATAVERSE_URL"]
            form = {
                "grant_type": "client_credentials",
                "client_id": running.settings["DOVETAIL_ENTRA_CLIENT_ID"],
                "client_secret": running.settings["DOVETAIL_ENTRA_CLIENT_SECRET"],
                "scope": f"{url}/.default",
            }
            trust = ssl.create_default_context(cafile=ca)
            answer = httpx.post(f"{address}/sandbox/oauth2/v2.0/token", data=form, verify=trust)
            headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            assert httpx.get(f"{url}/api/data/v9.2/WhoAmI", headers=headers).status_code == 200
            assert httpx.get(f"{running.pages}/token").status_code == 404


def failing(tmp_path: Path, *words: str) -> str:
    """What a sandbox says that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "app", "sandbox", *words],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_port_or_folder_that_is_taken_is_named_with_the_next_step(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with sandbox(tmp_path, "--data", str(data)) as running:
        port = running.settings["DOVETAIL_KAFKA_BOOTSTRAP"].rpartition(":")[2]
        assert f"cannot listen on port {port}" in failing(tmp_path, "kafka", "--port", port)
        assert "in use by another sandbox" in failing(tmp_path, *FREE_PORTS, "--data", str(data))
        pages = running.pages.rpartition(":")[2]
        said = failing(tmp_path, "kafka", "--port", "0", "--pages-port", pages)
        assert f"The pages cannot listen on port {pages}" in said
        # The failures have not harmed the one that runs.
        assert list(httpx.get(f"{running.pages}/faults").json()) == SYSTEMS


def test_an_authority_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    words = ("dataverse", "--port", "0", "--pages-port", "0", "--entra", "https://localhost:1")
    said = failing(tmp_path, *words)
    assert "ca.pem: give the authority of https://localhost:1 with --entra-ca" in said


def test_a_damaged_file_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "dataverse.state").write_bytes(b"no state")
    said = failing(tmp_path, *FREE_PORTS, "--data", str(data))
    assert "dataverse.state is no file of a sandbox: move it away" in said
    assert (data / "dataverse.state").read_bytes() == b"no state"


def test_faults_are_set_listed_and_cleared_by_the_command(tmp_path: Path) -> None:
    def faults(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", "sandbox", "faults", *words, "--pages", running.pages],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )

    with sandbox(tmp_path) as running:
        url = running.settings["DOVETAIL_DATAVERSE_URL"]
        set_one = faults("set", "dataverse", "status", "--status", "503", "--html", "--times", "2")
        assert set_one.returncode == 0, set_one.stderr
        assert "status=503 html=True" in set_one.stdout
        token = httpx.get(f"{running.pages}/token").text
        client = httpx.Client(headers={"Authorization": f"Bearer {token}"})
        answer = client.get(f"{url}/api/data/v9.2/WhoAmI")
        assert (answer.status_code, answer.headers["content-type"][:9]) == (503, "text/html")
        assert faults("set", "content-server", "outage").returncode == 0
        with pytest.raises(httpx.TransportError):
            client.get(running.settings["DOVETAIL_CONTENT_SERVER_URL"])
        assert faults("bad-day", "kafka").returncode == 0
        listed = faults("list", "--json").stdout
        assert '"system": "content-server"' in listed
        assert '"kind": "not_leader"' in listed
        wrong = faults("set", "dataverse", "meteor")
        assert wrong.returncode == 1
        assert "There is no fault 'meteor'" in wrong.stderr
        assert faults("clear", "dataverse").returncode == 0
        assert client.get(f"{url}/api/data/v9.2/WhoAmI").status_code == 200
        assert faults("clear").returncode == 0
        told = httpx.get(f"{running.pages}/faults").json()
        assert [told[name]["waiting"] for name in SYSTEMS] == [[]] * len(SYSTEMS)
    gone = faults("list")
    assert gone.returncode == 1
    assert "no sandbox answers" in gone.stderr
    assert "start `dovetail sandbox`" in gone.stderr
