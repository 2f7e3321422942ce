"""Global choices: ``GlobalOptionSetDefinitions``, and the actions that change single options.

As Microsoft's page on choices with the Web API tells. The actions take a global choice by
``OptionSetName``, or a column by ``EntityLogicalName`` and ``AttributeLogicalName``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata import options, payloads, shapes
from app.sandbox.dataverse.metadata.choosing import selected
from app.sandbox.dataverse.metadata.reading import listed
from app.sandbox.dataverse.metadata.recorder import Recorder
from app.sandbox.dataverse.metadata.shapes import CRM
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Choice, Column, ColumnType, Registry, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment

SET = "GlobalOptionSetDefinitions"
KIND = "OptionSetMetadata"
WITH_OPTIONS = (ColumnType.CHOICE, ColumnType.MULTICHOICE)
WITH_LABELS = (*WITH_OPTIONS, ColumnType.STATE, ColumnType.STATUS)

Action = Callable[[Any, Mapping[str, Any]], tuple[Any, int | None]]
"""Changes a `Choice` or a `Column` as a body says; also the value of a new option."""


class Choices:
    """Answers what is asked about choices; each change is one transaction."""

    def __init__(self, registry: Registry, store: Store, recorder: Recorder) -> None:
        self._registry = registry
        self._store = store
        self._recorder = recorder

    def by_name(self) -> Mapping[str, Callable[[ApiRequest], Answer]]:
        """What there is, by the name that stands in the address."""
        actions = {
            "InsertOptionValue": self._insert,
            "InsertStatusValue": self._insert_status,
            "UpdateOptionValue": self._relabel,
            "UpdateStateValue": self._relabel,
            "DeleteOptionValue": self._remove,
            "OrderOption": self._order,
        }
        return {SET: self._definitions} | {
            name: partial(self._changed, action) for name, action in actions.items()
        }

    def _definitions(self, request: ApiRequest) -> Answer:
        root, *rest = request.segments
        if len(rest) > 1 or (rest and rest[0].name != f"{CRM}{KIND}"):
            raise Refusal.missing_segment(rest[-1].name)
        if request.method == "GET":
            return self._read(request, root)
        with self._store.transaction():
            if request.method == "POST" and not root.has_key:
                return self._create(request)
            if request.method == "PUT" and root.has_key:
                self._rename(self._choice(root), request.json())
                return Answer(204)
            if request.method == "DELETE" and root.has_key:
                self._delete(self._choice(root))
                return Answer(204)
        raise Refusal.method(request.method)

    def _read(self, request: ApiRequest, root: Segment) -> Answer:
        """All, or one by ``Name`` or id. Only ``$select`` is there for them."""
        for name in request.query:
            if name.startswith("$") and name != "$select":
                raise Refusal.bad_query(f"The query parameter {name} is not supported.")
        if root.has_key:
            context = f"{request.base_url}/$metadata#{SET}/$entity"
            return Answer(
                200, {"@odata.context": context, **_shown(self._choice(root), request.query)}
            )
        choices = self._registry.choices.values()
        return listed(request, SET, [_shown(choice, request.query) for choice in choices])

    def _create(self, request: ApiRequest) -> Answer:
        choice = payloads.read_choice(request.json())
        if choice.name in self._registry.choices:
            raise payloads.exists("OptionSet", choice.name)
        self._recorder.register(self._registry.choices, {choice.name: choice})
        address = f"{request.base_url}/{SET}({choice.metadata_id})"
        return Answer(204, headers={"OData-EntityId": address, "Location": address})

    def _rename(self, choice: Choice, body: Mapping[str, Any]) -> None:
        """Its labels alone: options have actions of their own."""
        shown = {name: body[name] for name in ("DisplayName", "Description") if name in body}
        changed = replace(choice, metadata={**choice.metadata, **shown})
        self._recorder.register(self._registry.choices, {choice.name: changed})

    def _delete(self, choice: Choice) -> None:
        for table, column in self._columns_of(choice.name):
            raise Refusal(
                400,
                "0x8004f01f",
                f"The choice '{choice.name}' is needed by '{column.name}' of {table.name}.",
            )
        self._recorder.unregister(self._registry.choices, choice.name)

    def _choice(self, segment: Segment) -> Choice:
        """By ``Name`` or id. Raises `Refusal` 404."""
        return payloads.choice_of(segment, self._registry.choices)

    def _changed(
        self,
        action: Callable[[Any, Mapping[str, Any]], tuple[Any, int | None]],
        request: ApiRequest,
    ) -> Answer:
        """Do an action on whose options they are; with the new value if there is one."""
        if request.method != "POST":
            raise Refusal.method(request.method)
        body, name = request.json(), request.segments[0].name
        with self._store.transaction():
            if given := body.get("OptionSetName"):
                choice = self._choice(Segment(SET, parts={"Name": given}))
                changed, value = action(choice, body)
                self._share(changed)
            else:
                table, column = self._column(body)
                changed, value = action(column, body)
                self._recorder.put(replace(table, columns={**table.columns, column.name: changed}))
        if value is None:
            return Answer(204)
        context = f"{request.base_url}/$metadata#{CRM}{name}Response"
        return Answer(200, {"@odata.context": context, "NewOptionValue": value})

    def _share(self, choice: Choice) -> None:
        """A changed choice, with the columns that use it."""
        self._recorder.register(self._registry.choices, {choice.name: choice})
        for table, column in self._columns_of(choice.name):
            own = self._registry.table(table.name)
            columns = {**own.columns, column.name: options.shared(column, choice)}
            self._recorder.put(replace(own, columns=columns))

    def _columns_of(self, choice: str) -> list[tuple[Table, Column]]:
        return [
            (table, column)
            for table in self._registry
            for column in table.columns.values()
            if column.choice == choice
        ]

    def _column(self, body: Mapping[str, Any]) -> tuple[Table, Column]:
        """The column that an action is about. Raises `Refusal` 400."""
        name, attribute = body.get("EntityLogicalName"), body.get("AttributeLogicalName")
        if name not in self._registry.tables:
            raise Refusal.invalid_argument(f"There is no choice and no table '{name}'.")
        table = self._registry.table(str(name))
        column = table.columns.get(str(attribute))
        if column is None or not (column.options or column.type is ColumnType.BOOLEAN):
            raise Refusal(400, "0x80047019", f"{name} has no choice '{attribute}'.")
        if column.choice:
            raise Refusal.invalid_argument(f"'{attribute}' uses the choice '{column.choice}'.")
        return table, column

    def _insert(self, owner: Any, body: Mapping[str, Any]) -> tuple[Any, int | None]:
        _check_type(owner, WITH_OPTIONS)
        return options.inserted(owner, body.get("Value"), body.get("Label"))

    def _insert_status(self, owner: Any, body: Mapping[str, Any]) -> tuple[Any, int | None]:
        """A status of one of the table's states."""
        _check_type(owner, (ColumnType.STATUS,))
        if isinstance(owner, Choice):
            raise Refusal.invalid_argument("A status is one of a table's own.")
        state = body.get("StateCode")
        if isinstance(state, bool) or state not in owner.status_states.values():
            raise Refusal.invalid_argument(f"'{state}' is no state of the table.")
        changed, value = options.inserted(owner, body.get("Value"), body.get("Label"))
        return replace(changed, status_states={**owner.status_states, value: state}), value

    def _relabel(self, owner: Any, body: Mapping[str, Any]) -> tuple[Any, int | None]:
        if isinstance(owner, Column) and owner.type is ColumnType.BOOLEAN:
            return payloads.relabelled_boolean(owner, body.get("Value"), body.get("Label")), None
        _check_type(owner, WITH_LABELS)
        return options.relabelled(owner, body.get("Value"), body.get("Label")), None

    def _remove(self, owner: Any, body: Mapping[str, Any]) -> tuple[Any, int | None]:
        _check_type(owner, WITH_OPTIONS)
        return options.removed(owner, body.get("Value")), None

    def _order(self, owner: Any, body: Mapping[str, Any]) -> tuple[Any, int | None]:
        _check_type(owner, WITH_OPTIONS)
        return options.ordered(owner, body.get("Values")), None


def _check_type(owner: Choice | Column, types: tuple[ColumnType, ...]) -> None:
    if isinstance(owner, Column) and owner.type not in types:
        raise Refusal.invalid_argument(f"The options of '{owner.name}' cannot be changed so.")


def _shown(choice: Choice, query: Mapping[str, str]) -> dict[str, Any]:
    item = shapes.choice(choice)
    return selected(item, query, set(item), KIND)
