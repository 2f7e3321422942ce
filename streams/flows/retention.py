"""How long a workspace is kept: its classification, and the day from which it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.catalogue import ColumnValue
from streams.flows.moments import day_of
from streams.flows.past import newest_run
from streams.flows.plan import Plan
from streams.flows.shape import View
from streams.messages.commands import SetRetention
from streams.rules import RetentionPart
from tables.workspace_links import Link


def want_kept(plan: Plan, retention: RetentionPart, link: Link, starts_on: str | None) -> None:
    """Want the classification, and the ISO date from which it counts; None while that is open."""
    plan.want(
        "retention",
        [retention.classification, starts_on],
        lambda **common: SetRetention(
            workspace_id=link.workspace_id,
            classification=retention.classification,
            starts_on=starts_on,
            **common,
        ),
        in_parts=True,
    )


def first_day(
    view: View,
    retention: RetentionPart,
    ended: Callable[[Mapping[str, ColumnValue]], bool],
) -> str:
    """The day in the rule's column, else the one since which the record has ended."""
    told = view.row.value(retention.starts_on) if retention.starts_on else None
    if isinstance(told, str) and told:
        return told[:10]
    return day_of(newest_run(view, ended).since.at_ms)
