"""Whatever is asked of it, the server answers: what it does not take it refuses in its own words.

Short stories of requests, odd and right arguments mixed, go into the application itself, without a
socket: an exception of our code would come out of it. A 5xx has to be one that the product sends
too: a JSON object with one of the texts that are listed here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.sandbox.content_server import Behaviour, categories, errors, nodes, roles
from app.sandbox.content_server.api.call import Endpoint
from app.sandbox.content_server.api.table import DIRECTORY_ENDPOINTS, ENDPOINTS
from tests.sandbox.content_server.fuzzing import World, ask

ALL = (*ENDPOINTS, *DIRECTORY_ENDPOINTS)
#: What the product answers with HTTP 500 although nothing is broken (reference/extended-ecm.md 9).
WITH_500 = re.compile(
    r"already (exists|assigned|linked|been)|has been uploaded already"
    r"|upload key is invalid or has expired|is reserved by another user"
    r"|is on hold|is an? (final|official) record|cannot be parsed"
    r"|^Argument \w+ is required$|^Invalid export destination$"
    r"|^Specified node is not a WebReport node\.$|^No output returned from WebReport execution$"
    rf"|^{re.escape(errors.NOT_ACCESSIBLE)}$|^{re.escape(errors.INSUFFICIENT_PERMISSIONS)}$"
    rf"|^{re.escape(Behaviour().relation_present_text)}$"
)
ODD = st.sampled_from(
    [
        *("", "x", "0", "-1", "1e9", "true", "null", "NaN", "\x00", "ü\ud800", "a" * 300, ":"),
        *("2026-02-30", "2026-03-20", "{1,2}", "{'child'}", "desc_name", "asc_", "fox*", "(", '"'),
        *("99999999999999999999999", "Approve", "add", "json", "D365", "account", "suspend"),
        *("name LIKE '*' AND id > 3", "properties{id}", "versions.element(-1)", "9" * 5000),
    ]
)
FIRST = World()
VALUES: st.SearchStrategy[Any] = st.one_of(
    ODD,
    st.sampled_from(FIRST.ids),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.integers(-(2**70), 2**70),
)
INNER = st.sampled_from(
    [
        *FIRST.keys,
        *map(str, FIRST.ids),
        *("id", "name", "values", "rows", "columns", "categories", "role", "users"),
        *("relation_type", "business_objects", "bo_id", "bo_type", "ext_system_id"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=6,
)
REQUEST = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from(ALL),
        "sample": st.booleans(),
        "choice": st.integers(0, 2**32),
        "query": st.lists(st.tuples(st.integers(0, 999), VALUES), max_size=4),
        "odd": st.one_of(JSON, JSON, st.lists(JSON, max_size=2)),
        "fields": st.lists(st.tuples(st.integers(0, 999), JSON), max_size=8),
        "encoding": st.sampled_from(["declared", "declared", "F", "B", "M", "J", "raw"]),
    }
)
Story = list[dict[str, Any]]
STORIES = 8
FUZZED = settings(
    deadline=None,
    derandomize=True,
    # A story is short enough to be read as it is; making it shorter takes longer than finding it.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
Call = tuple[str, str]


async def told(story: Story) -> set[Call]:
    """Play a story on a new server, and look at every answer; the calls that succeeded."""
    world = World()
    succeeded: set[Call] = set()
    async with world.http:
        for request in story:
            answer = await ask(world, request)
            check(answer)
            if answer.status_code < 400:
                succeeded.add((request["endpoint"].method, request["endpoint"].pattern))
            if request["endpoint"].handler.__name__ == "sign_out":
                world.sign_in()
    return succeeded


def check(answer: httpx.Response) -> None:
    """A success, or a refusal in the product's words."""
    if answer.status_code < 400:
        return
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    said = answer.json().get("error")
    if said is None:  # a job over many items says what became of each
        assert isinstance(answer.json()["results"], dict), answer.text
        return
    assert isinstance(said, str) and said, answer.text
    assert answer.status_code < 500 or WITH_500.search(said), answer.text


def stories_of(endpoint: Endpoint) -> st.SearchStrategy[Story]:
    """A request of this call, after none or a few of any other."""
    last = REQUEST.map(lambda request: {**request, "endpoint": endpoint})
    return st.tuples(st.lists(REQUEST, max_size=2), last).map(lambda pair: [*pair[0], pair[1]])


def tell_stories_of(endpoint: Endpoint, count: int = STORIES) -> set[Call]:
    """Play so many of them; raises what goes wrong, returns which calls succeeded."""
    succeeded: set[Call] = set()

    def tell(story: Story) -> None:
        succeeded.update(asyncio.run(told(story)))

    given(stories_of(endpoint))(settings(FUZZED, max_examples=count)(tell))()
    return succeeded


@pytest.mark.parametrize("endpoint", ALL, ids=lambda e: f"{e.method} {e.pattern}")
def test_every_call_answers_or_refuses_in_the_products_words(endpoint: Endpoint) -> None:
    tell_stories_of(endpoint)


def test_the_stories_get_past_the_refusals() -> None:
    """A fuzzer whose requests are all refused at the door finds nothing."""
    succeeded = {call for endpoint in ALL for call in tell_stories_of(endpoint, 3)}
    missed = {(endpoint.method, endpoint.pattern) for endpoint in ALL} - succeeded
    assert len(succeeded) > len(ALL) * 0.45, sorted(missed)


_ROLE_MEMBER = "/v2/businessworkspaces/{id:int}/roles/{role_id:int}/members/{member_id:int}"


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        (roles, "remove_member", _ROLE_MEMBER),
        (nodes, "update", "/v2/nodes/{id:int}"),
        (categories, "remove", "/v2/nodes/{id:int}/categories/{category_id:int}"),
    ],
)
def test_a_fault_in_our_code_does_not_pass_for_an_answer(
    module: Any, name: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stories find a planted fault: nothing between the code and the test hides it."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(module, name, broken)
    method = "DELETE" if name.startswith("remove") else "PUT"
    (endpoint,) = [e for e in ENDPOINTS if (e.method, e.pattern) == (method, call)]
    with pytest.raises(ZeroDivisionError):
        tell_stories_of(endpoint, 100)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, {"json": {"error": "ZeroDivisionError"}}),
        (500, {"html": "<html>Traceback</html>"}),
        (400, {"json": {"error": ""}}),
        (404, {"html": "<html>Not found</html>"}),
        (503, {"json": {"error": "down"}}),
    ],
)
def test_an_answer_that_the_product_would_not_give_is_told(
    status: int, content: Mapping[str, Any]
) -> None:
    with pytest.raises(AssertionError):
        check(httpx.Response(status, **content))
