"""The rules for finance and operations, which a company adds to its own."""

from __future__ import annotations

import pytest

from app.rule_files.cases import read_cases
from app.rule_files.loading import RuleFiles, read_rules
from app.rule_files.trial import tried
from app.sandbox.content_server.default_definition import default_definition
from app.settings.fields import FINANCE_RULES_DIRECTORY, RULES_DIRECTORY


@pytest.fixture(scope="module")
def files() -> RuleFiles:
    """The shipped rules and those for finance and operations."""
    return read_rules(RULES_DIRECTORY, FINANCE_RULES_DIRECTORY)


def test_they_stand_beside_the_shipped_ones(files: RuleFiles) -> None:
    names = {rule.name for rule in files.book.rules}
    assert names >= {rule.name for rule in read_rules(RULES_DIRECTORY).book.rules}
    assert {name for name in names if name.startswith("finance-")} >= {
        "finance-customer",
        "finance-vendor",
        "finance-sales-order",
        "finance-purchase-order",
        "finance-invoice",
        "finance-credit-memo",
        "finance-vendor-invoice",
    }


def test_their_cases_pass(files: RuleFiles) -> None:
    cases = read_cases(files.book, FINANCE_RULES_DIRECTORY)
    assert len(cases) >= 3
    assert {one.case.name: tried(one, files.book) for one in cases} == {
        one.case.name: [] for one in cases
    }


def test_of_the_erps_own_columns_only_the_hold_of_vendors_is_written(files: RuleFiles) -> None:
    written = {(table, one) for table, columns in files.book.erp().items() for one in columns}
    assert {pair for pair in written if not pair[1].startswith("xecm")} == {
        ("finance_vendor", "onholdstatus")
    }


def test_extended_ecm_has_their_workspace_types_and_business_objects(files: RuleFiles) -> None:
    known = {
        (found.name, found.workspace_type) for found in default_definition().business_object_types
    }
    ours = {
        (rule.workspace.business_object_type, rule.workspace.type)
        for rule in files.book.rules
        if rule.name.startswith("finance-") and hasattr(rule, "workspace")
    }
    assert ours <= known
