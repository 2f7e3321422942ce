"""Whether an environment of finance and operations is needed, and which columns may be written."""

from __future__ import annotations

import pytest

from app.connections import require_finance
from app.rule_files.loading import load_rules
from app.settings import Settings
from app.settings.fields import RULES_DIRECTORY
from streams.errors import Misconfigured
from streams.rules import RecordWorkspaceRule, RuleBook

CATALOGUE = load_rules(RULES_DIRECTORY).catalogue


def rule(table: str, name: str) -> RecordWorkspaceRule:
    workspace = {
        "external_system": "ERP",
        "business_object_type": table,
        "type": "Order",
        "name": "x",
    }
    columns = {"workspace_url": "organizationname"}
    return RecordWorkspaceRule.model_validate(
        {"name": name, "table": table, "workspace": workspace, "write_back": columns}
    )


def test_an_environment_is_needed_by_a_rule_and_not_by_a_declared_table() -> None:
    require_finance(Settings(), RuleBook(catalogue=CATALOGUE, rules=(rule("account", "a"),)))
    book = RuleBook(catalogue=CATALOGUE, rules=(rule("finance_customer", "customers"),))
    with pytest.raises(Misconfigured, match="DOVETAIL_FINANCE_URL") as wrong:
        require_finance(Settings(), book)
    assert "customers (finance_customer)" in str(wrong.value)
    require_finance(Settings(finance_url="https://erp.operations.dynamics.com"), book)


def test_only_columns_that_a_rule_names_may_be_written_in_the_erp() -> None:
    book = RuleBook(catalogue=CATALOGUE, rules=(rule("finance_customer", "customers"),))
    erp = book.erp()
    assert erp["finance_customer"] == {"organizationname"}
    assert erp["finance_vendor"] == frozenset()
    assert "account" not in erp
