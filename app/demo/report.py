"""What a person reads at the end of the demo."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from app.demo.acts import ACTS, Act
from app.demo.judge import Judgement, Verdict

_SHOWN_PER_FLOW = 9
_SAMPLE = re.compile(r"(\w+)\{(.*)\}")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Figures:
    """The run in numbers. Seconds throughout."""

    formats: Mapping[str, int]
    echoes: int
    counters: Mapping[str, float]
    dead_letters: Mapping[str, int]
    played_seconds: float
    latencies: Sequence[float]
    worker_starts: int


def show(console: Console, judgement: Judgement, figures: Figures, *, everything: bool) -> None:
    """Print records, counts and differences."""
    for act in ACTS:
        _section(console, act, [v for v in judgement.verdicts if act.shows(v)], everything)
    _counts(console, figures)
    _verdict(console, judgement)


def _section(console: Console, act: Act, verdicts: list[Verdict], everything: bool) -> None:
    """A flow's records: those that differ first, then those with most to tell of each table."""
    interesting = sorted(verdicts, key=lambda verdict: _interest(act, verdict))
    shown = interesting if everything else _some_of_each_table(interesting)
    title = f"{act.flow}: {len(shown)} of {len(verdicts)} records"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("record", "what happened", *act.headings):
        table.add_column(heading, overflow="fold")
    for verdict in shown:
        table.add_row(verdict.expectation.life.title, _story(act, verdict), *act.cells(verdict))
    console.print(table)


def _some_of_each_table(verdicts: list[Verdict]) -> list[Verdict]:
    by_table: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_table.setdefault(verdict.expectation.life.table, []).append(verdict)
    count = max(2, _SHOWN_PER_FLOW // max(1, len(by_table)))
    return [verdict for found in by_table.values() for verdict in found[:count]]


def _interest(act: Act, verdict: Verdict) -> tuple[bool, int]:
    told = sum(bool(cell) for cell in act.cells(verdict)) * 10
    return not verdict.differences, -told - len(verdict.expectation.life.events)


def _story(act: Act, verdict: Verdict) -> str:
    life = verdict.expectation.life
    changes = sum(event.operation == "update" for event in life.events)
    wanted = verdict.expectation.workspaces.get(act.flow)
    words = ["created", f"{changes} changes"]
    if wanted is not None and wanted.state not in ("", "Active"):
        words.append(wanted.state.lower())
    return ", ".join(words)


def _counts(console: Console, figures: Figures) -> None:
    table = Table(title="counts", title_justify="left", title_style="bold", show_header=False)
    received = sum(figures.formats.values())
    sent = ", ".join(f"{count} {name}" for name, count in sorted(figures.formats.items()))
    table.add_row("messages in", f"{received}: {sent}")
    table.add_row("our own writes coming back", str(figures.echoes))
    table.add_row("changes", _count(figures, "dovetail_messages_emitted_total", "decode-changes"))
    table.add_row(
        "left aside, by reason", _by(figures, "dovetail_messages_skipped_total", "reason")
    )
    letters = sum(figures.dead_letters.values())
    by_error = ", ".join(f"{count} {name}" for name, count in sorted(figures.dead_letters.items()))
    table.add_row("dead letters, by reason", f"{letters}: {by_error}")
    table.add_row("writes, by result", _by(figures, "dovetail_writes_total", "result"))
    table.add_row("HTTP calls, by system", _by(figures, "dovetail_http_requests_total", "system"))
    table.add_row("worker starts", str(figures.worker_starts))
    table.add_row("history played and done in", f"{figures.played_seconds:.1f} s")
    if figures.latencies:
        p50, p99 = _percentile(figures, 0.5), _percentile(figures, 0.99)
        words = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms ({len(figures.latencies)} live)"
        table.add_row("change to workspace", words)
    console.print(table)


def _percentile(figures: Figures, share: float) -> float:
    place = min(len(figures.latencies) - 1, int(len(figures.latencies) * share))
    return figures.latencies[place]


def _labelled(figures: Figures, metric: str) -> list[tuple[dict[str, str], float]]:
    found = []
    for sample, value in figures.counters.items():
        parts = _SAMPLE.fullmatch(sample)
        if parts and parts[1] == metric:
            found.append((dict(_LABEL.findall(parts[2])), value))
    return found


def _count(figures: Figures, metric: str, stage: str) -> str:
    values = [v for labels, v in _labelled(figures, metric) if labels.get("stage") == stage]
    return f"{sum(values):.0f}"


def _by(figures: Figures, metric: str, label: str) -> str:
    counts: Counter[str] = Counter()
    for labels, value in _labelled(figures, metric):
        counts[labels.get(label, "")] += int(value)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _verdict(console: Console, judgement: Judgement) -> None:
    for line in judgement.surplus:
        console.print(f"[red]✗[/red] {line}")
    for verdict in judgement.wrong[:20]:
        life = verdict.expectation.life
        console.print(f"[red]✗[/red] {life.title} ({life.key})")
        for difference in verdict.differences:
            console.print(f"    {difference}", markup=False)
    total = len(judgement.verdicts)
    if judgement.agrees:
        console.print(f"[green]✓[/green] the oracle agrees on all {total} records")
    else:
        wrong = len(judgement.wrong)
        console.print(
            f"[red]✗[/red] {wrong} of {total} records ended differently, "
            f"{len(judgement.surplus)} workspaces too many"
        )
