"""What the pages of all systems share: where they are, and the form and list of faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.sandbox.choice import TITLES, System
from app.sandbox.pages.html import Child, Html, element
from app.sandbox.pages.layout import Link, link, page, plural, section, table
from app.sandbox.switches import Told

WEB_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("times", "Strikes (empty: until cleared)", "1"),
    ("every", "Each so many requests", "1"),
    ("lasting", "Over after seconds", ""),
    ("seconds", "Seconds (latency, slow body)", ""),
    ("status", "HTTP status (status)", ""),
    ("retry_after", "Retry-After seconds (status)", ""),
    ("method", "Only method", ""),
    ("path", "Only path (regular expression)", ""),
)
BROKER_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("times", "Strikes (empty: until cleared)", "1"),
    ("seconds", "Seconds (latency, stall, restart)", ""),
    ("api", "Only requests (produce, fetch ...)", ""),
    ("topic", "Topic (not_leader, move_leader)", ""),
    ("partition", "Partition", ""),
    ("group", "Group (expire_member)", ""),
    ("member", "Member (empty: all)", ""),
)


def address(system: System) -> str:
    """The page of a system."""
    return f"/{system.value}"


def framed(title: str, body: Child, systems: Iterable[System], here: str) -> str:
    """A page with the links to the others."""
    links: list[Link] = [("/", "Sandbox")]
    links += [(address(system), TITLES[system]) for system in systems]
    return page(title, body, links=links, here=here)


def fault_note(told: Told) -> Html:
    """Whether faults wait, above all else on the page of a system."""
    waiting = len(told["waiting"])
    text = plural(waiting, "fault") + " waiting" if waiting else "No fault waits."
    says = element("span", text, class_="warn" if waiting else "note")
    return element("p", says, " ", link("#faults", "See and set faults"))


def fault_section(system: System, told: Told) -> Html:
    """The faults that wait, with a button to clear each kind, and forms to set more."""
    waiting: list[Mapping[str, Any]] = told["waiting"]
    struck = ", ".join(f"{kind} {count}" for kind, count in sorted(told["struck"].items()))
    rows = [(fault["kind"], _words(fault), _clear(system, fault["kind"])) for fault in waiting]
    return section(
        "Faults",
        table(
            f"{plural(len(waiting), 'fault')} waiting",
            ("Kind", "When and how", ""),
            rows,
            empty="None: everything works.",
        ),
        element(
            "p", f"Struck so far: {struck}." if struck else "None has struck yet.", class_="note"
        ),
        element(
            "div",
            _button(system, "bad-day", "Begin a bad day"),
            _button(system, "clear", "Clear all") if waiting else None,
            class_="row",
        ),
        _form(system, told["kinds"]),
        id_="faults",
    )


def _words(fault: Mapping[str, Any]) -> str:
    """``3 times; status 429; path /accounts``: what is not as usual."""
    times = fault["times"]
    words = ["until cleared" if times is None else plural(times, "more time")]
    if fault.get("every", 1) != 1:
        words.append(f"each {fault['every']}th request")
    if fault["kind"] == "status":
        words.append(f"status {fault['status']}")
    usual = ("kind", "times", "every", "status")
    words += [f"{name} {value}" for name, value in fault.items() if name not in usual and value]
    return "; ".join(words)


def _clear(system: System, kind: str) -> Html:
    return _button(system, "clear", "Clear", kind=kind)


def _button(system: System, action: str, text: str, **fields: str) -> Html:
    hidden = [element("input", type="hidden", name=name, value=v) for name, v in fields.items()]
    label = f"{text} {fields['kind']}" if "kind" in fields else None
    button = element("button", text, type="submit", aria_label=label)
    href = f"{address(system)}/faults/{action}"
    return element("form", hidden, button, method="post", action=href, class_="inline")


def _form(system: System, kinds: Iterable[str]) -> Html:
    fields = BROKER_FIELDS if system is System.KAFKA else WEB_FIELDS
    options = [element("option", kind, value=kind) for kind in kinds]
    controls = [element("label", "Kind", element("select", options, name="kind"))]
    controls += [
        element("label", text, element("input", name=name, value=value))
        for name, text, value in fields
    ]
    if system is not System.KAFKA:
        box = element("input", type="checkbox", name="html", value="true")
        controls.append(element("label", box, " a gateway's HTML page (status)"))
    button = element("button", "Set", type="submit", class_="main")
    return element(
        "form",
        element("fieldset", element("legend", "Set a fault"), controls, button),
        method="post",
        action=f"{address(system)}/faults/set",
    )
