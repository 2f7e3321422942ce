"""Lists: filter, order, select, expand, count and pages."""

from __future__ import annotations

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference
from tests.sandbox.dataverse.support import ANNOTATIONS, error, names

PARENT = "0a000000-0000-4000-8000-00000000000a"


@pytest.fixture
def people(dataverse: DataverseSimulator) -> None:
    """Four accounts that differ in every way a filter can ask about."""
    dataverse.seed("account", {"name": "Alpha"}, row_id=PARENT)
    dataverse.seed(
        "account",
        {
            "name": "Beta's",
            "creditlimit": 20.5,
            "customertypecode": 11,
            "parentaccountid": PARENT,
            "creditonhold": True,
            "createdon": "2023-01-01T00:00:00Z",
        },
    )
    dataverse.seed(
        "account",
        {"name": "gamma", "creditlimit": 10, "customertypecode": 3, "description": "a, b) or c"},
    )
    dataverse.seed("account", {"name": "Delta", "creditlimit": 30, "statecode": 1})


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name eq 'Alpha'", ["Alpha"]),
        ("name eq 'ALPHA'", ["Alpha"]),
        ("name ne 'Alpha'", ["Beta's", "Delta", "gamma"]),
        ("name eq 'Beta''s'", ["Beta's"]),
        ("name gt 'b' and name lt 'e'", ["Beta's", "Delta"]),
        ("creditlimit gt 10", ["Beta's", "Delta"]),
        ("creditlimit ge 10 and creditlimit le 20.5", ["Beta's", "gamma"]),
        ("creditlimit lt 15", ["gamma"]),
        ("creditlimit eq null", ["Alpha"]),
        ("creditlimit ne null", ["Beta's", "Delta", "gamma"]),
        ("customertypecode ne 11", ["Alpha", "Delta", "gamma"]),
        ("not (customertypecode eq 11)", ["Alpha", "Delta", "gamma"]),
        ("creditonhold eq true", ["Beta's"]),
        ("statecode eq 1", ["Delta"]),
        (f"_parentaccountid_value eq {PARENT}", ["Beta's"]),
        (f"_parentaccountid_value eq '{PARENT.upper()}'", ["Beta's"]),
        (f"accountid eq {PARENT}", ["Alpha"]),
        ("createdon lt 2024-01-01T00:00:00Z", ["Beta's"]),
        ("createdon ge 2024-01-01T00:00:00+02:00", ["Alpha", "Delta", "gamma"]),
        ("contains(name,'ET')", ["Beta's"]),
        ("startswith(name,'ga') or endswith(name,'ta')", ["Delta", "gamma"]),
        ("contains(description,'b) or c')", ["gamma"]),
        ("not contains(name,'a')", []),
        ("name eq 'gamma' or name eq 'Alpha' and creditlimit gt 5", ["gamma"]),
        ("(name eq 'gamma' or name eq 'Alpha') and creditlimit gt 5", ["gamma"]),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['Alpha','gamma'])",
            ["Alpha", "gamma"],
        ),
        ("versionnumber gt 0 and name eq 'Delta'", ["Delta"]),
        (f"name eq '{'x' * 200}'", []),
        ("createdon lt 2024-01-01", ["Beta's"]),
        ("contains(name,'l%a')", ["Alpha", "Delta"]),
        ("startswith(name,'_e')", ["Beta's", "Delta"]),
        ("endswith(name,'[m-p]a')", ["gamma"]),
        ("startswith(name,'[^a-b]')", ["Delta", "gamma"]),
        ("startswith(name,'[')", []),
        ("Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')", []),
        (
            f"Microsoft.Dynamics.CRM.In(PropertyName='parentaccountid',PropertyValues=['{PARENT}'])",
            ["Beta's"],
        ),
        (
            'Microsoft.Dynamics.CRM.In(PropertyName=\'name\',PropertyValues=["Beta\'s","gamma"])',
            ["Beta's", "gamma"],
        ),
    ],
)
async def test_a_filter_finds(text: str, found: list[str], client: httpx.AsyncClient) -> None:
    query = {"$select": "name", "$filter": text, "$orderby": "name"}
    answer = await client.get("/accounts", params=query)
    assert answer.status_code == 200, answer.text
    assert names(answer) == found


