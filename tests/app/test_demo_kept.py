"""What the demo tells who keeps it: settings that a shell reads, and commands that exist."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typer.main import get_command

from app.cli.main import app as dovetail
from app.demo.acts import written
from app.demo.kept import guide
from app.demo.pen import Pen
from app.demo.stage import stage
from app.demo.truth import Person
from app.rule_files.loading import load_rules
from app.sandbox.entra import EntraClient
from app.settings.fields import FINANCE_RULES_DIRECTORY, RULES_DIRECTORY
from tables.keys import RecordRef

BOOK = load_rules(RULES_DIRECTORY, FINANCE_RULES_DIRECTORY)


async def test_it_names_what_runs_and_how_to_ask_for_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        people = tuple(
            Person(EntraClient(user.login).principal_id, user.login, user.business_email)
            for user in here.content_server.definition.users
        )
        lines = [*guide(here, written(Pen(BOOK.catalogue, people, 7, 1_700_000_000_000)))]
        for address in here.addresses().values():
            assert any(line.endswith(f"  {address}") for line in lines)
    (sourced,) = (line for line in lines if "set -a" in line)
    asked = f"{sourced}; printenv DOVETAIL_KAFKA_BOOTSTRAP DOVETAIL_ENTRA_CLIENT_SECRET"
    shell = await asyncio.create_subprocess_exec("sh", "-c", asked, stdout=asyncio.subprocess.PIPE)
    said, _ = await shell.communicate()
    kept = here.worker.environment
    assert said.decode().split() == [
        kept["DOVETAIL_KAFKA_BOOTSTRAP"],
        kept["DOVETAIL_ENTRA_CLIENT_SECRET"],
    ]
    commands = [line.split()[1:] for line in lines if line.strip().startswith("dovetail ")]
    known = get_command(dovetail).commands  # type: ignore[attr-defined]
    assert [words[0] for words in commands] == ["trace", "rules", "dlq", "topics"]
    assert all(words[0] in known for words in commands)
    assert RecordRef.parse(commands[0][1]).table == "opportunity"
