"""``dovetail sandbox``: simulated systems to develop against, all or some, and their faults."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.failures import Failed
from app.cli.sandbox_faults import faults
from app.sandbox.choice import PAGES_PORT, PORTS, Choice, System

sandbox = typer.Typer(invoke_without_command=True)
sandbox.add_typer(faults, name="faults")

_ADVICE = "put right what it says and start it again; `dovetail sandbox --help` has the options"
_NUMBER = typer.Option(min=0, max=65_535, metavar="PORT", show_default=True)
Fixed = Annotated[int, _NUMBER]
Data = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Keep everything there; else in memory.")
]
EnvFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Write the settings of a worker to this file."),
]
Kafka = Annotated[
    str | None,
    typer.Option("--kafka", metavar="HOST:PORT", help="A broker that runs, instead of our own."),
]
Entra = Annotated[
    str | None,
    typer.Option(
        "--entra", metavar="URL", help="A simulated Entra ID that runs, https://localhost:8443."
    ),
]
EntraCa = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Its authority, unless it is this user's sandbox."),
]
PagesPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        metavar="PORT",
        help=f"Port of the pages; without it {PAGES_PORT}, or a free one where that is taken.",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0, max=65_535, metavar="PORT", help="Instead of the usual one; 0 for a free one."
    ),
]
Seed = Annotated[int, typer.Option(help="Decides ids, for a new sandbox.")]
Users = Annotated[int, typer.Option(min=1, help="How many people, for a new sandbox.")]
Only = Annotated[
    list[System] | None,
    typer.Option("--only", help="Start this system and what it needs; repeat for several."),
]


@sandbox.callback()
def run_all(
    context: typer.Context,
    only: Only = None,
    data: Data = None,
    env_file: EnvFile = None,
    kafka: Kafka = None,
    entra: Entra = None,
    entra_ca: EntraCa = None,
    kafka_port: Fixed = PORTS[System.KAFKA],
    entra_port: Fixed = PORTS[System.ENTRA],
    dataverse_port: Fixed = PORTS[System.DATAVERSE],
    finance_port: Fixed = PORTS[System.FINANCE],
    content_server_port: Fixed = PORTS[System.CONTENT_SERVER],
    pages_port: PagesPort = None,
    pages_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where the pages listen, for containers.")
    ] = "127.0.0.1",
    seed: Seed = 0,
    users: Users = 8,
) -> None:
    """Start simulated systems to develop against, and run until Ctrl-C.

    An embedded Kafka broker, Entra ID, Dataverse, finance and operations, and Content Server with
    its directory service, on the same ports at every start. Pages show what they hold; a row that
    is written becomes a change event on Kafka. With --data everything is kept: should the process
    be killed, the broker up to its last record, the simulated systems up to their last second.

    \b
    Example:
      dovetail sandbox --data ./sandbox --env-file sandbox.env
      dovetail sandbox --only dataverse --only kafka
    """
    if context.invoked_subcommand is not None:
        return
    ports = {
        System.KAFKA: kafka_port,
        System.ENTRA: entra_port,
        System.DATAVERSE: dataverse_port,
        System.FINANCE: finance_port,
        System.CONTENT_SERVER: content_server_port,
    }
    systems = frozenset(only) if only else frozenset(System)
    choice = Choice(systems, ports, data, kafka, seed, users, entra, entra_ca)
    _run(choice, pages_port=pages_port, env_file=env_file, pages_host=pages_host)


@dataclass(frozen=True)
class _Alone:
    """The command that starts one system: what it says, and the options that it takes."""

    says: str
    examples: tuple[str, ...]
    options: tuple[str, ...] = ()


#: Every one of them takes these.
_OF_ALL = {"port": Port, "data": Data, "env_file": EnvFile, "pages_port": PagesPort}
#: What a system may take besides; each is a field of `Choice`.
_OF_SOME = {"kafka": Kafka, "entra": Entra, "entra_ca": EntraCa, "seed": Seed, "users": Users}
_ALONE = {
    System.KAFKA: _Alone(
        "Start the embedded Kafka broker alone.",
        ("kafka --port 9192 --data ./kafka",),
    ),
    System.ENTRA: _Alone("Start the simulated Entra ID alone.", ("entra --port 8444",)),
    System.DATAVERSE: _Alone(
        "Start the simulated Dataverse, with the Entra ID that it needs.",
        (
            "dataverse --port 8181 --kafka localhost:9092",
            "dataverse --entra https://localhost:8443",
        ),
        ("kafka", "entra", "entra_ca", "users"),
    ),
    System.FINANCE: _Alone(
        "Start simulated finance and operations, with the Entra ID that they need.",
        ("finance --kafka localhost:9092",),
        ("kafka", "entra", "entra_ca"),
    ),
    System.CONTENT_SERVER: _Alone(
        "Start the simulated Content Server alone, with its directory service.",
        ("content-server --data ./content-server",),
        ("kafka", "seed", "users"),
    ),
}


def _command(system: System, alone: _Alone) -> Callable[..., None]:
    """The command of a system: its options are the signature, which Typer reads."""

    def run(port: int | None, env_file: Path | None, pages_port: int | None, **chosen: Any) -> None:
        ports = {} if port is None else {system: port}
        choice = replace(Choice(**chosen), systems=frozenset({system}), ports=ports)
        _run(choice, pages_port=pages_port, env_file=env_file)

    kinds = _OF_ALL | {name: _OF_SOME[name] for name in alone.options}
    defaults = {field.name: field.default for field in fields(Choice)}
    described: Any = run
    described.__annotations__ = dict(kinds)
    described.__signature__ = Signature(
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
            for name, kind in kinds.items()
        ]
    )
    examples = "".join(f"\n  dovetail sandbox {example}" for example in alone.examples)
    run.__doc__ = f"{alone.says}\n\n\b\nExample:{examples}\n"
    return run


for _system, _alone in _ALONE.items():
    sandbox.command(_system.value)(_command(_system, _alone))


def _run(
    choice: Choice,
    *,
    pages_port: int | None,
    env_file: Path | None,
    pages_host: str = "127.0.0.1",
) -> None:
    # The simulated systems are large: help must not wait for them.
    from app.sandbox.assembly import CannotStart
    from app.sandbox.kafka.state import DataFolderInUse
    from app.sandbox.keeping import FolderInUse, Unusable
    from app.sandbox.running import run

    try:
        running = run(choice, pages=(pages_host, pages_port), env_file=env_file, tell=_tell)
        asyncio.run(running)
    except (CannotStart, DataFolderInUse, FolderInUse, Unusable, OSError) as error:
        raise Failed(f"the sandbox ended: {_words(error)}", advice=_ADVICE) from error


def _words(error: Exception) -> str:
    """What is wrong, without the number that the system has for it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _tell(text: str) -> None:
    # What it says are its own made-up logins, which a person needs to see.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
