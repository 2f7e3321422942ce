"""Flow 4 on its own: each row of its state tables, relations, documents and retention."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.catalogue import ColumnValue
from streams.flows import erp_documents
from streams.flows.shape import Decision, View
from streams.messages.commands import SetRetention
from streams.rules import Expression, RetentionPart, TransactionRule
from tables.documents import DocumentRef
from tables.evidence import EvidenceRow, Item, ItemEvent
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow
from tables.pasts import PastRow
from tables.records import Stamp
from tests.streams.flows.views import (
    CAUSE,
    also,
    asked,
    only,
    settled,
    state,
    told,
    view,
    why,
)
from tests.streams.samples import START_MS, ref
from tests.streams.transaction_rules import INVOICE_RULE, MEMO_RULE, ORDER_RULE

INVOICE, ORDER, ACCOUNT = ref("invoice", 1), ref("salesorder", 2), ref("account", 3)
MEMO = ref("new_creditmemo", 4)
HERE = 70
KNOWN: dict[str, ColumnValue] = {
    "invoicenumber": "INV-1",
    "statecode": 0,
    "customerid": None,
    "salesorderid": None,
}
ENSURE, UPDATE = "ensure_workspace workspace", "update_workspace properties"
SHOW, KEPT = "set_record_columns columns", "set_retention retention"


def decided(seen: View, rule: TransactionRule = INVOICE_RULE) -> Decision:
    return erp_documents.decide(CAUSE, seen, rule)


def invoice(
    *,
    deleted: bool = False,
    linked: bool = True,
    items: tuple[Item, ...] = (),
    **columns: ColumnValue,
) -> View:
    links = {INVOICE_RULE.name: HERE} if linked else {}
    seen = view(INVOICE, KNOWN | columns, deleted=deleted, links=links)
    return replace(seen, evidence=evidence(*items), past=past({0: KNOWN | columns}))


def past(states: dict[int, dict[str, ColumnValue]]) -> PastRow:
    """What the watched columns were, by second."""
    row = PastRow()
    watched = INVOICE_RULE.watched()
    for second, columns in states.items():
        told_columns = {name: columns[name] for name in watched if name in columns}
        row = row.seen(Stamp(START_MS + second * 1000, second), told_columns)
    return row


def item(number: int, *kinds: str, at: int = 0, **attributes: ColumnValue) -> Item:
    """A document to which these things happened, a second after each other."""
    return Item(
        events={
            kind: ItemEvent(
                at_ms=START_MS + (at + second) * 1000,
                event_id=f"{number}-{kind}",
                document=DocumentRef(
                    id=number, version=second + 1, name=f"{number}.{kind}", url=f"u{number}"
                ),
                attributes=attributes,
            )
            for second, kind in enumerate(kinds)
        }
    )


def evidence(*items: Item, rule: str = INVOICE_RULE.name) -> EvidenceRow:
    row = EvidenceRow()
    for one in items:
        assert one.document is not None
        row = row.told(rule, one.document.id, one)
    return row


def shown(seen: View, rule: TransactionRule = INVOICE_RULE) -> dict[str, ColumnValue]:
    return dict(only(decided(seen, rule), "columns").columns)


def starts_on(seen: View) -> str | None:
    command: SetRetention = only(decided(seen), "retention")
    assert command.classification == "Finance/Transactions"
    return command.starts_on


class TestStateTable:
    """One case per row of the first table in the flow's docstring."""

    @pytest.mark.parametrize(
        ("columns", "deleted", "commands", "reasons"),
        [
            pytest.param({"statecode": 9}, False, [], ["condition_false"], id="when not true"),
            pytest.param({}, False, [ENSURE], ["waiting_for_workspace"], id="when true"),
            pytest.param({}, True, [], ["record_deleted"], id="deleted before it had one"),
        ],
    )
    def test_without_a_workspace(
        self,
        columns: dict[str, ColumnValue],
        deleted: bool,
        commands: list[str],
        reasons: list[str],
    ) -> None:
        decision = decided(invoice(linked=False, deleted=deleted, **columns))
        assert (asked(decision), why(decision)) == (commands, reasons)

    @pytest.mark.parametrize(
        ("columns", "deleted", "word", "commands"),
        [
            pytest.param({}, False, "Active", [UPDATE, SHOW, KEPT], id="alive"),
            pytest.param({"statecode": 9}, False, "Active", [UPDATE, SHOW, KEPT], id="not due"),
            pytest.param({"statecode": 1}, False, "Closed", [UPDATE, SHOW, KEPT], id="closed"),
            pytest.param({"statecode": 2}, False, "Paid", [UPDATE, SHOW, KEPT], id="paid"),
            pytest.param({"statecode": 3}, False, "Cancelled", [UPDATE, SHOW, KEPT], id="cancel"),
            pytest.param({"statecode": 3}, True, "Deleted", [UPDATE], id="deleted"),
        ],
    )
    def test_with_a_workspace(
        self, columns: dict[str, ColumnValue], deleted: bool, word: str, commands: list[str]
    ) -> None:
        decision = decided(invoice(deleted=deleted, **columns))
        assert (state(decision), asked(decision)) == (word, commands)

    def test_reopened_it_is_active_again(self) -> None:
        at_rest = settled(decided, invoice(statecode=1))
        again = also(at_rest, 9, statecode=0)
        assert state(decided(again)) == "Active"
        assert starts_on(again) is None

    def test_attributes_follow_the_number(self) -> None:
        at_rest = settled(decided, invoice())
        decision = decided(also(at_rest, 9, invoicenumber="INV-2"))
        assert asked(decision) == [UPDATE]
        assert only(decision, "properties").attributes["Transaction"] == {"Number": "INV-2"}

    @pytest.mark.parametrize("linked", [False, True])
    def test_what_an_attribute_shows_and_was_never_heard_of_is_read(self, linked: bool) -> None:
        written = INVOICE_RULE.model_dump()
        written["workspace"]["attributes"] = {"Transaction": {"Amount": "record.totalamount"}}
        rule = TransactionRule.model_validate(written)
        decision = decided(invoice(linked=linked), rule)
        assert asked(decision)[0] == "read_record read"
        assert UPDATE not in asked(decision), "nothing is emptied on the way"
        assert (ENSURE in asked(decision)) == (not linked)
        known = decided(invoice(linked=linked, totalamount=None), rule)
        assert "read_record read" not in asked(known), "an empty column is known"


