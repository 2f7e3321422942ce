"""Our client of finance and operations against the simulated one, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from app.clients.credentials import ClientSecret
from app.clients.finance import FinanceGateway
from app.clients.http import Timeouts, open_client
from app.clients.routing import DynamicsRouter
from app.clients.tokens import EntraTokens
from app.rule_files.loading import load_rules
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.events.finance_entities import ENUMS
from app.sandbox.faults import Fault
from app.sandbox.finance import FinanceSimulator, Row
from app.settings.fields import RULES_DIRECTORY
from streams.catalogue import Catalogue, Column, ColumnKind, ColumnValue
from streams.engine.records import Record
from streams.errors import (
    Conflict,
    DovetailError,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)
from streams.guard import DeadLetterLimit, Guard
from streams.messages.commands import ReadRecord, SetRecordColumns
from streams.messages.outcomes import OUTCOMES, RecordColumnsSet, RecordRead, WriteRefused
from streams.metrics import Metrics
from streams.topics import DYNAMICS_COMMANDS
from streams.write_dynamics import DynamicsWriter
from streams.writers.patience import Backoff, Breaker, Limiter, SystemClock
from streams.writers.writing import Patience
from tables.keys import RecordRef, command_id, digest, natural_id
from tests.clients.conversation import Observed
from tests.fakes.gateways import FakeDynamics
from tests.streams.world import DictRows

APP = "5d0c2f3e-0000-4000-8000-00000000000a"
ORDER = "finance_purchaseorder"
VENDOR = RecordRef("finance_vendor", "usmf~v-1")
CATALOGUE = load_rules(RULES_DIRECTORY).catalogue
NOW_MS = 1_706_696_102_789


@dataclass
class Finance:
    """A simulated environment, and our gateway to it."""

    simulator: FinanceSimulator
    gateway: FinanceGateway
    http: httpx.AsyncClient
    tokens: EntraTokens
    observed: Observed

    def vendor(self, number: str = "V-1", **values: Any) -> Row:
        return self.simulator.seed("VendorsV2", {"VendorAccountNumber": number, **values})

    def ours(self) -> list[tuple[str, frozenset[str]]]:
        """The writes that our application made: operation and columns."""
        return [
            (change.operation, change.changed)
            for change in self.simulator.changes
            if change.user == "dovetail"
        ]

    def calls(self, operation: str) -> int:
        return sum(seen[1] == operation for seen in self.observed.requests)

    def with_catalogue(self, catalogue: Catalogue) -> FinanceGateway:
        return FinanceGateway(self.simulator.url, self.tokens, catalogue, client=self.http)

    async def hurried(self) -> FinanceGateway:
        """One that soon gives up, and knows vendors, however slow the machine was to tell it."""
        timeouts = Timeouts(read_seconds=0.5, write_seconds=0.5)
        gateway = FinanceGateway(
            self.simulator.url,
            self.tokens,
            CATALOGUE,
            client=self.http,
            timeouts=timeouts,
            now_ms=lambda: NOW_MS,
        )
        while True:
            with contextlib.suppress(Unavailable):
                await gateway.columns_of("finance_vendor")
                return gateway


@pytest.fixture
async def finance() -> AsyncIterator[Finance]:
    observed = Observed()
    client = EntraClient(APP, secrets=("simulated-secret",))
    async with (
        EntraSimulator("contoso", [client]) as entra,
        FinanceSimulator(entra, application_users={APP: "dovetail"}) as simulator,
        open_client() as http,
    ):
        tokens = EntraTokens(
            authority=entra.authority,
            client_id=APP,
            credential=ClientSecret(SecretStr("simulated-secret")),
            scope=simulator.scope,
            ca_file=entra.ca_path,
        )
        gateway = FinanceGateway(
            simulator.url,
            tokens,
            CATALOGUE,
            client=http,
            observer=observed,
            now_ms=lambda: NOW_MS,
        )
        yield Finance(simulator, gateway, http, tokens, observed)


def changed(table: str, **columns: Column | None) -> Catalogue:
    """The shipped tables with some columns of one declared otherwise, or left out."""
    declared = CATALOGUE.tables[table]
    kept = {n: c for n, c in {**declared.columns, **columns}.items() if c is not None}
    return Catalogue({**CATALOGUE.tables, table: replace(declared, columns=kept)})


# Reading


async def test_a_row_is_read_by_company_and_number_as_any_source_tells_it(finance: Finance) -> None:
    finance.vendor(
        OnHoldStatus="All", CurrencyCode="USD", VendorHoldReleaseDate="2024-05-01T00:00:00Z"
    )
    row = await finance.gateway.read_record(VENDOR)
    assert row is not None
    assert row.columns == {
        "dataareaid": "usmf",
        "vendoraccountnumber": "V-1",
        "vendororganizationname": None,
        "vendorgroupid": None,
        "currencycode": "USD",
        "taxexemptnumber": None,
        "bankaccountid": None,
        "onholdstatus": 2,
        "vendorholdreleasedate": "2024-05-01",
        "xecmworkspaceid": None,
        "xecmworkspaceurl": None,
        "xecmstatus": None,
    }
    assert (row.version, row.modified_ms, row.read_ms) == (None, NOW_MS // 1000 * 1000, NOW_MS)


async def test_a_row_that_is_not_there_is_none(finance: Finance) -> None:
    finance.vendor("V-12")
    finance.vendor("V-1", dataAreaId="demf")
    assert await finance.gateway.read_record(VENDOR) is None


@pytest.mark.parametrize("number", ["V 1/2", "O'Neill & Söhne", "50%", "a#b?c=d+e", "V*", "~", "Ü"])
async def test_any_number_finds_its_own_row_and_no_other(finance: Finance, number: str) -> None:
    for other in ("Vx", "V", "O", number):
        finance.vendor(other, CurrencyCode="EUR" if other == number else "USD")
    record = RecordRef("finance_vendor", natural_id("USMF", number))
    row = await finance.gateway.read_record(record)
    assert row is not None and row.columns["vendoraccountnumber"] == number
    after = await finance.gateway.write_columns(record, {"vendorgroupid": "9"}, tag="t")
    assert after.columns["vendorgroupid"] == "9"
    assert len(finance.ours()) == 1


async def test_rows_of_other_companies_are_reached(finance: Finance) -> None:
    finance.vendor(dataAreaId="demf")
    record = RecordRef("finance_vendor", "demf~v-1")
    await finance.gateway.write_columns(record, {"onholdstatus": 2}, tag="t")
    row = await finance.gateway.read_record(record)
    assert row is not None and row.columns["onholdstatus"] == 2


async def test_an_entity_with_a_longer_key_is_found_by_ours_and_written_by_its_own(
    finance: Finance,
) -> None:
    date = {"InvoiceDate": "2024-01-31T12:00:00Z"}
    one = {"InvoiceNumber": "CIV-1", "LedgerVoucher": "L'1", **date}
    finance.simulator.seed("SalesInvoiceHeadersV2", one)
    record = RecordRef("finance_salesinvoice", "usmf~civ-1")
    row = await finance.gateway.write_columns(record, {"currencycode": "EUR"}, tag="t")
    assert (row.columns["currencycode"], row.columns["invoicedate"]) == ("EUR", "2024-01-31")
    finance.simulator.seed("SalesInvoiceHeadersV2", {**one, "LedgerVoucher": "L2"})
    with pytest.raises(Refused, match="several rows") as refused:
        await finance.gateway.read_record(record)
    assert refused.value.code == "record_not_unique"


async def test_a_vendor_tells_invoices_of_one_number_apart(finance: Finance) -> None:
    for number, vendor in enumerate(("V-1", "V-2")):
        values = {
            "HeaderReference": f"H-{number}",
            "InvoiceNumber": "I-7",
            "InvoiceAccount": vendor,
        }
        finance.simulator.seed("VendorInvoiceHeaders", {**values, "CurrencyCode": vendor[-1]})
    record = RecordRef("finance_vendorinvoice", natural_id("usmf", "V-2", "I-7"))
    row = await finance.gateway.read_record(record)
    assert row is not None and row.columns["currencycode"] == "2"
    await finance.gateway.write_columns(record, {"xecmworkspaceid": "5"}, tag="t")
    written = [change.row.values["HeaderReference"] for change in finance.simulator.changes[2:]]
    assert written == ["H-1"]


async def test_an_id_that_names_no_row_by_the_key_is_refused(finance: Finance) -> None:
    for row_id in ("0a3f6f52-7c1b-4e0e-9d5c-0123456789ab", "usmf~v~1"):
        with pytest.raises(Refused) as refused:
            await finance.gateway.read_record(RecordRef("finance_vendor", row_id))
        assert refused.value.code == "record_missing"


# Writing


async def test_only_what_differs_is_written_and_nothing_when_nothing_does(finance: Finance) -> None:
    finance.vendor(CurrencyCode="USD")
    wanted: Mapping[str, ColumnValue] = {
        "onholdstatus": 2,
        "currencycode": "USD",
        "vendorholdreleasedate": "2024-05-01",
        "taxexemptnumber": None,
    }
    row = await finance.gateway.write_columns(VENDOR, wanted, tag="t")
    assert {name: row.columns[name] for name in wanted} == wanted
    assert finance.ours() == [("update", frozenset({"OnHoldStatus", "VendorHoldReleaseDate"}))]
    again = await finance.gateway.write_columns(VENDOR, wanted, tag="t")
    assert again.columns == row.columns
    assert len(finance.ours()) == finance.calls("write") == 1


async def test_an_empty_value_is_the_services_own(finance: Finance) -> None:
    finance.vendor(TaxExemptNumber="1", VendorHoldReleaseDate="2024-05-01T00:00:00Z")
    empty = {"taxexemptnumber": None, "vendorholdreleasedate": None}
    await finance.gateway.write_columns(VENDOR, empty, tag="t")
    row = finance.simulator.row("VendorsV2", VendorAccountNumber="V-1")
    assert row is not None
    assert row.values["TaxExemptNumber"] == ""
    assert row.values["VendorHoldReleaseDate"] == "1900-01-01T12:00:00Z"


async def test_a_row_that_is_gone_is_refused_and_never_created(finance: Finance) -> None:
    with pytest.raises(Refused) as refused:
        await finance.gateway.write_columns(VENDOR, {"onholdstatus": 2}, tag="t")
    assert refused.value.code == "record_missing"
    assert finance.simulator.changes == ()


@pytest.mark.parametrize(
    ("table", "columns", "kind", "code"),
    [
        ("finance_vendor", {"onholdstatus": 7}, Refused, "value_invalid"),
        ("finance_vendor", {"onholdstatus": True}, Refused, "value_invalid"),
        ("finance_vendor", {"onholdstatus": None}, Refused, "value_invalid"),
        ("finance_vendor", {"vendorholdreleasedate": "soon"}, Refused, "value_invalid"),
        ("finance_vendor", {"nothing": "x"}, Misconfigured, "column_undeclared"),
        (ORDER, {"documentapprovalstatus": 30}, Misconfigured, "column_read_only"),
        (
            ORDER,
            {"ordervendoraccountnumber": "finance_vendor:usmf~v-2"},
            Refused,
            "value_invalid",
        ),
        ("account", {"name": "x"}, Misconfigured, "table_undeclared"),
        ("nothing", {"name": "x"}, Misconfigured, "table_undeclared"),
    ],
)  # fmt: skip
async def test_what_cannot_be_written_is_told_before_anything_is(
    finance: Finance,
    table: str,
    columns: Mapping[str, ColumnValue],
    kind: type[DovetailError],
    code: str,
) -> None:
    finance.vendor()
    finance.simulator.seed("PurchaseOrderHeadersV2", {"PurchaseOrderNumber": "V-1"})
    with pytest.raises(kind) as raised:
        await finance.gateway.write_columns(RecordRef(table, "usmf~v-1"), columns, tag="t")
    assert raised.value.code == code
    assert finance.ours() == [] and finance.calls("write") == 0


# What the environment is asked about itself


async def test_columns_are_known_in_lower_case_and_metadata_is_asked_once(finance: Finance) -> None:
    finance.vendor()
    found = await finance.gateway.columns_of("finance_vendor")
    assert CATALOGUE.tables["finance_vendor"].columns.keys() <= found.keys()
    asked = finance.calls("metadata")
    await finance.gateway.read_record(VENDOR)
    await finance.gateway.read_record(VENDOR)
    assert finance.calls("metadata") == asked == 2  # the entity, and its one enum


async def test_an_enum_with_other_numbers_is_told_with_the_difference(finance: Finance) -> None:
    symbols = tuple(ENUMS["CustVendorBlocked"].items())
    for declared, text in (
        ((*symbols[:2], ("All", 9), *symbols[3:]), "All is 2, not 9"),
        (symbols[:-1], r"PurchOrder \(6\) is not declared"),
    ):
        column = Column(ColumnKind.CHOICE, symbols=declared)
        gateway = finance.with_catalogue(changed("finance_vendor", onholdstatus=column))
        with pytest.raises(Misconfigured, match=text) as wrong:
            await gateway.columns_of("finance_vendor")
        assert wrong.value.code == "enum_differs" and "tables.yaml" in wrong.value.advice


async def test_a_column_or_entity_that_the_environment_does_not_have_is_named(
    finance: Finance,
) -> None:
    finance.vendor()
    gateway = finance.with_catalogue(
        changed("finance_vendor", favouritecolour=Column(ColumnKind.TEXT))
    )
    with pytest.raises(Misconfigured, match="favouritecolour") as wrong:
        await gateway.read_record(VENDOR)
    assert wrong.value.code == "column_unknown"
    renamed = replace(CATALOGUE.tables["finance_vendor"], entity_set="VendorsV9")
    gateway = finance.with_catalogue(Catalogue({"finance_vendor": renamed}))
    with pytest.raises(Misconfigured, match="VendorsV9") as wrong:
        await gateway.columns_of("finance_vendor")
    assert wrong.value.code == "table_unknown"


async def test_a_value_that_is_not_of_the_declared_kind_is_named(finance: Finance) -> None:
    finance.vendor(CurrencyCode="USD")
    gateway = finance.with_catalogue(
        changed("finance_vendor", currencycode=Column(ColumnKind.NUMBER))
    )
    with pytest.raises(Misconfigured, match="currencycode") as wrong:
        await gateway.read_record(VENDOR)
    assert wrong.value.code == "column_kind_wrong"


# Bad days


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (Fault("status", status=429, retry_after=7), Throttled, "throttled"),
        (Fault("status", status=503, html=True), Unavailable, "gateway_error"),
        (Fault("status", status=502), Unavailable, "gateway_error"),
        (Fault("status", status=500), Retryable, "server_error"),
        (Fault("status", status=412), Conflict, "version_changed"),
        (Fault("status", status=408), Unavailable, "no_answer"),
        (Fault("status", status=403), Misconfigured, "access_denied"),
        (Fault("no_privilege"), Misconfigured, "access_denied"),
        (Fault("infolog_error"), Refused, "write_failed"),
        (Fault("change_proposal"), Refused, "change_proposal_needed"),
        (Fault("deadlock"), Retryable, "sql_error"),
        (Fault("reset"), Unavailable, "connection_lost"),
        (Fault("hang_up"), Unavailable, "connection_lost"),
        (Fault("cut_body"), Unavailable, "connection_lost"),
        (Fault("latency", seconds=5.0), Unavailable, "timeout"),
        (Fault("slow_body", seconds=60.0), Unavailable, "timeout"),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else None,
)
async def test_each_bad_answer_to_a_read_has_its_remedy(
    finance: Finance, fault: Fault, kind: type[DovetailError], code: str
) -> None:
    finance.vendor()
    await finance.gateway.columns_of("finance_vendor")
    gateway = await finance.hurried() if code == "timeout" else finance.gateway
    finance.simulator.faults.add(fault)
    with pytest.raises(kind) as raised:
        await gateway.read_record(VENDOR)
    assert (type(raised.value), raised.value.code) == (kind, code)
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after == 7
    finance.simulator.faults.clear()
    assert await finance.gateway.read_record(VENDOR) is not None


async def test_a_token_that_was_never_good_names_the_setting(finance: Finance) -> None:
    finance.simulator.faults.add(Fault("token_expired", times=2))
    with pytest.raises(Misconfigured) as wrong:
        await finance.gateway.read_record(VENDOR)
    assert wrong.value.code == "credentials_refused"
    assert "DOVETAIL_FINANCE_URL" in wrong.value.advice


async def test_an_expired_token_is_renewed_and_sessions_that_end_again_are_waited_for(
    finance: Finance,
) -> None:
    finance.vendor()
    assert await finance.gateway.read_record(VENDOR) is not None
    finance.simulator.faults.add(Fault("token_expired"))
    assert await finance.gateway.read_record(VENDOR) is not None
    finance.simulator.faults.add(Fault("token_expired", times=2))
    with pytest.raises(TokenExpired):
        await finance.gateway.read_record(VENDOR)


class Writers:
    """The writer of commands with real patience, short pauses, and both halves of Dynamics."""

    def __init__(self, finance: Finance, threshold: int = 5) -> None:
        clock, chance = SystemClock(), random.Random(1)
        self.metrics = Metrics(CollectorRegistry())
        self.rows = DictRows()

        def patience() -> Patience:
            breaker = Breaker(clock, chance, threshold, Backoff(0.05, 0.2))
            return Patience(Limiter(8, 1e6, clock), breaker, clock, Backoff(0.01, 0.1), chance)

        self.dataverse = FakeDynamics()
        router = DynamicsRouter(CATALOGUE, self.dataverse, finance.gateway)  # type: ignore[arg-type]
        self.writer = DynamicsWriter(
            self.metrics,
            Guard("test", self.metrics, DeadLetterLimit()),
            patience(),
            router,
            finance=patience(),
            erp={"finance_vendor": frozenset({"onholdstatus", "currencycode"})},
        )

    async def outcome(self, command: SetRecordColumns | ReadRecord) -> Any:
        message = Record(
            DYNAMICS_COMMANDS.name, 0, 1, 0, command.key.encode(), command.to_json(), ()
        )
        sent = await self.writer.handle(message, self.rows)
        return OUTCOMES.validate_json(sent[0].value or b"")

    def count(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0


def hold(**columns: ColumnValue) -> SetRecordColumns:
    wanted = columns or {"onholdstatus": 2}
    return SetRecordColumns(
        id=command_id("vendors", VENDOR, "columns", digest(wanted)),
        rule="vendors",
        record=VENDOR,
        step="columns",
        desired=digest(wanted),
        caused_at_ms=1,
        columns=wanted,
    )


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("lose_answer", method="PATCH", times=1)],
        [Fault("lose_answer", method="PATCH", times=1), Fault("status", status=503, html=True)],
        [Fault("reset", method="PATCH", times=3)],
        [Fault("hang_up", times=3)],
        [Fault("cut_body", method="GET", times=2)],
        [Fault("latency", method="PATCH", seconds=3.0)],
        [Fault("status", method="PATCH", status=429, retry_after=0, times=4)],
        [Fault("status", status=502, times=3)],
        [Fault("deadlock", method="PATCH", times=3)],
        [Fault("token_expired", method="PATCH")],
        [Fault("etag_race", method="PATCH", times=2)],
        [Fault("outage", lasting=0.5)],
    ],
    ids=lambda faults: "+".join(fault.kind for fault in faults),
)
async def test_whatever_happens_the_write_is_made_and_made_once(
    finance: Finance, faults: list[Fault]
) -> None:
    finance.vendor(CurrencyCode="USD")
    await finance.gateway.columns_of("finance_vendor")
    if faults[0].kind == "latency":
        finance.gateway = await finance.hurried()
    finance.simulator.faults.add(*faults)
    outcome = await Writers(finance).outcome(hold())
    assert isinstance(outcome, RecordColumnsSet) and outcome.columns == {"onholdstatus": 2}
    assert finance.ours() == [("update", frozenset({"OnHoldStatus"}))]
    assert not finance.simulator.faults.waiting() or faults[0].kind == "outage"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("infolog_error", method="PATCH", times=None), "write_failed"),
        (Fault("change_proposal", method="PATCH", times=None), "change_proposal_needed"),
        (Fault("status", method="PATCH", status=400, times=None), "request_invalid"),
        (Fault("status", method="PATCH", status=404, times=None), "record_missing"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
async def test_a_refusal_is_told_and_not_tried_again(
    finance: Finance, fault: Fault, code: str
) -> None:
    finance.vendor()
    finance.simulator.faults.add(fault)
    outcome = await Writers(finance).outcome(hold())
    assert isinstance(outcome, WriteRefused) and outcome.code == code
    assert finance.calls("write") == 1 and finance.ours() == []


async def test_a_missing_right_stops_the_worker_with_the_next_step(finance: Finance) -> None:
    finance.vendor()
    finance.simulator.faults.add(Fault("no_privilege", method="PATCH", times=None))
    with pytest.raises(Misconfigured, match="role"):
        await Writers(finance).outcome(hold())
    assert finance.calls("write") == 1


async def test_a_column_that_no_rule_names_is_never_sent(finance: Finance) -> None:
    finance.vendor()
    outcome = await Writers(finance).outcome(hold(onholdstatus=2, bankaccountid="X"))
    assert isinstance(outcome, WriteRefused) and outcome.code == "column_not_named"
    assert finance.calls("write") == 0 and finance.ours() == []


async def test_an_outage_of_the_erp_holds_no_lane_of_dataverse(finance: Finance) -> None:
    """Each system has a circuit of its own."""
    finance.vendor()
    await finance.gateway.columns_of("finance_vendor")
    writers = Writers(finance, threshold=1)
    finance.simulator.faults.add(Fault("outage"))
    waiting = asyncio.create_task(writers.outcome(hold()))
    async with asyncio.timeout(60):
        while not writers.count("dovetail_circuit_open", system="finance"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    account = RecordRef("account", "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab")
    writers.dataverse.rows[account.key] = {"name": "Kumi"}
    read = ReadRecord(
        id="r", rule="upkeep", record=account, step="read", desired="d", caused_at_ms=0
    )
    found = await asyncio.wait_for(writers.outcome(read), 60)
    assert isinstance(found, RecordRead) and found.columns == {"name": "Kumi"}
    assert not waiting.done() and not writers.count("dovetail_circuit_open", system="dynamics")
    finance.simulator.faults.clear()
    assert isinstance(await asyncio.wait_for(waiting, 60), RecordColumnsSet)
    assert writers.count("dovetail_circuit_open", system="finance") == 0
    assert finance.ours() == [("update", frozenset({"OnHoldStatus"}))]


async def test_a_read_comes_back_with_the_moment_of_reading(finance: Finance) -> None:
    finance.vendor(CurrencyCode="USD")
    read = ReadRecord(
        id="r", rule="upkeep", record=VENDOR, step="read", desired="d", caused_at_ms=0
    )
    outcome = await Writers(finance).outcome(read)
    assert isinstance(outcome, RecordRead) and outcome.columns is not None
    assert outcome.columns["currencycode"] == "USD"
    assert (outcome.version, outcome.modified_ms, outcome.read_ms) == (
        None, NOW_MS // 1000 * 1000, NOW_MS,
    )  # fmt: skip


# Which half of Dynamics


async def test_without_an_environment_its_tables_are_refused_with_the_setting(
    finance: Finance,
) -> None:
    router = DynamicsRouter(CATALOGUE, FakeDynamics())  # type: ignore[arg-type]
    assert not router.knows("finance_vendor") and router.knows("account")
    for call in (
        router.read_record(VENDOR),
        router.write_columns(VENDOR, {}, tag="t"),
        router.columns_of("finance_vendor"),
    ):
        with pytest.raises(Misconfigured, match="DOVETAIL_FINANCE_URL") as wrong:
            await call
        assert wrong.value.code == "finance_unset"
