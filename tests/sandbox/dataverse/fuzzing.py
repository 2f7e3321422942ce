"""Requests to the simulated Dataverse, put together from true and broken parts.

Most random requests are turned away at the door. So each kind but the first is made of parts that
are right more often than not: rows with rows in them, actions with all that they need, change sets
that refer to themselves; what is wrong with such a request goes wrong further inside.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.sandbox.dataverse.fuzzing_parts import (
    ACCOUNT,
    CONTACT,
    CRM,
    DEAL,
    OTHER,
    QUOTE,
    addresses,
    bodies,
    filters,
    headers,
    literals,
    methods,
    names,
    objects,
    one,
    paths,
    queries,
    scraps,
    values,
)

Request = tuple[str, str, list[tuple[str, str]], dict[str, str], bytes]
"""Method, path, query, headers and body."""


def written(body: Any) -> bytes:
    return json.dumps(body).encode()


def mixed(*dictionaries: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """One dictionary of several; what comes later wins."""
    return st.tuples(*dictionaries).map(
        lambda all_: {k: v for one_ in all_ for k, v in one_.items()}
    )


def some(**optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these, each as a strategy or as it is; double underscores are at signs."""
    return st.fixed_dictionaries(
        {},
        optional={
            name.replace("__", "@").replace("_dot_", "."): (
                value if isinstance(value, st.SearchStrategy) else st.just(value)
            )
            for name, value in optional.items()
        },
    )


good_people = some(
    lastname=one("Lee Kim"),
    parentcustomerid_account__odata_dot_bind=f"/accounts({OTHER})",
    parentcustomerid_account=some(name="New"),
)
good_accounts = some(
    name=one("A B"),
    creditlimit=st.integers(0, 9),
    statecode=st.integers(0, 1),
    primarycontactid=good_people,
    contact_customer_accounts=st.lists(good_people, min_size=1, max_size=2),
    contact_customer_accounts__odata_dot_bind=[f"/contacts({CONTACT})"],
)
numbers = st.integers(-5, 5) | st.floats()
people = some(lastname=scraps, firstname="Ann", parentcustomerid_account__odata_dot_bind=addresses)
accounts = some(
    name=scraps,
    accountnumber=one("K1 K2"),
    creditlimit=numbers,
    statecode=st.sampled_from([0, 1, None]),
    customertypecode=st.integers(10, 13),
    primarycontactid__odata_dot_bind=st.sampled_from([f"/contacts({CONTACT})", None]),
    primarycontactid=people,
    contact_customer_accounts=st.lists(people, max_size=2),
    contact_customer_accounts__odata_dot_bind=st.lists(addresses, max_size=2),
)
"""Rows with rows in them, as only a create may have them."""

columns = st.one_of(
    names.filter(str.isidentifier),
    one("primarycontactid@odata.bind contact_customer_accounts@odata.bind ownerid@odata.bind"),
)
spoils = st.dictionaries(columns, values, max_size=1)
rows = st.one_of(
    good_accounts,
    accounts,
    mixed(accounts, spoils),
    st.dictionaries(columns, values, min_size=1, max_size=3),
)
targets = st.sampled_from(
    [
        ("POST", "accounts"),
        ("PATCH", f"accounts({ACCOUNT})"),
        ("PATCH", f"accounts({CONTACT})"),
        ("PATCH", "accounts(accountnumber='K1')"),
        ("PUT", f"accounts({ACCOUNT})/primarycontactid/$ref"),
        ("DELETE", f"contacts({CONTACT})"),
    ]
)

good_filters = st.one_of(
    st.tuples(one("any all"), one("lastname firstname"), one("eq ne"), literals).map(
        lambda p: f"contact_customer_accounts/{p[0]}(c:c/{p[1]} {p[2]} {p[3]})"
    ),
    st.tuples(
        one("In NotIn ContainValues Between"), one("name creditlimit createdon"), literals
    ).map(lambda p: f"{CRM}{p[0]}(PropertyName='{p[1]}',PropertyValues=[{p[2]},{p[2]}])"),
    st.tuples(one("Today LastXDays On OlderThanXDays"), one("createdon name"), literals).map(
        lambda p: f"{CRM}{p[0]}(PropertyName='{p[1]}',PropertyValue={p[2]})"
    ),
    st.tuples(
        one("contains startswith endswith"), one("name description"), one("'%a' '[a-' '_'")
    ).map(lambda p: f"{p[0]}({p[1]},{p[2]})"),
    st.tuples(one("name creditlimit @p1 primarycontactid/fullname"), one("eq gt"), literals).map(
        " ".join
    ),
)
inside = st.lists(
    one("$select=lastname $top=1 $orderby=lastname $filter=lastname%20ne%20null $expand=ownerid"),
    max_size=2,
).map(lambda options: f"({';'.join(options)})".replace("%20", " ") if options else "")
good_expands = st.one_of(
    inside.map(lambda options: f"contact_customer_accounts{options}"),
    one("primarycontactid primarycontactid/$ref ownerid($select=fullname) parentaccountid"),
)
good_queries = st.fixed_dictionaries(
    {},
    optional={
        "$filter": st.one_of(good_filters, filters),
        "$expand": st.lists(good_expands, min_size=1, max_size=2).map(",".join),
        "$select": one("name name,creditlimit"),
        "$orderby": one("name _primarycontactid_value @p1"),
        "@p1": one("name null nonsense"),
        "$count": st.just("true"),
    },
).map(lambda options: list(options.items()))

