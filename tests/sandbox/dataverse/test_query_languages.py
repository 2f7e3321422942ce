"""Functions of filters, ``$apply``, FetchXML and SQL, each with what it refuses."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference
from tests.sandbox.dataverse.support import PAST, error

CRM = "Microsoft.Dynamics.CRM."


@pytest.fixture(autouse=True)
def rows(dataverse: DataverseSimulator) -> None:
    """Three accounts, two of them with people."""
    seeded = {}
    for name, limit, days in (("Alpha", 10, 0), ("Beta", 20, 1), ("Gamma", None, 40)):
        at = PAST - dt.timedelta(days=days)
        values = {"name": name, "creditlimit": limit, "description": name.lower()}
        seeded[name] = dataverse.seed("account", values, at=at)
    for first, company in (("Ann", "Alpha"), ("Bo", "Alpha"), ("Cy", "Beta")):
        belongs = Reference("account", seeded[company].id)
        dataverse.seed("contact", {"firstname": first, "parentcustomerid": belongs})


def function(name: str, column: str, *values: str) -> str:
    listed = ",".join(f"'{value}'" for value in values)
    given = f",PropertyValues=[{listed}]" if values else ""
    return f"{CRM}{name}(PropertyName='{column}'{given})"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (function("In", "name", "alpha", "Beta"), ["Alpha", "Beta"]),
        (function("NotIn", "name", "alpha"), ["Beta", "Gamma"]),
        (function("Between", "creditlimit", "5", "15"), ["Alpha"]),
        (function("NotBetween", "creditlimit", "5", "15"), ["Beta"]),
        (function("Today", "createdon"), ["Alpha"]),
        (function("Yesterday", "createdon"), ["Beta"]),
        (function("Last7Days", "createdon"), ["Alpha", "Beta"]),
        (f"{CRM}LastXDays(PropertyName='createdon',PropertyValue=1)", ["Alpha", "Beta"]),
        (f"{CRM}OlderThanXDays(PropertyName='createdon',PropertyValue=30)", ["Gamma"]),
        (f"{CRM}OnOrAfter(PropertyName='createdon',PropertyValue='2024-05-01')", ["Alpha"]),
        (function("EqualUserId", "createdby"), []),
        ("contact_customer_accounts/any()", ["Alpha", "Beta"]),
        ("contact_customer_accounts/any(c:c/firstname eq 'Bo')", ["Alpha"]),
        ("contact_customer_accounts/all(c:c/firstname ne 'Bo')", ["Beta", "Gamma"]),
        ("not (contact_customer_accounts/any(c:contains(c/firstname,'n')))", ["Beta", "Gamma"]),
        ("name eq description", ["Alpha", "Beta", "Gamma"]),
    ],
)
async def test_a_function_finds(text: str, found: list[str], client: httpx.AsyncClient) -> None:
    query = {"$filter": text, "$orderby": "name", "$select": "name"}
    if "EqualUserId" in text:
        query["$filter"] = text.replace("createdby", "_createdby_value")
    answer = await client.get("/accounts", params=query)
    assert [row["name"] for row in answer.json()["value"]] == found


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": function("Today", "name")},
        {"$filter": function("Between", "creditlimit", "5")},
        {"$filter": function("In", "nonsense", "5")},
        {"$filter": f"{CRM}In(PropertyValues=['a'])"},
        {"$filter": "nonsense/any(c:c/name eq 'a')"},
        {"$filter": "contact_customer_accounts/all()"},
        {"$filter": "name gt creditlimit"},
        {"$apply": "groupby((nonsense))"},
        {"$apply": "aggregate(name with sum as total)"},
        {"$apply": "filter(name eq 'a')"},
        {"$apply": "compute(name as x)"},
        {"$apply": "groupby((name))", "$select": "name"},
        {"$expand": "contact_customer_accounts($top=x)"},
        {"$expand": "contact_customer_accounts($levels=2)"},
        {"$expand": "primarycontactid($filter=lastname eq 'a')"},
    ],
)
async def test_what_makes_no_sense_is_a_bad_request(
    query: dict[str, str], client: httpx.AsyncClient
) -> None:
    answer = await client.get("/accounts", params=query)
    assert answer.status_code == 400, answer.text


async def test_an_unknown_function_says_that_it_is_not_here(client: httpx.AsyncClient) -> None:
    answer = await client.get("/accounts", params={"$filter": function("Above", "accountid")})
    assert answer.status_code == 501


async def test_apply_groups_and_adds_up(client: httpx.AsyncClient) -> None:
    async def ask(text: str, **more: str) -> list[dict[str, object]]:
        answer = await client.get("/contacts", params={"$apply": text, **more})
        rows: list[dict[str, object]] = answer.json()["value"]
        return rows

    text = "groupby((parentcustomerid_account/name),aggregate($count as people))"
    assert await ask(text, **{"$orderby": "people desc"}) == [
        {"parentcustomerid_account/name": "Alpha", "people": 2},
        {"parentcustomerid_account/name": "Beta", "people": 1},
    ]
    everything = (
        "filter(firstname ne 'Cy')/aggregate(parentcustomerid_account/creditlimit with average "
        "as mean,contactid with countdistinct as people,firstname with max as last)"
    )
    assert await ask(everything) == [{"mean": 10.0, "people": 2, "last": "Bo"}]


async def test_fetchxml_filters_links_and_orders(client: httpx.AsyncClient) -> None:
    async def ask(inside: str, head: str = "") -> list[str]:
        entity = f"<entity name='account'><attribute name='name'/>{inside}</entity>"
        xml = f"<fetch {head}>{entity}</fetch>"
        answer = await client.get("/accounts", params={"fetchXml": xml})
        assert answer.status_code == 200, answer.text
        return [row["name"] for row in answer.json()["value"]]

    order = "<order attribute='name'/>"
    either = (
        "<filter type='or'><condition attribute='name' operator='begins-with' value='g'/>"
        "<condition attribute='creditlimit' operator='between'><value>15</value><value>25</value>"
        "</condition></filter>"
    )
    assert await ask(either + order) == ["Beta", "Gamma"]
    without = (
        "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'"
        " link-type='outer'/><filter><condition entityname='c' attribute='contactid'"
        " operator='null'/></filter>"
    )
    assert await ask(without) == ["Gamma"]
    exists = (
        "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='exists'>"
        "<filter><condition attribute='firstname' operator='in'><value>Ann</value></condition>"
        "</filter></link-entity>"
    )
    assert await ask(exists) == ["Alpha"]
    older = (
        "<filter><condition attribute='createdon' operator='olderthan-x-days' value='30'/></filter>"
    )
    assert await ask(older) == ["Gamma"]
    assert await ask("<order attribute='name' descending='true'/>", "top='2'") == ["Gamma", "Beta"]


async def test_fetchxml_counts_by_month(client: httpx.AsyncClient) -> None:
    xml = (
        "<fetch aggregate='true'><entity name='account'>"
        "<attribute name='createdon' alias='month' groupby='true' dategrouping='month'/>"
        "<attribute name='accountid' alias='number' aggregate='count'/>"
        "<attribute name='creditlimit' alias='mean' aggregate='avg'/>"
        "<order alias='month'/></entity></fetch>"
    )
    answer = await client.get("/accounts", params={"fetchXml": xml})
    assert answer.json()["value"] == [
        {"month": 3, "number": 1, "mean": None},
        {"month": 4, "number": 1, "mean": 20.0},
        {"month": 5, "number": 1, "mean": 10.0},
    ]


@pytest.mark.parametrize(
    "xml",
    [
        "<fetch>",
        "<fetch/>",
        "<fetch><entity name='nothing'/></fetch>",
        "<fetch><entity name='contact'/></fetch>",
        "<fetch><entity name='account'><attribute name='nonsense'/></entity></fetch>",
        "<fetch><entity name='account'><nonsense/></entity></fetch>",
        "<fetch aggregate='true'><entity name='account'><attribute name='name'/></entity></fetch>",
        "<fetch><entity name='account'><filter><condition attribute='name'/></filter></entity>"
        "</fetch>",
        "<fetch><entity name='account'><filter><condition attribute='name' operator='sounds'"
        " value='x'/></filter></entity></fetch>",
        "<fetch><entity name='account'><filter><condition attribute='creditlimit' operator='eq'"
        " value='much'/></filter></entity></fetch>",
        "<fetch><entity name='account'><link-entity name='contact' from='nonsense' to='name'/>"
        "</entity></fetch>",
        "<fetch page='x'><entity name='account'/></fetch>",
    ],
)
async def test_fetchxml_that_makes_no_sense_is_a_bad_request(
    xml: str, client: httpx.AsyncClient
) -> None:
    answer = await client.get("/accounts", params={"fetchXml": xml})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM account",
        "SELECT * FROM account",
        "SELECT name FROM account; SELECT 1",
        "SELECT name FROM account UNION SELECT firstname FROM contact",
        "SELECT name FROM account WHERE accountid IN (SELECT parentcustomerid FROM contact)",
        "SELECT UPPER(name) FROM account",
        "SELECT name FROM account a CROSS JOIN contact c",
        "SELECT name FROM contact",
        "SELECT name FROM account, sqlite_master",
        "SELECT a.name FROM account a JOIN nothing n ON a.accountid = n.id",
        "SELECT name FROM account GROUP BY name HAVING COUNT(*) > 1",
        "SELECT nonsense FROM account",
        "SELECT name FROM account WHERE",
    ],
)
async def test_sql_outside_the_subset_is_a_bad_request(sql: str, client: httpx.AsyncClient) -> None:
    assert error(await client.get("/accounts", params={"sql": sql})) == (400, "0x80040203")
