"""Categories of a node by label: which there are, what they hold, and writing what differs.

reference/extended-ecm.md 4. Rules name categories and attributes by label; Content Server wants
ids. The node's own categories (``?metadata``) teach both; what was learned from any node or
template serves for nodes that do not carry the category yet. An attribute in a set is named
``Set:Attribute``; a list fills the set's rows, one value the first row only (see `cells`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clients.ecm.answers import body_form, number, one
from app.clients.ecm.attributes import Attribute, Value, attribute_named
from app.clients.ecm.cells import Cell, Wanted, cells, fills_rows, form_of, rows_to_remove
from app.clients.ecm.members import Members
from app.clients.http import Endpoint, Form
from streams.errors import Misconfigured, Refused
from streams.messages.commands import Attributes, AttributeValue

#: Refusals that a server gives to an encoding that it does not take.
_NOT_TAKEN = ("value_invalid", "request_invalid", "application_error")


@dataclass(frozen=True, slots=True)
class Category:
    """A category's id and its attributes by label in lower case."""

    id: int
    name: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def attribute(self, label: str) -> Attribute:
        """The attribute; Misconfigured (``attribute_unknown``) when there is none."""
        return attribute_named(
            label,
            self.attributes,
            of=f"The category {self.name!r}",
            advice="Correct the rule, or upgrade the category of the template.",
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """A category on a node with its present values by key."""

    category: Category
    values: Mapping[str, Any]


class Categories:
    """Reads and writes categories of nodes."""

    def __init__(self, endpoint: Endpoint, members: Members) -> None:
        self._endpoint = endpoint
        self._members = members
        self._learned: dict[str, Category] = {}
        self._names: dict[int, str] = {}
        self._templates_read: set[int] = set()

    async def learn(self, template_id: int) -> None:
        """Learn the categories that a template carries; read once for each template."""
        if template_id not in self._templates_read:
            await self.of_node(template_id)
            self._templates_read.add(template_id)

    def known(self, name: str) -> Category | None:
        """A category that was seen on some node, by name."""
        return self._learned.get(name.casefold())

    def labels(self) -> dict[str, tuple[str, ...]]:
        """The attributes' labels of every category that was seen, by its name."""
        return {
            category.name: tuple(a.label for a in category.attributes.values())
            for category in self._learned.values()
        }

    async def of_node(self, node_id: int) -> dict[str, Filled]:
        """The node's categories by name in lower case."""
        path = f"/v2/nodes/{node_id}/categories?metadata"
        body = (await self._endpoint.call("read_categories", "GET", path)).body
        values, definitions = _by_category(body)
        found: dict[str, Filled] = {}
        for category_id, entries in definitions.items():
            category = await self._category(category_id, entries)
            self._learned[category.name.casefold()] = category
            found[category.name.casefold()] = Filled(category, values.get(category_id, {}))
        return found

    async def for_creation(self, attributes: Attributes) -> dict[str, dict[str, Any]]:
        """The ``roles.categories`` of a create call: nested by category id.

        The template's categories have to be learned before.
        """
        nested: dict[str, dict[str, Any]] = {}
        for name, wanted in attributes.items():
            category = self.known(name) or _unknown(name, self._learned)
            values = cells(await self._wanted(category, wanted))
            nested[str(category.id)] = {cell.key: cell.value for cell in values}
        return nested

    async def settle(self, node_id: int, attributes: Attributes) -> None:
        """Remove what rows the template has beyond those that a new node was given."""
        filling = {n: wanted for n, wanted in attributes.items() if fills_rows(wanted.values())}
        await self.write(node_id, filling)

    async def write(self, node_id: int, attributes: Attributes) -> None:
        """Bring the attributes to these values; a category that is missing is applied."""
        present = await self.of_node(node_id) if attributes else {}
        for name, wanted in attributes.items():
            filled = present.get(name.casefold())
            if filled is None:
                category = self.known(name) or _unknown(name, self._learned)
                await self._apply(node_id, category, wanted)
            else:
                await self._change(node_id, filled, wanted)

    async def _apply(
        self, node_id: int, category: Category, wanted: Mapping[str, AttributeValue]
    ) -> None:
        values = cells(await self._wanted(category, wanted))
        filled = [cell for cell in values if cell.value not in (None, "", [])]
        form = {"category_id": str(category.id), **form_of(filled, ())}
        try:
            await self._endpoint.call(
                "apply_category", "POST", f"/v2/nodes/{node_id}/categories", form=form
            )
        except Refused as refused:
            if refused.code != "already_there":
                raise
            # Somebody applied it since we looked: change what differs.
            present = (await self.of_node(node_id)).get(category.name.casefold())
            if present is None:
                raise
            await self._change(node_id, present, wanted)

    async def _change(
        self, node_id: int, filled: Filled, wanted: Mapping[str, AttributeValue]
    ) -> None:
        values = await self._wanted(filled.category, wanted)
        changes, removed = _differing(values, filled.values)
        if removed or any(cell.is_empty_number for cell in changes):
            await self._change_and_look(node_id, filled, values)
        elif changes:
            await self._put(node_id, filled.category, form_of(changes, ()))

    async def _put(self, node_id: int, category: Category, form: Form) -> None:
        path = f"/v2/nodes/{node_id}/categories/{category.id}/"
        await self._endpoint.call("write_category", "PUT", path, form=form)

    async def _change_and_look(self, node_id: int, filled: Filled, values: list[Wanted]) -> None:
        """Write changes that empty a number or remove rows, in whichever encoding serves.

        As null in a body (B), else as an empty field (F), and read back: no source says which,
        servers refuse the one or the other, and may pass over what they do not know. Rows alone
        are removed by an empty field.
        """
        said: list[str] = []
        changes, removed = _differing(values, filled.values)
        as_null = body_form({c.key: c.value for c in changes} | dict.fromkeys(removed, ""))
        as_fields = form_of(changes, removed)
        emptied = any(cell.is_empty_number for cell in changes)
        for form in (as_null, as_fields) if emptied else (as_fields,):
            try:
                await self._put(node_id, filled.category, form)
            except Refused as refused:
                if refused.code not in _NOT_TAKEN or not emptied:
                    raise
                said.append(refused.message)
                continue
            held = (await self.of_node(node_id))[filled.category.name.casefold()].values
            left, rows = _differing(values, held)
            if not left and not rows:
                return
            said.append("Content Server kept what was there")
        labels = ", ".join(repr(c.attribute.label) for c in changes if c.is_empty_number)
        raise Refused(
            f"{labels or 'Rows of a set'} cannot be emptied: {'; '.join(said)}.",
            code="value_ignored",
            advice="Empty it by hand, or give the rule's expression a value for it.",
        )

    async def _wanted(
        self, category: Category, wanted: Mapping[str, AttributeValue]
    ) -> list[Wanted]:
        """Attributes with their values; users become their member id."""
        found: list[Wanted] = []
        for label, value in wanted.items():
            attribute = category.attribute(label)
            if isinstance(value, tuple):
                found.append((attribute, tuple([await self._one(attribute, v) for v in value])))
            else:
                found.append((attribute, await self._one(attribute, value)))
        return found

    async def _one(self, attribute: Attribute, value: Value) -> Value:
        if attribute.type == "user" and isinstance(value, str) and not value.isdigit():
            return await self._members.id(value) if value else None
        return value

    async def _category(self, category_id: int, entries: Mapping[str, Any]) -> Category:
        own = entries.get(str(category_id))
        name = str(own.get("name") or "") if isinstance(own, dict) else ""
        name = name or await self._node_name(category_id)
        found = _attributes(category_id, entries)
        return Category(category_id, name, {a.label.casefold(): a for a in found})

    async def _node_name(self, category_id: int) -> str:
        """A category is a node: servers whose metadata lacks its name are asked for it, once."""
        if category_id not in self._names:
            path = f"/v2/nodes/{category_id}?fields=properties{{id,name}}"
            body = (await self._endpoint.call("read_node", "GET", path)).body
            self._names[category_id] = str(one(body, "the category")["properties"]["name"])
        return self._names[category_id]


def _differing(values: list[Wanted], held: Mapping[str, Any]) -> tuple[list[Cell], list[str]]:
    """What the node does not hold yet, and the rows that it has too many."""
    changes = [cell for cell in cells(values) if not cell.held(held.get(cell.key))]
    return changes, rows_to_remove(values, held)


def _by_category(body: Any) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]]:
    """Values and definitions of a metadata answer, each by category id."""
    values: dict[int, dict[str, Any]] = {}
    definitions: dict[int, dict[str, Any]] = {}
    results = body.get("results") if isinstance(body, dict) else None
    items = results if isinstance(results, list) else [results]
    for item in items:
        if not isinstance(item, dict):
            continue
        for name, collected in (("data", values), ("metadata", definitions)):
            for key, value in ((item.get(name) or {}).get("categories") or {}).items():
                category_id = number(key.partition("_")[0])
                if category_id is not None:
                    collected.setdefault(category_id, {})[key] = value
    return values, definitions


