"""What random requests to the simulated Dataverse are made of: names, keys, options, values."""

from __future__ import annotations

import json

from hypothesis import strategies as st

ACCOUNT = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
CONTACT = "bbbbbbbb-0000-4000-8000-000000000001"
DEAL = "cccccccc-0000-4000-8000-000000000001"
QUOTE = "dddddddd-0000-4000-8000-000000000001"
CRM = "Microsoft.Dynamics.CRM."


def one(words: str) -> st.SearchStrategy[str]:
    """One of the words of a text."""
    return st.sampled_from(words.split(" "))


scraps = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["'", "''", "(", ")", "%", "\x00", "\ud800", "null", "$", "/", "..", "é", "😀"]
    ),
)
names = one(
    "name accountid creditlimit createdon statecode _ownerid_value ownerid primarycontactid"
    " contact_customer_accounts new_contract versionnumber nonsense _primarycontactid_value"
    " parentaccountid primarycontactid/fullname fullname"
)
literals = st.one_of(
    st.sampled_from(
        ["'Kumi'", "1", "-1.5", "null", "true", ACCOUNT, "2024-05-01T10:00:00Z", "1e999"]
    ),
    st.integers().map(str),
    scraps,
)
keys = st.one_of(
    st.sampled_from([ACCOUNT, CONTACT, "accountnumber='K1'", f"_primarycontactid_value={CONTACT}"]),
    st.tuples(names, literals).map("=".join),
    scraps,
)
sets = st.sampled_from(["accounts", "contacts", "opportunities", "asyncoperations", "nothings"])
heads = st.one_of(
    sets,
    st.tuples(sets, keys).map(lambda p: f"{p[0]}({p[1]})"),
    one(
        "WhoAmI $batch BulkDelete CreateEntities WinOpportunity CloseQuote Merge Nothing /"
        " $metadata EntityDefinitions EntityDefinitions(LogicalName='account')"
        " RelationshipDefinitions RetrieveMetadataChanges(Query=@p1) RetrieveVersion()"
        " ConvertQuoteToSalesOrder RetrieveTotalRecordCount(EntityNames=['account'])"
    ),
    scraps,
)
tails = st.lists(
    st.one_of(
        names,
        one(
            "$ref $value $count Attributes Keys OneToManyRelationships"
            f" {CRM}CreateMultiple {CRM}UpsertMultiple {CRM}Nothing {CRM}PicklistAttributeMetadata"
            f" contact_customer_accounts({CONTACT}) Attributes(LogicalName='name')"
            f" Attributes({ACCOUNT})"
        ),
        scraps,
    ),
    max_size=3,
)
paths = st.tuples(heads, tails).map(lambda parts: "/".join((parts[0], *parts[1])))

