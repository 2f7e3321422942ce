"""Microsoft's Dataverse client asks: options, its query builder, FetchXML, SQL."""

from __future__ import annotations

from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col, raw
from PowerPlatform.Dataverse.models.query_builder import ExpandOption

from app.sandbox.dataverse import Reference
from tests.conformance.dataverse import Builder, Fetch, Served, only_blocking, watch


async def test_a_query_turns_its_pages(dataverse: Served) -> None:
    for number in range(23):
        values = {"name": f"A{number:02d}", "telephone1": "even" if number % 2 == 0 else "odd"}
        dataverse.simulator.seed("account", values)

    def work(client: Any) -> Any:
        pages = client.records.list_pages(
            "account",
            select=["name"],
            filter="telephone1 eq 'even'",
            orderby=["name desc"],
            page_size=5,
        )
        return [[row["name"] for row in page] for page in pages]

    pages = await dataverse.drive(work)
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [name for page in pages for name in page] == [
        f"A{number:02d}" for number in range(22, -1, -2)
    ]


async def test_the_query_builder_speaks_the_filters_of_the_simulator(dataverse: Served) -> None:
    for name, limit in (("Alpha", 10.0), ("Beta", 20.0), ("Gamma", None)):
        dataverse.simulator.seed("account", {"name": name, "creditlimit": limit})

    def work(client: Any) -> Any:
        def query(*conditions: Any) -> list[str]:
            builder = (
                watch(client.query.builder("account"), Builder).select("name").order_by("name")
            )
            for condition in conditions:
                builder = builder.where(condition)
            return [row["name"] for row in builder.execute()]

        return [
            query(col("creditlimit") > 10),
            query(col("creditlimit").is_null()),
            query(col("name").contains("a"), ~(col("name") == "Beta")),
            query((col("name") == "Alpha") | (col("creditlimit") >= 20)),
            query(col("name").in_(["alpha", "Gamma"])),
        ]

    assert await dataverse.drive(work) == [
        ["Beta"],
        ["Gamma"],
        ["Alpha", "Gamma"],
        ["Alpha", "Beta"],
        ["Alpha", "Gamma"],
    ]


def seed_people(dataverse: Served) -> dict[str, str]:
    """Two companies, three people; ids by name."""
    ids = {}
    for company, limit in (("Kumi Oy", 100.0), ("Zeta", 50.0)):
        values = {"name": company, "creditlimit": limit, "creditonhold": company == "Zeta"}
        ids[company] = dataverse.simulator.seed("account", values).id
    for first, company in (("Ann", "Kumi Oy"), ("Bo", "Kumi Oy"), ("Cy", "Zeta")):
        belongs = Reference("account", ids[company])
        values = {"firstname": first, "lastname": "X", "parentcustomerid": belongs}
        ids[first] = dataverse.simulator.seed("contact", values).id
    return ids


async def test_lists_are_read_whole_with_count_and_labels(dataverse: Served) -> None:
    seed_people(dataverse)

    def work(client: Any) -> Any:
        found = client.records.list(
            "account",
            filter=col("creditlimit") >= 50,
            select=["name", "creditonhold"],
            orderby=["name desc"],
            page_size=1,
            count=True,
            include_annotations="*",
        )
        return [(r["name"], r[f"creditonhold@{FORMATTED}"]) for r in found]

    assert await dataverse.drive(work) == [("Zeta", "Yes"), ("Kumi Oy", "No")]


FORMATTED = "OData.Community.Display.V1.FormattedValue"


async def test_the_builder_tests_ranges_patterns_and_lists(dataverse: Served) -> None:
    seed_people(dataverse)

    def work(client: Any) -> Any:
        def query(condition: Any) -> list[str]:
            builder = client.query.builder("contact").select("firstname").order_by("firstname")
            return [row["firstname"] for row in watch(builder.where(condition), Builder).execute()]

        return [
            query(col("firstname").between("Ann", "Bo")),
            query(col("firstname").not_between("Ann", "Bo")),
            query(col("firstname").like("B%")),
            query(col("firstname").not_like("%n")),
            query(col("firstname").not_in(["Ann", "Cy"])),
            query(col("parentcustomerid_account/name") == "Zeta"),
            query(raw("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')")),
        ]

    assert await dataverse.drive(work) == [
        ["Ann", "Bo"],
        ["Cy"],
        ["Bo"],
        ["Bo", "Cy"],
        ["Bo"],
        ["Cy"],
        ["Ann", "Bo", "Cy"],
    ]


async def test_the_builder_expands_a_collection_and_turns_pages(dataverse: Served) -> None:
    seed_people(dataverse)

    def work(client: Any) -> Any:
        people = ExpandOption("contact_customer_accounts").select("firstname")
        people = people.filter("firstname ne 'Bo'").order_by("firstname", descending=True).top(5)
        builder = client.query.builder("account").select("name").order_by("name").expand(people)
        pages = watch(builder.page_size(1).count(), Builder).execute_pages()
        return [
            (row["name"], [person["firstname"] for person in row["contact_customer_accounts"]])
            for page in pages
            for row in page
        ]

    assert await dataverse.drive(work) == [("Kumi Oy", ["Ann"]), ("Zeta", ["Cy"])]