def _attributes(category_id: int, entries: Mapping[str, Any]) -> list[Attribute]:
    """The attributes among metadata entries; those of sets under ``Set:Attribute``, row 1."""
    sets = {
        key: str(entry.get("name", ""))
        for key, entry in entries.items()
        if isinstance(entry, dict) and (entry.get("persona") == "set" or _is_set(entry))
    }
    found = []
    for key, entry in entries.items():
        parts = key.split("_")
        if key in sets or len(parts) not in (2, 4) or not isinstance(entry, dict):
            continue
        label = str(entry.get("name", ""))
        if len(parts) == 4:
            if parts[2] not in ("x", "1"):
                continue
            label = f"{sets.get('_'.join(parts[:2]), '')}:{label}"
            key = f"{category_id}_{parts[1]}_1_{parts[3]}"
        found.append(
            Attribute(
                key,
                label,
                str(entry.get("type_name") or "String").casefold(),
                bool(entry.get("multi_value")),
                number(entry.get("max_length")),
            )
        )
    return found


def _is_set(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("type_name", "")).casefold() == "assoc"


def _unknown(name: str, learned: Mapping[str, Category]) -> Category:
    known = ", ".join(sorted(category.name for category in learned.values())) or "none"
    raise Misconfigured(
        f"No category {name!r} is on the workspace or a template; there are {known}.",
        code="category_unknown",
        advice="Add the category to the template of the workspace type, or correct the rule.",
    )