class TestRetention:
    @pytest.mark.parametrize("code", [1, 2, 3])
    def test_it_starts_on_the_day_on_which_the_transaction_ended(self, code: int) -> None:
        day, ended = 86_400, KNOWN | {"statecode": code}
        seen = replace(
            invoice(statecode=code),
            past=past({0: KNOWN, 3 * day: ended, 5 * day: ended | {"invoicenumber": "INV-2"}}),
        )
        assert starts_on(seen) == "2023-11-17"

    def test_the_column_of_the_rule_has_precedence(self) -> None:
        assert starts_on(invoice(statecode=2, paidon="2023-12-24")) == "2023-12-24"

    def test_while_it_is_open_only_the_classification_is_set(self) -> None:
        assert starts_on(invoice(paidon="2023-12-24")) is None

    def test_without_a_rule_for_it_nothing_is_set(self) -> None:
        rule = INVOICE_RULE.model_copy(update={"retention": None})
        assert asked(decided(invoice(statecode=2), rule)) == [UPDATE, SHOW]


class TestRelations:
    @pytest.mark.parametrize(
        ("record", "rule", "columns", "to", "asks_for"),
        [
            (ORDER, ORDER_RULE, {"ordernumber": "1", "customerid": ACCOUNT.key}, ACCOUNT, None),
            (INVOICE, INVOICE_RULE, KNOWN | {"salesorderid": ORDER.key}, ORDER, "order"),
            (
                MEMO,
                MEMO_RULE,
                {"new_number": "1", "new_invoiceid": INVOICE.key},
                INVOICE,
                "invoice",
            ),
        ],
        ids=["order to customer", "invoice to order", "credit memo to invoice"],
    )
    def test_it_asks_for_the_other_workspace_and_is_related_once_that_is_known(
        self,
        record: RecordRef,
        rule: TransactionRule,
        columns: dict[str, ColumnValue],
        to: RecordRef,
        asks_for: str | None,
    ) -> None:
        seen = view(record, {"statecode": 0, **columns}, links={rule.name: HERE})
        decision = decided(seen, rule)
        assert told(decision) == [f"workspace_wanted {to.key}"]
        assert [getattr(fact, "rule", None) for fact in decision.facts] == [asks_for]
        neighbours = NeighboursRow().workspace_known(to.key, 80, asks_for)
        related = only(decided(replace(seen, neighbours=neighbours), rule), "relation/parent/80")
        assert (related.workspace_id, related.related_id, related.relation) == (HERE, 80, "parent")


