"""The settings of a worker that works with a sandbox, as variables and as a file of them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from app.sandbox import company
from app.sandbox.assembly import Sandbox
from app.sandbox.choice import CHANGES_TOPIC, ECM_TOPIC
from app.sandbox.entra.defaults import TENANT


def worker_environment(sandbox: Sandbox) -> dict[str, str]:
    """``DOVETAIL_*`` for everything that runs, in the order in which people read them."""
    settings = {**_kafka(sandbox), **_dynamics(sandbox), **_content_server(sandbox)}
    return {f"DOVETAIL_{name}": value for name, value in settings.items()}


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file for ``set -a; . PATH; set +a``, readable by this user only, at once or not."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    fresh.replace(path)


def _kafka(sandbox: Sandbox) -> dict[str, str]:
    if sandbox.bootstrap is None:
        return {}
    settings = {
        "KAFKA_BOOTSTRAP": sandbox.bootstrap,
        "SOURCE_TOPICS": CHANGES_TOPIC,
        "ECM_EVENT_TOPICS": ECM_TOPIC,
    }
    if sandbox.broker is not None:
        settings["REPLICATION_FACTOR"] = "1"
        settings["DATA_DIRECTORY"] = str(sandbox.choice.tables_folder.resolve())
    return settings


def _dynamics(sandbox: Sandbox) -> dict[str, str]:
    settings = {}
    if sandbox.dataverse is not None:
        settings["DATAVERSE_URL"] = sandbox.dataverse.url
    if sandbox.finance is not None:
        settings["FINANCE_URL"] = sandbox.finance.url
    authority = sandbox.entra.url if sandbox.entra else sandbox.choice.entra
    if authority is not None:
        settings |= {
            "ENTRA_AUTHORITY": authority,
            "ENTRA_TENANT_ID": TENANT,
            "ENTRA_CLIENT_ID": company.SERVICE.client_id,
            "ENTRA_CLIENT_SECRET": company.SERVICE.secrets[0],
            "CA_FILE": str(sandbox.choice.authority_file.resolve()),
        }
    return settings


def _content_server(sandbox: Sandbox) -> dict[str, str]:
    if (server := sandbox.content_server) is None:
        return {}
    return {
        "CONTENT_SERVER_URL": server.url,
        "OTDS_URL": server.otds_url,
        "OTDS_CLIENT_ID": server.client.client_id,
        "OTDS_CLIENT_SECRET": server.client.client_secret,
    }
