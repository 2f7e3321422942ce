"""No request makes the simulated finance and operations fail: odd ones are refused in its shape."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.events.finance_entities import ENTITIES, ENUMS
from app.sandbox.finance import FinanceSimulator
from app.sandbox.finance.simulator import SYSTEM_USER
from tests.sandbox.finance.conftest import APP_ID

URL = "http://erp.test"
LAW = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ENTRA = EntraSimulator("contoso", [EntraClient(APP_ID)])

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_FIELDS = sorted({name for entity in ENTITIES for name in entity.fields})
_WORDS = st.sampled_from(
    [*_FIELDS, "eq", "ne", "gt", "and", "or", "not", "(", ")", "'V-1'", "'*'", "null", "in", "''",
     "1900-01-01T12:00:00Z", "5", "-1.5e3", "contains(", ",", "*", "true", "/any(x:x eq 1)",
     *(f"Microsoft.Dynamics.DataEntities.{enum}'{symbol}'"
       for enum, symbols in ENUMS.items() for symbol in symbols)]
)  # fmt: skip
_FILTERS = st.lists(_WORDS | _TEXT, max_size=8).map(" ".join)
_SETS = st.sampled_from([entity.entity_set for entity in ENTITIES]) | _TEXT
_KEYS = st.lists(
    st.builds(
        lambda name, value: f"{name}={value}",
        st.sampled_from(_FIELDS) | _TEXT,
        st.sampled_from(["'V-1'", "'usmf'", "1900-01-01T12:00:00Z", "'"]) | _TEXT,
    ),
    max_size=4,
).map(",".join)
_PATHS = st.one_of(
    st.builds("/data/{}".format, _SETS.map(lambda name: quote(name, safe=""))),
    st.builds(
        lambda name, key: f"/data/{quote(name, safe='')}({quote(key, safe=chr(39))})", _SETS, _KEYS
    ),
    st.just("/data/VendorsV2(dataAreaId='usmf',VendorAccountNumber='V-1')"),
    st.sampled_from(["/data/$batch", "/data/$metadata", "/metadata/PublicEntities", "/data/", "/"]),
    _TEXT.map(lambda text: f"/{quote(text, safe='')}"),
)
_OPTIONS = st.dictionaries(
    st.sampled_from(
        ["$filter", "$select", "$top", "$skip", "$count", "$orderby", "$expand", "$skiptoken",
         "cross-company", "$apply"]
    ),
    _FILTERS | st.integers(-5, 10**12).map(str) | st.sampled_from(["true", *_FIELDS]),
    max_size=4,
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_FIELDS) | _TEXT, inner, max_size=5)
    ),
    max_leaves=10,
)
_BODIES = _JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
_BATCHES = _TEXT.map(
    lambda text: (
        f"--b\r\nContent-Type: application/http\r\n\r\nGET {text} HTTP/1.1\r\n\r\n\r\n--b--"
    ).encode("utf-8", "replace")
)
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If-Match": st.sampled_from(["*", 'W/"x"', ""]),
        "Prefer": st.sampled_from(["odata.maxpagesize=0", "odata.maxpagesize=2", "x"]),
        "Content-Type": st.sampled_from(
            ["application/json", "multipart/mixed; boundary=b", "multipart/mixed"]
        ),
    },
)


def opened() -> FinanceSimulator:
    """An environment with a vendor, which is asked without a socket."""
    finance = FinanceSimulator(ENTRA, application_users={APP_ID: "dovetail"}, page_size=3)
    finance.application.audiences = (URL,)
    for number in range(5):
        finance.seed("VendorsV2", {"VendorAccountNumber": f"V-{number}"}, user=SYSTEM_USER)
    return finance


@LAW
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE"]),
    path=_PATHS,
    options=_OPTIONS,
    body=_BODIES | _BATCHES,
    headers=_HEADERS,
)
async def test_every_request_is_answered_or_refused_in_the_services_shape(
    method: str, path: str, options: dict[str, str], body: bytes, headers: dict[str, str]
) -> None:
    finance = opened()
    token = ENTRA.issue(APP_ID, URL)
    transport = httpx.ASGITransport(app=finance.application)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        answer = await client.request(
            method,
            path,
            params=options,
            content=body,
            headers={**headers, "Authorization": f"Bearer {token}"},
        )
    assert answer.status_code < 500
    if answer.status_code >= 400:
        error: dict[str, Any] = answer.json()["error"]
        assert error["innererror"]["message"]
    assert all(
        set(row.values) == set(entity.fields)
        for entity in ENTITIES
        for row in finance.rows(entity.entity_set)
    )
