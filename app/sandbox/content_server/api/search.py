"""``POST /v2/search`` with its regions, slices and facets (reference/extended-ecm.md 8.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from app.sandbox.content_server import access, errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.api.workspace_lists import braced
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.content_server.render import (
    collection,
    node_properties,
    paginate,
    version_properties,
)
from app.sandbox.content_server.search.index import Entry, words
from app.sandbox.content_server.search.lql import Match, parse, phrase_matches, word_matches

DEFAULT_PAGE = 10
LARGEST_PAGE = 500
SHOWN_REGIONS = (
    "OTMIMEType",
    "OTName",
    "OTObjectDate",
    "OTObjectSize",
    "OTLocation",
    "OTCreatedBy",
)
REGIONS = (
    *SHOWN_REGIONS,
    *("OTDComment", "OTDataID", "OTParentID", "OTSubType", "OTOwnerID"),
    *("OTCreateDate", "OTModifyDate"),
)
FACETS: Mapping[str, str] = {
    "OTSubType": "Content Type",
    "OTMIMEType": "File Type",
    "OTCreatedBy": "Creator",
    "OTModifyDate": "Modified Date",
}
SLICES: Mapping[int, tuple[str, Callable[[Entry], bool]]] = {
    1: ("Enterprise", lambda entry: True),
    2: ("Documents", lambda entry: entry.regions["OTSubType"] == NodeType.DOCUMENT),
    3: ("Business Workspaces", lambda entry: entry.regions["OTSubType"] == NodeType.WORKSPACE),
}
_MODIFIERS = {"": "{}", "wordbeginswith": "{}*", "wordendswith": "*{}"}


def search(call: Call) -> Any:
    """``POST /v2/search``: what the index knows, permission-filtered, a page of it."""
    call.index.catch_up()
    fields = {**dict(call.query), **call.fields}
    tests = [_query(fields), _slice(fields), *_locations(call, fields)]
    found = [
        (entry, call.store.nodes[entry.node_id])
        for entry in call.index.entries()
        if all(test(entry) for test in tests)
    ]
    store = call.store
    found = [pair for pair in found if access.visible(store, pair[1], call.actor)]
    sort = _text(fields, "sort") or "relevance"
    found = _sorted(found, sort)
    limit = to_int(fields.get("limit"), "limit") or DEFAULT_PAGE
    number = to_int(fields.get("page"), "page") or 1
    page = paginate(found, limit, number, LARGEST_PAGE)
    if store.behaviour.search_repeats_last_page and number > page.pages:
        page = paginate(found, limit, page.pages, LARGEST_PAGE)
    regions = tuple(braced(_text(fields, "select"))) or SHOWN_REGIONS
    shown = [_result(call, entry, node, regions) for entry, node in page.items]
    entries = [entry for entry, _ in found]
    page.items[:] = shown
    answer = collection(page, "/v2/search", call.query.multi_items(), sort)
    header = f"Results {page.first} to {page.last} of {page.total} sorted by {sort}"
    answer["collection"]["paging"]["result_header_string"] = header
    answer["collection"]["searching"] = {
        "cache_id": store.random.randrange(1, 2**31),
        "facets": _facets(call, entries, fields),
        "regions_metadata": {name: {"key": name, "name": name} for name in regions},
        "regions_order": list(regions),
        "result_title": "Search results: Enterprise",
    }
    return answer


def list_regions(call: Call) -> Any:
    """``GET /v1/regions``: what can be searched by, attributes included."""
    names = list(REGIONS)
    for category in call.store.categories.values():
        names += [f"Attr_{category.id}_{attribute.id}" for attribute in category.attributes()]
        for group in category.sets():
            names += [f"Attr_{category.id}_{group.id}_{a.id}" for a in group.attributes]
    return {"data": [{"name": name, "queryable": True, "displayable": True} for name in names]}


def list_slices(_: Call) -> Any:
    """``GET /v1/slices``: the parts of the index that a search can be narrowed to."""
    return {"data": [{"id": number, "name": name} for number, (name, _) in SLICES.items()]}


def _query(fields: Mapping[str, Any]) -> Match:
    text = _text(fields, "where")
    if not text.strip():
        raise errors.missing_argument("where")
    look_for = _text(fields, "lookfor").lower() or "complexquery"
    part = _part(_text(fields, "within").lower() or "all")
    if look_for == "complexquery":
        return parse(text)
    if look_for == "exactphrase":
        return lambda entry: phrase_matches(part(entry), text)
    modifier = _text(fields, "modifier").lower()
    if look_for not in ("allwords", "anywords") or modifier not in _MODIFIERS:
        raise errors.invalid_datatype("lookfor" if modifier in _MODIFIERS else "modifier")
    wanted = [_MODIFIERS[modifier].format(word) for word in words(text)]
    enough = all if look_for == "allwords" else any
    return lambda entry: bool(wanted) and enough(word_matches(part(entry), w) for w in wanted)


def _part(within: str) -> Callable[[Entry], tuple[str, ...]]:
    parts: dict[str, Callable[[Entry], tuple[str, ...]]] = {
        "all": lambda entry: entry.words,
        "content": lambda entry: entry.content,
        "metadata": lambda entry: entry.metadata,
    }
    if within not in parts:
        raise errors.invalid_datatype("within")
    return parts[within]


def _slice(fields: Mapping[str, Any]) -> Match:
    number = to_int(fields.get("slice_id") or fields.get("slice"), "slice") or 1
    if number not in SLICES:
        raise errors.ApiError(400, f"The slice {number} does not exist.")
    return SLICES[number][1]


def _locations(call: Call, fields: Mapping[str, Any]) -> list[Match]:
    """``location_id1``...: found beneath any of these; saved queries do not exist here."""
    for name in ("query_id", "template_id"):
        if to_int(fields.get(name), name):
            raise errors.not_accessible()
    given = [to_int(value, key) for key, value in fields.items() if key.startswith("location_id")]
    ids = {str(abs(call.node(node_id).id)) for node_id in given if node_id is not None}
    if not ids:
        return []
    return [lambda entry: not ids.isdisjoint(str(entry.regions["OTLocation"]).split()[:-1])]


def _sorted(found: list[tuple[Entry, Node]], sort: str) -> list[tuple[Entry, Node]]:
    """By a region; by relevance nothing is better than another, so the oldest come first."""
    if sort == "relevance":
        return found
    direction, _, region = sort.partition("_")
    if direction not in ("asc", "desc") or region not in REGIONS:
        raise errors.ApiError(400, f"Invalid sort column '{sort}'.")
    numeric = region in ("OTObjectSize", "OTDataID", "OTParentID", "OTSubType", "OTOwnerID")

    def key(pair: tuple[Entry, Node]) -> tuple[int, str]:
        value = pair[0].regions[region]
        return (int(value), "") if numeric else (0, str(value).casefold())

    return sorted(found, key=key, reverse=direction == "desc")


def _result(call: Call, entry: Entry, node: Node, regions: tuple[str, ...]) -> dict[str, Any]:
    """The node as the index knows its name; the other properties are read live."""
    store = call.store
    zone = "Z" if store.behaviour.zulu_dates else ""
    data: dict[str, Any] = {
        "properties": node_properties(store, node) | {"name": entry.regions["OTName"]},
        "regions": {name: entry.regions[name] for name in regions if name in entry.regions},
    }
    if node.versions:
        data["versions"] = version_properties(node.versions[-1], zone) | {"id": node.id}
    parent = {"href": f"api/v1/nodes/{node.parent_id}", "name": _name(call, node.parent_id)}
    return {
        "data": data,
        "links": {"parent": parent},
        "search_result_metadata": {
            "current_version": True,
            "object_href": None,
            "object_id": f"DataId={node.id}&Version={len(node.versions)}",
            "result_type": "264",
            "source_id": "1",
            "version_type": None,
        },
    }


def _facets(call: Call, found: list[Entry], fields: Mapping[str, Any]) -> dict[str, Any] | None:
    if "facets" not in braced(_text(fields, "options")):
        return None
    available = []
    for region, title in FACETS.items():
        counts = Counter(entry.regions[region] for entry in found if entry.regions[region] != "")
        items = [
            {
                "count": count,
                "display_name": _name_of_value(call, region, value),
                "percentage": 100 * count / len(found),
                "value": str(value),
            }
            for value, count in counts.most_common()
        ]
        shown = {"count": len(items), "display_name": title, "facet_items": items, "name": region}
        available.append(shown)
    return {"available": available, "selected": []}


def _name_of_value(call: Call, region: str, value: Any) -> str:
    member = call.store.members.get(value) if region == "OTCreatedBy" else None
    return member.display_name if member else str(value)


def _name(call: Call, node_id: int) -> str:
    node = call.store.nodes.get(node_id)
    return node.name if node else ""


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, list | dict):
        raise errors.invalid_datatype(name)
    return "" if value is None else str(value)


ENDPOINTS = (
    Endpoint("POST", "/v2/search", search, "FB"),
    Endpoint("GET", "/v2/search", search),
    Endpoint("GET", "/v1/regions", list_regions),
    Endpoint("GET", "/v1/slices", list_slices),
)
