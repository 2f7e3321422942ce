"""Finance and operations in ``tables.yaml``: what is read, and what is said of what is wrong."""

from __future__ import annotations

import pytest
from jsonschema_rs import Draft202012Validator
from ruamel.yaml import YAML

from app.rule_files.cases import Names, short_name
from app.rule_files.schema import schemas
from app.rule_files.tables import Tables, read_tables
from app.rule_files.yaml import parse_document
from app.sandbox.events.finance_entities import ENUMS, SETS
from app.settings.fields import RULES_DIRECTORY
from streams.rules import RuleBook

GOOD = """\
version: 1
tables:
  account:
    entity_set: accounts
    primary_id: accountid
    columns: {name: text}
  customer:
    system: finance
    entity_set: CustomersV3
    key: [dataareaid, customeraccount]
    columns: {dataareaid: text, customeraccount: text}
  currency:
    system: finance
    entity_set: Currencies
    key: [currencycode]
    columns: {currencycode: text}
  order:
    system: finance
    entity_set: SalesOrderHeadersV2
    key: [dataareaid, salesordernumber]
    columns:
      dataareaid: text
      salesordernumber: text
      status: {choice: [None, Backorder]}
      approval: {choice: {Draft: 0, Approved: 30}}
      customer: {lookup: customer}
      currencycode: {lookup: currency}
      onhold: boolean
    sources:
      salestable: {salesordernumber: salesid, customer: custaccount}
      mserp_salesorderheaderv2entity: {}
    business_events:
      Confirmed: {salesordernumber: SalesOrderNumber}
"""


def tables(text: str) -> tuple[Tables | None, list[str]]:
    document, faults = parse_document("tables.yaml", text)
    read, found = read_tables(document)
    return read, [str(fault) for fault in (*faults, *found)]


def test_a_good_table_is_read_whole() -> None:
    read, faults = tables(GOOD)
    assert faults == [] and read is not None
    order = read.catalogue.tables["order"]
    assert order.finance is not None
    assert order.finance.key == ("dataareaid", "salesordernumber")
    assert order.finance.names == {"salesid": "salesordernumber", "custaccount": "customer"}
    assert order.columns["status"].symbols == (("None", 0), ("Backorder", 1))
    assert order.columns["approval"].symbols == (("Draft", 0), ("Approved", 30))
    assert (order.columns["customer"].shared, order.columns["currencycode"].shared) == (False, True)
    assert read.catalogue.by_source("SalesTable") is order
    assert read.catalogue.of_event("Confirmed") == (
        (order, {"salesordernumber": "SalesOrderNumber"}),
    )
    assert read.catalogue.tables["account"].finance is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("    primary_id: accountid\n", "", "tables.yaml:3: 'primary_id' is missing"),
        ("key: [currencycode]", "key: [dataareaid]", "'key' is missing"),
        ("key: [currencycode]", "key: []", "'key' is missing"),
        ("key: [currencycode]", "key: [currencycod]", "currency has no column 'currencycod'"),
        (
            "key: [dataareaid, salesordernumber]",
            "key: [salesordernumber, dataareaid]",
            "dataareaid comes first in a key",
        ),
        ("key: [dataareaid, salesordernumber]", "key: [onhold]", "a boolean cannot be part"),
        ("    key: [currencycode]", "    key: [currencycode]\n    primary_id: x", "by their key"),
        ("columns: {name: text}", "columns: {name: text}\n    key: [name]", "is for tables of fin"),
        ("salesordernumber: salesid", "salesordernumbr: salesid", "no column 'salesordernumbr'"),
        ("customer: custaccount", "customer: salesid", "'salesid' is the name of another column"),
        ("customer: custaccount", "customer: onhold", "'onhold' is the name of another column"),
        ("{salesordernumber: SalesOrderNumber}", "{}", "which of its fields is 'salesordernumber'"),
        ("{salesordernumber: SalesOrderNumber}", "{onhold: A}", "'onhold' is no column of the key"),
        ("{lookup: customer}", "{lookup: account}", "does not name a row of account"),
        ("{lookup: customer}", "{lookup: [customer, currency]}", "names one table"),
        ("mserp_salesorderheaderv2entity: {}", "customer: {}", "'customer' is taken by another"),
        ("{choice: [None, Backorder]}", "{choice: []}", "an enum needs its symbols"),
        ("{choice: [None, Backorder]}", "{choice: [No, no]}", "an enum needs its symbols"),
        ("{choice: [None, Backorder]}", "{choice: {A: x}}", "no symbol of an enum"),
        ("system: finance\n    entity_set: Cur", "system: e\n    entity_set: Cur", "'dataverse'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, fault: str) -> None:
    assert GOOD.count(old) == 1
    _, faults = tables(GOOD.replace(old, new))
    assert any(fault in one for one in faults), faults
    assert all(one.startswith("tables.yaml:") for one in faults)


def test_what_the_reader_refuses_of_a_system_an_editor_marks() -> None:
    validator = Draft202012Validator(schemas()["tables.schema.json"])
    data = YAML(typ="safe").load(GOOD)
    assert list(validator.iter_errors(data)) == []
    for table, key in (("account", "primary_id"), ("order", "key")):
        broken = YAML(typ="safe").load(GOOD)
        del broken["tables"][table][key]
        assert list(validator.iter_errors(broken))


def test_cases_name_rows_by_a_number_or_by_company_and_key() -> None:
    read, _ = tables(GOOD)
    assert read is not None
    names = Names(RuleBook(catalogue=read.catalogue))
    assert names.record("order/1").key == "order:usmf~1"
    assert names.record("currency/1").key == "currency:~1"
    assert names.record("order/demf~so-1").key == "order:demf~so-1"
    for text in ("order/1", "currency/1", "order/demf~so-1", "account/1"):
        assert short_name(names.record(text)) == text


def test_the_shipped_tables_are_what_finance_and_operations_has() -> None:
    """Names and enums of the shipped file, against the simulated entities'."""
    document, _ = parse_document("tables.yaml", (RULES_DIRECTORY / "tables.yaml").read_text())
    read, faults = read_tables(document)
    assert faults == [] and read is not None
    finance = [table for table in read.catalogue.tables.values() if table.finance]
    assert len(finance) >= 6
    for table in finance:
        entity = SETS[table.entity_set]
        fields = {name.lower(): field for name, field in entity.fields.items()}
        assert table.columns.keys() <= fields.keys(), table.name
        assert table.finance is not None
        assert {entity.table, entity.virtual} == table.finance.sources
        for name, column in table.columns.items():
            if column.symbols:
                assert dict(column.symbols) == ENUMS[fields[name].enum]
            if fields[name].native:
                assert table.finance.names[fields[name].native] == name
