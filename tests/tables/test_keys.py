"""Identities: every spelling of a record is one key, and a key is read back as written."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tables.keys import (
    RecordRef,
    command_id,
    digest,
    is_natural,
    is_workspace_key,
    natural_id,
    natural_parts,
    normal_guid,
    workspace_key,
)

LAW = settings(max_examples=40, deadline=None)
GUIDS = st.uuids()
TABLES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(lambda t: t != "workspace")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@LAW
@given(guid=GUIDS)
def test_every_spelling_of_a_guid_is_the_same(guid: uuid.UUID) -> None:
    plain = str(guid)
    for spelling in (plain.upper(), f"{{{plain}}}", guid.hex, guid.hex.upper(), f"  {plain} "):
        assert normal_guid(spelling) == plain


@pytest.mark.parametrize(
    "text",
    ["", "{}", "0a3f6f52", "0a3f6f52-7c1b-4e0e-9d5c-0123456789ag", "0a3f6f527c1b-4e0e9d5c01234567"],
)
def test_what_is_no_guid_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a guid"):
        normal_guid(text)


@LAW
@given(table=TABLES, guid=GUIDS)
def test_a_key_is_read_back_as_the_record_that_it_names(table: str, guid: uuid.UUID) -> None:
    record = RecordRef.of(f" {table.upper()} ", f"{{{str(guid).upper()}}}")
    assert record == RecordRef(table, str(guid))
    assert RecordRef.parse(record.key) == record
    assert not is_workspace_key(record.key)


@pytest.mark.parametrize(
    "key", ["account", "", "account:", "account:1", ":0", "my table:x", "1a:x"]
)
def test_what_is_no_record_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        RecordRef.parse(key)


@LAW
@given(number=st.integers(0, 2**63))
def test_a_workspaces_key_is_never_a_records(number: int) -> None:
    key = workspace_key(number)
    assert is_workspace_key(key)
    with pytest.raises(ValueError):
        RecordRef.parse(key)


def test_a_table_cannot_take_the_name_of_the_workspaces_keys() -> None:
    with pytest.raises(ValueError, match="not a table name"):
        RecordRef.of("workspace", str(uuid.UUID(int=1)))


@LAW
@given(value=st.dictionaries(st.text(max_size=4), JSON, max_size=5))
def test_equal_values_have_one_digest_whatever_their_order(value: dict[str, object]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


@LAW
@given(one=JSON, other=JSON)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    assume(one != other)
    assert digest(one) != digest(other)


def test_true_one_and_its_text_have_different_digests() -> None:
    assert len({digest(value) for value in (True, 1, "1", "true", None, "", [1])}) == 7


IDS = st.tuples(TABLES, st.builds(RecordRef, TABLES, GUIDS.map(str)), st.text(), st.text())


@LAW
@given(parts=IDS, others=IDS)
def test_command_ids_differ_when_any_part_does(
    parts: tuple[str, RecordRef, str, str], others: tuple[str, RecordRef, str, str]
) -> None:
    assert command_id(*parts) == command_id(*parts)
    step, record, rule, desired = parts[2], parts[1], parts[0], parts[3]
    changed = [
        (others[0], record, step, desired),
        (rule, others[1], step, desired),
        (rule, record, others[2], desired),
        (rule, record, step, others[3]),
    ]
    for ours in changed:
        assert (command_id(*ours) == command_id(*parts)) == (ours == parts)


def test_parts_of_a_command_id_do_not_flow_into_each_other() -> None:
    record = RecordRef("account", str(uuid.UUID(int=1)))
    assert command_id("a", record, "bc", "d") != command_id("a", record, "b", "cd")
    assert command_id('a","x', record, "b", "c") != command_id("a", record, 'x","b', "c")


COMPANIES = st.sampled_from(["", "usmf", "demf"])
PARTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip),
    min_size=1,
    max_size=3,
)


@LAW
@given(company=COMPANIES, parts=PARTS)
def test_a_natural_id_is_read_back_as_company_and_key(company: str, parts: list[str]) -> None:
    row_id = natural_id(company, *parts)
    assert is_natural(row_id)
    assert natural_parts(row_id) == (company, *(part.rstrip().lower() for part in parts))
    record = RecordRef.of("vendor", row_id)
    assert record.id == row_id
    assert RecordRef.parse(record.key) == record
    assert RecordRef.of("vendor", row_id.upper()) == record
    assert not set(row_id) & set("#/: ")


@LAW
@given(one=PARTS, other=PARTS, company=COMPANIES)
def test_different_keys_have_different_ids(one: list[str], other: list[str], company: str) -> None:
    assume([p.rstrip().lower() for p in one] != [p.rstrip().lower() for p in other])
    assert natural_id(company, *one) != natural_id(company, *other)


@LAW
@given(guid=GUIDS)
def test_no_guid_is_a_natural_id(guid: uuid.UUID) -> None:
    assert not is_natural(str(guid))
    assert natural_parts(str(guid)) is None


@pytest.mark.parametrize("parts", [(), ("",), ("  ",), ("a", "")])
def test_a_key_without_a_value_names_no_row(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="names no row"):
        natural_id("usmf", *parts)


def test_case_and_trailing_blanks_name_the_same_row() -> None:
    assert natural_id("USMF", "so-1 ") == natural_id("usmf", "SO-1") == "usmf~so-1"