@pytest.mark.usefixtures("people")
async def test_parameter_aliases_stand_for_columns_values_and_lists(
    client: httpx.AsyncClient,
) -> None:
    """One that is not given is null; they count in filters and orders."""

    async def found(**query: str) -> list[str]:
        given = {name.replace("at_", "@"): text for name, text in query.items()}
        options = {f"${n}" if n[0] != "@" else n: text for n, text in given.items()}
        answer = await client.get("/accounts", params=options)
        assert answer.status_code == 200, answer.text
        return names(answer)

    both = {"at_p1": "creditlimit", "at_p2": "name"}
    filtered = await found(filter="@p1 ne @p3", orderby="@p1 desc,@p2", **both)
    assert filtered == ["Delta", "Beta's", "gamma"]
    function = "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)"
    listed = {"at_p1": "'name'", "at_p2": '["Beta\'s","Alpha"]'}
    assert await found(filter=function, orderby="name", **listed) == ["Alpha", "Beta's"]


async def test_an_order_by_a_lookup_goes_by_the_name_of_its_row(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    for account, person in (("A", "Zoe"), ("B", "Ann"), ("C", "")):
        contact = dataverse.seed("contact", {"lastname": person}).id if person else None
        dataverse.seed("account", {"name": account, "primarycontactid": contact})
    for order, expected in (("", ["C", "B", "A"]), (" desc", ["A", "B", "C"])):
        query = {"$orderby": f"_primarycontactid_value{order}"}
        assert names(await client.get("/accounts", params=query)) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "nonsense eq 1"},
        {"$filter": "name eq"},
        {"$filter": "name eq 'a' and"},
        {"$filter": "name eq 'a' name"},
        {"$filter": "(name eq 'a'"},
        {"$filter": "name eq 5"},
        {"$filter": "name eq 'open"},
        {"$filter": "creditlimit eq 'much'"},
        {"$filter": "creditlimit has 5"},
        {"$filter": "creditlimit gt null"},
        {"$filter": "parentaccountid eq 5"},
        {"$filter": "_parentaccountid_value eq 5"},
        {"$filter": "contains(creditlimit,'1')"},
        {"$select": "nonsense"},
        {"$select": "parentaccountid"},
        {"$orderby": "name up"},
        {"$top": "few"},
        {"$skip": "5"},
        {"$search": "a"},
        {"$expand": "Parentaccountid"},
        {"$expand": "parentaccountid($expand=Parentaccountid)"},
        {"$expand": "parentaccountid($orderby=name)"},
        {"$expand": "contact_customer_accounts($count=true)"},
        {"$expand": "contact_customer_accounts/$ref"},
        {"$expand": "nonsense/$ref"},
        {"$expand": "contact_customer_accounts($top=1;$expand=createdby)"},
        {"$expand": "contact_customer_accounts($top=1),parentaccountid($expand=createdby)"},
        {"$expand": "parentaccountid($expand=" * 500 + ")" * 500},
        {"$skiptoken": "mine"},
    ],
)
async def test_a_query_that_makes_no_sense_is_a_bad_request(
    query: dict[str, str], client: httpx.AsyncClient
) -> None:
    answer = await client.get("/accounts", params=query)
    assert answer.status_code == 400, answer.text


@pytest.mark.usefixtures("people")
async def test_order_is_by_each_column_in_turn_and_empty_comes_first(
    client: httpx.AsyncClient,
) -> None:
    async def ordered(text: str) -> list[str]:
        return names(await client.get("/accounts", params={"$orderby": text}))

    assert await ordered("creditlimit") == ["Alpha", "gamma", "Beta's", "Delta"]
    assert await ordered("creditlimit desc") == ["Delta", "Beta's", "gamma", "Alpha"]
    assert await ordered("statecode desc,name desc") == ["Delta", "gamma", "Beta's", "Alpha"]


@pytest.mark.usefixtures("people")
async def test_select_gives_what_is_asked_and_what_always_comes(
    client: httpx.AsyncClient,
) -> None:
    query = {"$select": "creditlimit,_parentaccountid_value", "$filter": "name eq 'Beta''s'"}
    answer = (await client.get("/accounts", params=query)).json()
    assert answer["@odata.context"].endswith(
        "$metadata#accounts(creditlimit,_parentaccountid_value)"
    )
    (row,) = answer["value"]
    assert set(row) == {
        "@odata.etag",
        "accountid",
        "creditlimit",
        "_parentaccountid_value",
        "_transactioncurrencyid_value",
    }


@pytest.mark.usefixtures("people")
async def test_top_count_and_the_bare_count(client: httpx.AsyncClient) -> None:
    query = {"$top": "2", "$count": "true", "$filter": "creditlimit ne null", "$orderby": "name"}
    answer = await client.get("/accounts", params=query)
    assert names(answer) == ["Beta's", "Delta"]
    assert answer.json()["@odata.count"] == 3
    assert "@odata.nextLink" not in answer.json()
    bare = await client.get("/accounts/$count")
    assert bare.content == b"\xef\xbb\xbf4"