row_types = st.just(f"{CRM}account") | scraps
bulk = st.fixed_dictionaries(
    {
        "Targets": st.lists(
            mixed(
                accounts,
                some(accountid=st.sampled_from([ACCOUNT, OTHER])),
                st.fixed_dictionaries({"@odata.type": row_types}),
            ),
            max_size=2,
        )
    }
)


def account(row_id: str) -> dict[str, str]:
    return {"@odata.type": f"{CRM}account", "accountid": row_id}


merged = st.sampled_from([ACCOUNT, OTHER, CONTACT]).map(account)
labels = st.just({"LocalizedLabels": [{"Label": "A", "LanguageCode": 1033}]}) | values
choices = some(
    OptionSetName="new_colors",
    EntityLogicalName="account",
    AttributeLogicalName=one("industrycode statecode creditonhold name"),
    Value=st.sampled_from([None, 0, 1, 2, 10**10]),
    Values=st.lists(st.integers(1, 2), max_size=2),
    Label=labels,
)
with_truth: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "WinOpportunity": some(
        Status=st.sampled_from([3, 4, -1]),
        OpportunityClose=some(opportunityid__odata_dot_bind=f"/opportunities({DEAL})"),
    ),
    "CloseQuote": some(
        Status=st.sampled_from([5, 1, -1]),
        QuoteClose=some(quoteid__odata_dot_bind=f"/quotes({QUOTE})", subject=scraps),
    ),
    "ConvertQuoteToSalesOrder": some(QuoteId=st.sampled_from([QUOTE, DEAL])),
    "Merge": st.one_of(
        some(Target=merged, Subordinate=merged, UpdateContent=accounts),
        st.permutations([ACCOUNT, OTHER]).map(
            lambda pair: {"Target": account(pair[0]), "Subordinate": account(pair[1])}
        ),
    ),
    "BulkDelete": some(
        QuerySet=st.lists(some(EntityName=one("account contact"), Criteria=objects), max_size=2)
    ),
    f"accounts/{CRM}CreateMultiple": bulk,
    f"accounts/{CRM}UpdateMultiple": bulk,
    f"accounts/{CRM}UpsertMultiple": bulk,
    f"accounts({ACCOUNT})/contact_customer_accounts": people,
    f"accounts({ACCOUNT})/contact_customer_accounts/$ref": some(__odata_dot_id=addresses),
    "InsertOptionValue": choices,
    "UpdateOptionValue": choices,
    "OrderOption": choices,
}
others = one(
    "EntityDefinitions RelationshipDefinitions EntityDefinitions(LogicalName='account')/Attributes"
    " EntityDefinitions(LogicalName='account')/Keys PublishXml GlobalOptionSetDefinitions"
)
actions = st.one_of(
    st.sampled_from(list(with_truth)).flatmap(
        lambda name: st.tuples(
            st.just(name), st.one_of(with_truth[name], with_truth[name], objects)
        )
    ),
    st.tuples(others, objects),
)

steps = st.sampled_from(
    [("POST", "accounts"), ("PATCH", "$1"), ("PUT", "$2/name"), ("DELETE", f"contacts({CONTACT})")]
)
referring = some(parentaccountid__odata_dot_bind="$1", value=scraps)
inner = st.tuples(
    st.one_of(steps, st.tuples(methods, paths)),
    st.one_of(rows, some(parentaccountid__odata_dot_bind="$1", value=scraps)).map(json.dumps)
    | scraps,
    one("1 2 a"),
).map(
    lambda p: (
        f"Content-Type: application/http\r\nContent-ID: {p[2]}\r\n\r\n{p[0][0]}"
        f" {p[0][1] if p[0][1][:1] == '$' else '/api/data/v9.2/' + p[0][1]}"
        f" HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{p[1]}\r\n"
    )
)


def batch(parts: list[str], whole: bool, end: str) -> bytes:
    """Operations alone, or as a change set."""
    if whole:
        text = "".join(f"--b\r\n{part}" for part in parts) + f"--b--\r\n{end}"
    else:
        changes = "".join(f"--c\r\n{part}" for part in parts) + "--c--\r\n"
        text = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{changes}--b--\r\n"
    return text.encode("utf-8", "surrogatepass")


BATCH = {"content-type": "multipart/mixed; boundary=b"}
REQUESTS: dict[str, st.SearchStrategy[Request]] = {
    "anything": st.tuples(methods, paths, queries, headers, bodies),
    "queries": st.tuples(
        st.just("GET"),
        st.sampled_from(["accounts", "accounts", f"accounts({ACCOUNT})"]),
        st.one_of(good_queries, queries),
        headers,
        st.just(b""),
    ),
    "rows": st.tuples(targets, headers, rows).map(lambda p: (*p[0], [], p[1], written(p[2]))),
    "actions": actions.map(lambda p: ("POST", p[0], [], {}, written(p[1]))),
    "batches": st.builds(batch, st.lists(inner, max_size=3), st.booleans(), scraps).map(
        lambda body: ("POST", "$batch", [], BATCH, body)
    ),
}
"""What is asked, by kind."""
