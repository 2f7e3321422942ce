"""Another company: other tables, other columns, two contracts of one record; only YAML differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.rule_files.cases import read_cases
from app.rule_files.loading import load_rules, read_rules
from app.rule_files.trial import tried
from app.settings.fields import RULES_DIRECTORY
from tests.streams.samples import change, event, ref
from tests.streams.world import World

RULES = Path(__file__).parent / "rules"
BOOK = load_rules(RULES)
CASES = read_cases(BOOK, RULES)
CUSTOMER, CHARTER, MANAGER = (
    ref("nw_customer", 1),
    ref("nw_charter", 2),
    ref("systemuser", 9),
)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.case.name)
def test_its_own_cases_pass(one: object) -> None:
    assert tried(one, BOOK) == []  # type: ignore[arg-type]


def test_it_shares_no_table_and_no_rule_with_the_shipped_ones() -> None:
    shipped = read_rules(RULES_DIRECTORY).book
    ours = set(BOOK.catalogue.tables) - {"systemuser"}
    assert ours.isdisjoint(shipped.catalogue.tables)
    assert {rule.name for rule in BOOK.rules}.isdisjoint(rule.name for rule in shipped.rules)


async def test_the_whole_path_makes_its_workspaces_and_writes_its_columns() -> None:
    world = World(BOOK)
    world.dynamics.rows = {
        MANAGER.key: {"domainname": "kim@northwind.example"},
        CUSTOMER.key: {},
        CHARTER.key: {},
    }
    customer = {"nw_legalname": "Blue Water", "nw_customerno": "C7", "nw_manager": MANAGER.key}
    charter = {"nw_title": "MS Aurora", "nw_customer": CUSTOMER.key, "nw_phase": 2}
    world.tell(
        change(CHARTER, 1, **charter, nw_bareboat=True, nw_freight="1250000"),
        change(CUSTOMER, 2, **customer, nw_blocked=False),
    )
    await world.run()
    made = {workspace.name: workspace for workspace in world.ecm.workspaces.values()}
    assert set(made) == {
        "C7 Blue Water",
        "Charter party MS Aurora",
        "Insurance MS Aurora",
        "Clearance MS Aurora",
    }
    row = world.dynamics.rows[CHARTER.key]
    assert row["nw_missingpapers"] == "Class Certificate; Sanctions Screening"
    above = made["C7 Blue Water"]
    assert above.roles == {"Account Manager": ("kim@northwind.example",)}
    for name in ("Charter party MS Aurora", "Insurance MS Aurora"):
        assert made[name].parents == {above.id}
        assert made[name].attributes["Charter"]["Freight"] == "1250000"
    insurance = made["Insurance MS Aurora"]
    world.tell(event("contract.signed", 3, workspace_id=insurance.id))
    await world.run()
    assert world.dynamics.rows[CHARTER.key]["nw_insurancestatus"] == "Covered"
    assert "nw_partystatus" not in world.dynamics.rows[CHARTER.key]