async def test_an_option_is_given_once(client: httpx.AsyncClient) -> None:
    answer = await client.get("/accounts?$select=name&$select=accountnumber")
    assert error(answer) == (400, "0x80060888")
    assert "'$select' was specified more than once" in answer.json()["error"]["message"]


async def test_a_page_is_never_larger_than_the_service_allows(client: httpx.AsyncClient) -> None:
    answer = await client.get("/accounts", headers={"Prefer": "odata.maxpagesize=99999"})
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=5000"


@pytest.mark.usefixtures("people")
async def test_preferences_that_were_heeded_are_told(client: httpx.AsyncClient) -> None:
    total = "Microsoft.Dynamics.CRM.totalrecordcount"
    wanted = f"{total},{total}limitexceeded"
    prefer = {"Prefer": f'odata.maxpagesize=2,odata.include-annotations="{wanted}"'}
    applied = f'odata.maxpagesize=2,odata.include-annotations="{wanted}"'
    for query, count in (({"$count": "true"}, 4), ({}, -1)):
        answer = await client.get("/accounts", params=query, headers=prefer)
        assert answer.headers["Preference-Applied"] == applied
        assert answer.json()[f"@{total}"] == count
        assert answer.json()[f"@{total}limitexceeded"] is False
    one = await client.get(f"/accounts({PARENT})", headers=ANNOTATIONS)
    assert one.headers["Preference-Applied"] == 'odata.include-annotations="*"'


async def test_expand_reads_one_level_of_a_lookup(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    account = dataverse.seed("account", {"name": "A"})
    customer = Reference("account", account.id)
    deal = dataverse.seed("opportunity", {"name": "D", "customerid": customer})
    stage = dataverse.seed("processstage", {"stagename": "Propose"})
    process = dataverse.seed(
        "opportunitysalesprocess", {"opportunityid": deal.id, "activestageid": stage.id}
    )
    query = {
        "$select": "statecode",
        "$expand": "activestageid($select=stagename),opportunityid($select=name,estimatedvalue)",
    }
    path = f"/opportunitysalesprocesses({process.id})"
    row = (await client.get(path, params=query)).json()
    assert row["activestageid"]["stagename"] == "Propose"
    assert row["activestageid"]["processstageid"] == stage.id
    assert row["opportunityid"]["name"] == "D"
    both = {"$select": "name", "$expand": "customerid_account,customerid_contact($select=fullname)"}
    row = (await client.get(f"/opportunities({deal.id})", params=both)).json()
    assert row["customerid_account"]["name"] == "A"
    assert row["customerid_contact"] is None


async def test_pages_follow_each_other_and_none_is_lost_when_rows_come_and_go(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    rows = [dataverse.seed("account", {"name": f"A{n}", "creditlimit": n % 2}) for n in range(9)]
    prefer = {"Prefer": "odata.maxpagesize=4"}
    query = {"$select": "name", "$orderby": "creditlimit desc,name", "$count": "true"}
    first = await client.get("/accounts", params=query, headers=prefer)
    assert first.headers["Preference-Applied"] == "odata.maxpagesize=4"
    assert names(first) == ["A1", "A3", "A5", "A7"]
    assert first.json()["@odata.count"] == 9
    dataverse.remove("account", rows[3].id)
    dataverse.seed("account", {"name": "A10", "creditlimit": 0})
    second = await client.get(first.json()["@odata.nextLink"], headers=prefer)
    assert names(second) == ["A0", "A10", "A2", "A4"]
    third = await client.get(second.json()["@odata.nextLink"], headers=prefer)
    assert names(third) == ["A6", "A8"]
    assert "@odata.nextLink" not in third.json()


async def test_top_is_ignored_where_a_page_size_is_preferred(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    for number in range(4):
        dataverse.seed("account", {"name": f"A{number}"})
    prefer = {"Prefer": "odata.maxpagesize=3,return=representation"}
    answer = await client.get("/accounts", params={"$top": "1"}, headers=prefer)
    assert len(answer.json()["value"]) == 3


async def test_a_list_of_an_empty_table_is_empty(client: httpx.AsyncClient) -> None:
    answer = await client.get("/annotations")
    assert (answer.status_code, answer.json()["value"]) == (200, [])
    assert error(await client.get("/annotations/nonsense")) == (404, "0x8006088a")