comparisons = st.one_of(
    st.tuples(names, st.sampled_from(["eq", "ne", "gt", "le", "has"]), literals).map(" ".join),
    st.tuples(st.sampled_from(["contains", "endswith"]), names, literals).map(
        lambda p: f"{p[0]}({p[1]},{p[2]})"
    ),
    st.tuples(
        st.sampled_from(["In", "Between", "LastXDays", "Today", "On", "ContainValues"]),
        names,
        literals,
    ).map(lambda p: f"{CRM}{p[0]}(PropertyName='{p[1]}',PropertyValues=[\"{p[2]}\",'1'])"),
    st.tuples(names, names, literals).map(lambda p: f"{p[0]}/any(c:c/{p[1]} eq {p[2]})"),
    scraps,
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or ", " xor "]), inner).map("".join),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text}"),
    ),
    max_leaves=4,
)
fetches = st.tuples(
    names, st.sampled_from(["eq", "in", "like", "last-x-days", "null"]), scraps
).map(
    lambda p: (
        f"<fetch top='2' page='1'><entity name='account'><attribute name='{p[0]}'/><filter>"
        f"<condition attribute='{p[0]}' operator='{p[1]}' value='{p[2]}'/></filter>"
        "<link-entity name='contact' from='contactid' to='primarycontactid' alias='c'"
        " link-type='outer'><all-attributes/></link-entity></entity></fetch>"
    )
)
statements = st.tuples(names, names, literals).map(
    lambda p: f"SELECT {p[0]}, COUNT(*) FROM account WHERE {p[1]} = {p[2]} GROUP BY {p[0]}"
)
applied = st.tuples(names, names).map(
    lambda p: f"groupby(({p[0]}),aggregate({p[1]} with sum as total,$count as n))"
)
expanded = st.tuples(names, names, filters).map(
    lambda p: f"{p[0]}($select={p[1]};$filter={p[2]};$orderby={p[1]} desc;$top=2)"
)
cookies = st.one_of(
    scraps,
    st.binary(max_size=20).map(lambda b: f'<cookie pagingcookie="{b.hex()}" istracking="False" />'),
)
options = st.one_of(
    st.tuples(st.just("$filter"), filters),
    st.tuples(st.just("$select"), st.lists(names, max_size=3).map(",".join)),
    st.tuples(st.just("$orderby"), st.tuples(names, scraps).map(" ".join)),
    st.tuples(st.just("$expand"), st.one_of(names, expanded)),
    st.tuples(st.just("$top"), literals),
    st.tuples(st.just("$count"), st.just("true")),
    st.tuples(st.just("$apply"), applied),
    st.tuples(st.just("$skiptoken"), cookies),
    st.tuples(st.just("$deltatoken"), st.one_of(scraps, st.just("1000001!05/01/2024 10:00:00"))),
    st.tuples(st.just("fetchXml"), st.one_of(fetches, scraps)),
    st.tuples(st.just("sql"), st.one_of(statements, scraps)),
    st.tuples(st.just("@p1"), st.one_of(scraps, st.just('{"Criteria":{"Conditions":[]}}'))),
    st.tuples(st.sampled_from(["sessiontoken", "tag", "$id", "$skip", "x-ms-file-name"]), scraps),
)
queries = st.lists(options, max_size=3)

addresses = one(f"{ACCOUNT} /contacts({CONTACT}) /accounts(accountnumber='K1') /nothings(1)")
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), scraps, addresses),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.one_of(names, scraps), inner, max_size=2)
    ),
    max_leaves=4,
)
fields = st.one_of(
    names,
    names.map(lambda name: f"{name}@odata.bind"),
    one(
        "value @odata.id @odata.type Targets Entities QuerySet Status OpportunityClose SchemaName"
        " KeyAttributes Lookup CascadeConfiguration"
    ),
)
objects = st.dictionaries(fields, values, max_size=4)
batches = st.tuples(paths, scraps).map(
    lambda p: (
        f"--b\r\nContent-Type: application/http\r\n\r\nGET /api/data/v9.2/{p[0]} HTTP/1.1\r\n"
        f"{p[1]}\r\n\r\n--b--\r\n"
    ).encode("utf-8", "surrogatepass")
)
bodies = st.one_of(
    objects.map(lambda body: json.dumps(body).encode()),
    values.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=30),
    batches,
)
headers = st.dictionaries(
    one(
        "prefer if-match if-none-match content-type content-range x-ms-file-name mscrmcallerid"
        " callerobjectid x-ms-transfer-mode host mscrm.suppressduplicatedetection"
    ),
    st.one_of(
        one(
            'odata.track-changes,odata.maxpagesize=1 return=representation * chunked W/"1" false'
            ' odata.include-annotations="*" odata.continue-on-error null'
            f" multipart/mixed;boundary=b {ACCOUNT}"
        ),
        st.just("bytes 0-3/4"),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
    ),
    max_size=3,
)
methods = st.sampled_from(["GET", "GET", "POST", "PATCH", "PUT", "DELETE", "MERGE"])