async def test_what_can_be_expanded_selected_and_bound_is_discovered(dataverse: Served) -> None:
    seed_people(dataverse)

    def work(client: Any) -> Any:
        expands = client.query.odata_expands("contact")
        columns = [column["name"] for column in client.query.sql_columns("contact")]
        return expands, columns

    expands, columns = await dataverse.drive(work)
    to_accounts = next(e for e in expands if e["nav_property"] == "parentcustomerid_account")
    assert to_accounts["target_entity_set"] == "accounts"
    assert to_accounts["lookup_attribute"] == "parentcustomerid"
    assert columns[:2] == ["contactid", "fullname"]


@only_blocking
async def test_the_older_way_to_discover_still_works(dataverse: Served) -> None:
    ids = seed_people(dataverse)

    def work(client: Any) -> Any:
        with pytest.warns(DeprecationWarning):
            selectable = client.query.odata_select("contact")
        with pytest.warns(DeprecationWarning):
            navigation = client.query.odata_expand("opportunity", "account")
        with pytest.warns(DeprecationWarning):
            bound = client.query.odata_bind("contact", "account", ids["Zeta"])
        client.records.update("contact", ids["Ann"], bound)
        return selectable, navigation

    selectable, navigation = await dataverse.drive(work)
    assert "emailaddress1" in selectable
    assert navigation in ("customerid_account", "parentaccountid")
    row = dataverse.simulator.row("contact", ids["Ann"])
    assert row is not None
    assert row.values["parentcustomerid"] == Reference("account", ids["Zeta"])


async def test_fetchxml_joins_and_turns_pages(dataverse: Served) -> None:
    seed_people(dataverse)
    xml = """
      <fetch count="1">
        <entity name="contact">
          <attribute name="firstname" />
          <order attribute="firstname" descending="true" />
          <link-entity name="account" from="accountid" to="parentcustomerid" alias="a">
            <attribute name="name" />
            <filter><condition attribute="name" operator="like" value="Kumi%" /></filter>
          </link-entity>
        </entity>
      </fetch>"""

    def work(client: Any) -> Any:
        everything = watch(client.query.fetchxml(xml), Fetch).execute()
        pages = list(watch(client.query.fetchxml(xml), Fetch).execute_pages())
        return [(row["firstname"], row["a.name"]) for row in everything], len(pages)

    assert await dataverse.drive(work) == ([("Bo", "Kumi Oy"), ("Ann", "Kumi Oy")], 2)


async def test_fetchxml_aggregates(dataverse: Served) -> None:
    seed_people(dataverse)
    xml = """
      <fetch aggregate="true">
        <entity name="account">
          <attribute name="name" alias="company" groupby="true" />
          <attribute name="creditlimit" alias="limit" aggregate="sum" />
          <order alias="company" />
          <link-entity name="contact" from="parentcustomerid" to="accountid" alias="c">
            <attribute name="contactid" alias="people" aggregate="countcolumn" distinct="true" />
          </link-entity>
        </entity>
      </fetch>"""

    def work(client: Any) -> Any:
        rows = watch(client.query.fetchxml(xml), Fetch).execute()
        return [(row["company"], row["limit"], row["people"]) for row in rows]

    assert await dataverse.drive(work) == [("Kumi Oy", 200.0, 2), ("Zeta", 50.0, 1)]


async def test_sql_joins_groups_orders_and_cuts(dataverse: Served) -> None:
    seed_people(dataverse)

    def work(client: Any) -> Any:
        def sql(text: str) -> list[Any]:
            return [dict(row.data) for row in client.query.sql(text)]

        joined = (
            "SELECT a.name, COUNT(c.contactid) AS people FROM account a "
            "LEFT JOIN contact c ON a.accountid = c.parentcustomerid "
            "GROUP BY a.name ORDER BY people DESC"
        )
        return [
            sql(joined),
            sql("SELECT TOP 1 name, creditonhold FROM account WHERE name LIKE 'z%'"),
            sql("SELECT name FROM account ORDER BY name OFFSET 1 ROWS FETCH NEXT 5 ROWS ONLY"),
            sql("SELECT DISTINCT lastname FROM contact WHERE firstname IN ('ann', 'Bo')"),
            sql("SELECT name FROM account WHERE creditlimit BETWEEN 60 AND 200"),
        ]

    assert await dataverse.drive(work) == [
        [{"name": "Kumi Oy", "people": 2}, {"name": "Zeta", "people": 1}],
        [{"name": "Zeta", "creditonhold": True}],
        [{"name": "Zeta"}],
        [{"lastname": "X"}],
        [{"name": "Kumi Oy"}],
    ]


async def test_sql_turns_pages_and_refuses_what_is_not_there(
    dataverse: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.dataverse.queries.sql.MAX_PAGE", 2)
    for number in range(5):
        dataverse.simulator.seed("account", {"name": f"A{number}"})

    def work(client: Any) -> Any:
        with pytest.raises(HttpError) as unknown:
            client.query.sql("SELECT nonsense FROM account")
        rows = client.query.sql("SELECT name FROM account ORDER BY name")
        return unknown.value, [row["name"] for row in rows]

    error, names = await dataverse.drive(work)
    assert (error.status_code, "nonsense" in str(error)) == (400, True)
    assert names == ["A0", "A1", "A2", "A3", "A4"]
