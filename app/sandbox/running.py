"""``dovetail sandbox`` as a process: start, tell where everything is, run until told to stop."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from app.sandbox import company
from app.sandbox.assembly import CannotStart, Sandbox
from app.sandbox.choice import CHANGES_TOPIC, ECM_TOPIC, PAGES_PORT, TITLES, Choice, System
from app.sandbox.content_server.default_definition import USER_PASSWORD
from app.sandbox.environment import worker_environment, write_environment
from app.sandbox.pages import pages_app
from app.sandbox.processes import told_to_stop
from app.serving import ServedApp

Tell = Callable[[str], None]
_WIDTH = 25


async def run(
    choice: Choice, *, pages: tuple[str, int | None], env_file: Path | None, tell: Tell
) -> None:
    """Run until SIGINT or SIGTERM, with the pages on this host and port (None: the usual one).

    Raises what `Sandbox` raises, and OSError for ``env_file``.
    """
    stop = told_to_stop()
    async with Sandbox(choice) as sandbox, _pages(sandbox, *pages) as served:
        variables = worker_environment(sandbox)
        if env_file is not None:
            write_environment(env_file, variables)
        tell("\n".join(_told(sandbox, served.url, variables, env_file)))
        await stop.wait()
    failure = sandbox.keeper.failure if sandbox.keeper else None
    tell("stopped: nothing is left running" + (f"; {failure}" if failure else ""))


@asynccontextmanager
async def _pages(sandbox: Sandbox, host: str, port: int | None) -> AsyncIterator[ServedApp]:
    """The pages; without a port on the usual one, or on a free one where that is taken."""
    app = pages_app(sandbox)
    served = ServedApp(app, host=host, port=PAGES_PORT if port is None else port)
    try:
        await served.start()
    except OSError as error:
        if port is not None:
            raise CannotStart(
                f"The pages cannot listen on port {port} ({error.strerror or error}): "
                "choose another with --pages-port, or 0 for a free one."
            ) from error
        served = ServedApp(app, host=host)
        await served.start()
    try:
        yield served
    finally:
        await served.close()


def _told(
    sandbox: Sandbox, pages: str, variables: Mapping[str, str], env_file: Path | None
) -> list[str]:
    data = sandbox.choice.data
    kept = "in memory" if data is None else f"in {data}"
    lines = [f"Sandbox: simulated systems on this machine, kept {kept}", ""]
    lines += [f"  {TITLES[system]:{_WIDTH}}{_where(sandbox, system)}" for system in sandbox.running]
    lines += [f"  {'Pages and faults':{_WIDTH}}{pages}", "", *_sign_in(sandbox), ""]
    if env_file is not None:
        lines.append(
            f"A worker for it: set -a; . {shlex.quote(_dotted(env_file))}; set +a; dovetail worker"
        )
    else:
        lines.append("A worker for it needs (--env-file PATH writes this to a file):")
    lines += [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, "", "Ctrl-C ends all of it."]


def _dotted(path: Path) -> str:
    """A path as ``.`` needs it: without a slash it would be looked for elsewhere."""
    return str(path) if path.is_absolute() else f"./{path}"


def _where(sandbox: Sandbox, system: System) -> str:
    if system is System.KAFKA and sandbox.broker is not None:
        return f"{sandbox.broker.bootstrap}  topics {CHANGES_TOPIC}, {ECM_TOPIC}"
    if system is System.ENTRA and sandbox.entra is not None:
        return f"{sandbox.entra.authority}  trust {sandbox.entra.ca_path}"
    if system is System.DATAVERSE and sandbox.dataverse is not None:
        return sandbox.dataverse.api_url
    if system is System.FINANCE and sandbox.finance is not None:
        return sandbox.finance.data_url
    assert sandbox.content_server is not None
    server = sandbox.content_server
    return f"{server.url}  OTDS {server.otds_url}"


def _sign_in(sandbox: Sandbox) -> list[str]:
    lines = []
    if sandbox.entra is not None:
        for name, client in (("worker", company.SERVICE), ("you", company.DEVELOPER)):
            lines.append(f"  {name:{_WIDTH}}client {client.client_id}  secret {client.secrets[0]}")
    if (server := sandbox.content_server) is not None:
        service = server.client
        lines.append(
            f"  {'worker, OTDS':{_WIDTH}}client {service.client_id}  secret {service.client_secret}"
        )
        people = [user.login for user in server.definition.users if user.login != service.login]
        shown = ", ".join(people[:3]) + (" ..." if len(people) > 3 else "")
        lines.append(f"  {'people':{_WIDTH}}{shown}  password {USER_PASSWORD}")
    return ["Sign in as", *lines] if lines else []
