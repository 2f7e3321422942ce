"""``dovetail sandbox faults``: let a running sandbox have bad days, and end them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.failures import Failed
from app.cli.output import say, show_json, show_table
from app.sandbox.choice import PAGES_PORT, System

faults = typer.Typer(no_args_is_help=True)
_SECONDS = 10.0

Pages = Annotated[
    str, typer.Option("--pages", metavar="URL", help="The address of the sandbox's pages.")
]
OneSystem = Annotated[System, typer.Argument(help="The system that it is for.")]
AnySystem = Annotated[System | None, typer.Argument(help="One system; all without it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
_HERE = f"http://127.0.0.1:{PAGES_PORT}"


@faults.callback()
def _group() -> None:
    """Let simulated systems fail on purpose: slow, throttled, broken or away.

    The same switches are on the sandbox's pages, and over HTTP on each system itself.

    \b
    Example:
      dovetail sandbox faults set dataverse outage --lasting 30
    """


@faults.command("list")
def list_faults(as_json: Json = False, pages: Pages = _HERE) -> None:
    """List the faults that wait, and the kinds that each system knows.

    \b
    Example:
      dovetail sandbox faults list
      dovetail sandbox faults list --json
    """
    for name, told in _ask("GET", pages, "/faults").items():
        if as_json:
            show_json({"system": name, **told})
            continue
        _show(name, told)


@faults.command("set")
def set_fault(
    system: OneSystem,
    kind: Annotated[str, typer.Argument(help="What goes wrong; `list` names the kinds.")],
    times: Annotated[int, typer.Option(min=1, help="How many requests it strikes.")] = 1,
    until_cleared: Annotated[
        bool, typer.Option("--until-cleared", help="It strikes all, until it is cleared.")
    ] = False,
    every: Annotated[int | None, typer.Option(min=1, help="Each so many requests.")] = None,
    lasting: Annotated[float | None, typer.Option(help="Over after so many seconds.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Of latency, slow_body, stall, refuse or restart.")
    ] = None,
    status: Annotated[int | None, typer.Option(help="The answer of a status fault.")] = None,
    retry_after: Annotated[int | None, typer.Option(help="Its Retry-After, seconds.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Its body is a gateway's page.")] = False,
    method: Annotated[str | None, typer.Option(help="Only this HTTP method.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths with this pattern.")] = None,
    api: Annotated[str | None, typer.Option(help="Kafka: only requests like produce.")] = None,
    topic: Annotated[str | None, typer.Option(help="Kafka: of this topic.")] = None,
    partition: Annotated[int | None, typer.Option(help="Kafka: of this partition.")] = None,
    group: Annotated[str | None, typer.Option(help="Kafka: the group of expire_member.")] = None,
    member: Annotated[str | None, typer.Option(help="Kafka: its member; all without.")] = None,
    pages: Pages = _HERE,
) -> None:
    """Let something go wrong from now on.

    \b
    Example:
      dovetail sandbox faults set dataverse status --status 429 --retry-after 5 --times 20
      dovetail sandbox faults set content-server outage --lasting 30
      dovetail sandbox faults set kafka stall --api produce --seconds 5
    """
    given: dict[str, Any] = {
        "every": every,
        "lasting": lasting,
        "seconds": seconds,
        "status": status,
        "retry_after": retry_after,
        "html": html or None,
        "method": method,
        "path": path,
        "api": api,
        "topic": topic,
        "partition": partition,
        "group": group,
        "member": member,
    }
    fault = {"kind": kind, **{name: value for name, value in given.items() if value is not None}}
    if until_cleared or times != 1:
        fault["times"] = None if until_cleared else times
    _show(system.value, _ask("POST", pages, f"/{system.value}/faults", fault))


@faults.command("clear")
def clear_faults(
    system: AnySystem = None,
    kind: Annotated[str | None, typer.Option(help="Only faults of this kind.")] = None,
    pages: Pages = _HERE,
) -> None:
    """End the faults of one system or of all.

    \b
    Example:
      dovetail sandbox faults clear
      dovetail sandbox faults clear dataverse --kind outage
    """
    for name in _names(system, pages):
        query = f"?kind={kind}" if kind else ""
        _show(name, _ask("DELETE", pages, f"/{name}/faults{query}"))


@faults.command("bad-day")
def begin_bad_day(system: AnySystem = None, pages: Pages = _HERE) -> None:
    """Set the faults of a bad day: what a worker has to get through unharmed.

    \b
    Example:
      dovetail sandbox faults bad-day
      dovetail sandbox faults bad-day content-server
    """
    for name in _names(system, pages):
        _show(name, _ask("POST", pages, f"/{name}/faults/bad-day"))


def _names(system: System | None, pages: str) -> list[str]:
    return [system.value] if system else list(_ask("GET", pages, "/faults"))


def _ask(method: str, pages: str, path: str, body: Any = None) -> dict[str, Any]:
    """The answer of the pages. Raises Failed with the next step."""
    import httpx

    headers = {"Accept": "application/json"}
    try:
        with httpx.Client(base_url=pages, timeout=_SECONDS, headers=headers) as client:
            answer = client.request(method, path, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        advice = "start `dovetail sandbox`, or name the address that it printed with --pages"
        raise Failed(f"no sandbox answers at {pages} ({error})", advice=advice) from error
    try:
        told: dict[str, Any] = answer.json()
    except ValueError:
        told = {"error": f"no sandbox: HTTP {answer.status_code}"}
    if answer.status_code >= 400 or "error" in told:
        advice = "`dovetail sandbox faults list` shows what runs, and the kinds of faults"
        raise Failed(f"{pages}{path}: {told['error']}", advice=advice)
    return told


def _show(name: str, told: dict[str, Any]) -> None:
    waiting = told["waiting"]
    if not waiting:
        say(f"{name}: no fault waits; kinds: {', '.join(told['kinds'])}")
        return
    rows = [(name, fault["kind"], _times(fault["times"]), _more(fault)) for fault in waiting]
    show_table(("system", "kind", "times", "how"), rows)


def _times(times: int | None) -> str:
    return "until cleared" if times is None else str(times)


def _more(fault: dict[str, Any]) -> str:
    usual = {"kind", "times"} | (set() if fault["kind"] == "status" else {"status"})
    told = [f"{n}={v}" for n, v in fault.items() if n not in usual and v not in (None, False, 0)]
    return " ".join(told)