class TestDocuments:
    """One case per row of the second table."""

    def test_before_the_first_nothing_is_said_of_them(self) -> None:
        assert shown(invoice()) == {"new_xecmworkspaceid": str(HERE)}

    def test_the_newest_are_named_with_their_links_the_last_filed_first(self) -> None:
        items = tuple(item(number, "added", at=number) for number in (41, 43, 42))
        columns = shown(invoice(items=items))
        assert columns["new_documents"] == 3
        assert columns["new_documentlinks"] == "43.added: u43\n42.added: u42", "two are asked for"
        assert (columns["new_documentname"], columns["new_filedon"]) == ("43.added", "2023-11-14")

    def test_a_new_name_or_version_is_shown_and_leaves_the_order(self) -> None:
        items = (item(41, "added", "renamed", "version_added"), item(42, "added", at=1))
        columns = shown(invoice(items=items))
        assert columns["new_documentlinks"] == "42.added: u42\n41.version_added: u41"

    def test_one_of_which_only_later_events_came_counts_since_the_first_of_those(self) -> None:
        items = (item(41, "renamed", "version_added", at=5), item(42, "added"))
        assert shown(invoice(items=items))["new_documentname"] == "41.version_added"

    def test_what_was_removed_leaves(self) -> None:
        items = (item(41, "added"), item(42, "added", "deleted", at=1))
        columns = shown(invoice(items=items))
        assert (columns["new_documents"], columns["new_documentname"]) == (1, "41.added")

    def test_when_all_are_removed_the_columns_are_emptied(self) -> None:
        columns = shown(invoice(items=(item(41, "added", "deleted"),)))
        assert columns["new_documents"] == 0
        names = ("new_documentlinks", "new_documentname", "new_filedon")
        assert [columns[name] for name in names] == [None] * 3

    def test_only_the_types_of_the_rule_come_back(self) -> None:
        items = (
            item(41, "added", document_type="dispute evidence"),
            item(42, "added", document_type="Minutes"),
            item(43, "added"),
        )
        seen = view(MEMO, {"new_number": "1"}, links={MEMO_RULE.name: HERE})
        seen = replace(seen, evidence=evidence(*items, rule=MEMO_RULE.name))
        columns = shown(seen, MEMO_RULE)
        assert (columns["new_documents"], columns["new_documentname"]) == (1, "41.added")

    def test_documents_of_another_rule_of_the_record_are_not_its_own(self) -> None:
        other = evidence(item(41, "added"), rule="other")
        assert "new_documents" not in shown(replace(invoice(), evidence=other))

    def test_without_columns_for_them_nothing_is_written(self) -> None:
        write_back = INVOICE_RULE.write_back.model_copy(
            update=dict.fromkeys(("documents", "document_links", "document_name", "filed_on"))
        )
        rule = INVOICE_RULE.model_copy(update={"write_back": write_back})
        assert shown(invoice(items=(item(41, "added"),)), rule) == {
            "new_xecmworkspaceid": str(HERE)
        }


class TestTheRule:
    def test_retention_needs_an_end(self) -> None:
        never = dict.fromkeys(("cancelled", "paid", "closed"), Expression("false"))
        rule = INVOICE_RULE.model_copy(
            update={**never, "retention": RetentionPart(classification="X")}
        )
        ((trail, what, fix),) = rule.faults()
        assert (trail, fix) == (("retention",), "add cancelled, paid or closed")
        assert "no condition says when" in what

    def test_documents_need_columns(self) -> None:
        rule = MEMO_RULE.model_copy(update={"write_back": type(MEMO_RULE.write_back)()})
        ((trail, what, _),) = rule.faults()
        assert (trail, "no column" in what) == (("documents",), True)
