"""Writes with what belongs to them: privileges, duplicate rules, nested rows, links, cascades.

Each call is one transaction: all of it happens or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Given
from app.sandbox.dataverse.store.commits import Author, Row
from app.sandbox.dataverse.store.store import Store, references_to
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.schema import ManyToMany, OneToMany, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Values, comparable
from app.sandbox.dataverse.web.privileges import Privileges


class Writes:
    """Creates, updates, deletes and links rows for a caller."""

    def __init__(
        self, store: Store, registry: Registry, writer: Writer, privileges: Privileges
    ) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._privileges = privileges

    def create(
        self,
        table: Table,
        given: Given,
        author: Author,
        *,
        row_id: str | None = None,
        find_duplicates: bool = False,
    ) -> Row:
        """Raises `Refusal`: 412 for an id, key or duplicate that exists, 403, 400."""
        self._privileges.check(author, "Create", table)
        self._privileges.check_columns(author, table, given.values)
        with self._store.transaction():
            values = dict(given.values)
            for column, (target, inner) in given.before.items():
                created = self.create(target, inner, author)
                values[column] = Reference(target.name, created.id)
            if find_duplicates:
                self._refuse_duplicates(table, values, None)
            row = self._writer.create(table, values, author, row_id=row_id)
            for navigation, inner in given.after:
                self._create_child(table, row, navigation, inner, author)
            for navigation, reference in given.links:
                self.associate(table, row, navigation, reference, author)
        return self._store.get(table.name, row.id) or row

    def update(
        self,
        table: Table,
        row: Row,
        values: Values,
        author: Author,
        *,
        find_duplicates: bool = False,
    ) -> Row:
        """Raises `Refusal`: 412 for a key or duplicate that exists, 403, 400."""
        self._privileges.check(author, "Write", table)
        self._privileges.check_columns(author, table, values)
        if find_duplicates:
            self._refuse_duplicates(table, {**row.values, **values}, row.id)
        return self._writer.update(table, row, values, author)

    def delete(self, table: Table, row: Row, author: Author) -> None:
        """With all that goes with the row. Raises `Refusal` 405 when something holds it, 403."""
        self._privileges.check(author, "Delete", table)
        with self._store.transaction():
            self._let_go(table, row, author)
            self._writer.delete(table, row, author)

    def associate(
        self, table: Table, row: Row, navigation: str, target: Reference, author: Author
    ) -> None:
        """Add a row to a collection. Raises `Refusal` 400 for what does not belong there."""
        self._relate(table, row, navigation, target, author, linked=True)

    def disassociate(
        self, table: Table, row: Row, navigation: str, target: Reference, author: Author
    ) -> None:
        """Take a row out of a collection; one that is not in it is no error."""
        self._relate(table, row, navigation, target, author, linked=False)

    def _relate(
        self,
        table: Table,
        row: Row,
        navigation: str,
        target: Reference,
        author: Author,
        *,
        linked: bool,
    ) -> None:
        self._privileges.check(author, "Append", table)
        if one := self._registry.collection(table, navigation):
            self._point(one, table, row, target, author, linked=linked)
        elif found := self._registry.association(table, navigation):
            self._link(*found, row, target, author, linked=linked)
        else:
            raise Refusal.unknown_property(navigation, table.name)

    def _point(
        self,
        one: OneToMany,
        table: Table,
        row: Row,
        target: Reference,
        author: Author,
        *,
        linked: bool,
    ) -> None:
        """One to many: the lookup of the other row is set or cleared."""
        other = self._other(one.referencing, target)
        here = Reference(table.name, row.id)
        if not linked and other.values.get(one.column) != here:
            return
        changes: Values = {one.column: here if linked else None}
        with self._store.transaction():
            self._writer.update(self._registry.table(one.referencing), other, changes, author)
            self._announce(one.schema_name, row, target, author, linked=linked)

    def _link(
        self,
        relationship: ManyToMany,
        side: int,
        row: Row,
        target: Reference,
        author: Author,
        *,
        linked: bool,
    ) -> None:
        self._other(relationship.tables[1 - side], target)
        pair = (row.id, target.id) if side == 0 else (target.id, row.id)
        with self._store.transaction():
            if self._store.link(relationship.schema_name, pair, linked=linked):
                self._announce(relationship.schema_name, row, target, author, linked=linked)
            elif linked:
                raise Refusal(412, "0x80040237", "Cannot insert duplicate key.")

    def _announce(
        self, relationship: str, row: Row, target: Reference, author: Author, *, linked: bool
    ) -> None:
        parameters: Mapping[str, object] = {
            "Relationship": relationship,
            "RelatedEntities": [target],
        }
        self._writer.announce("Associate" if linked else "Disassociate", row, parameters, author)

    def _other(self, table: str, target: Reference) -> Row:
        if target.table != table:
            raise Refusal.payload(f"A row of {target.table} does not belong here, but of {table}.")
        other = self._store.get(target.table, target.id)
        if other is None:
            raise Refusal.missing_row(target.table, target.id)
        return other

    def _create_child(
        self, table: Table, row: Row, navigation: str, given: Given, author: Author
    ) -> None:
        if one := self._registry.collection(table, navigation):
            given.values[one.column] = Reference(table.name, row.id)
            self.create(self._registry.table(one.referencing), given, author)
        elif found := self._registry.association(table, navigation):
            relationship, side = found
            other = self._registry.table(relationship.tables[1 - side])
            created = self.create(other, given, author)
            self.associate(table, row, navigation, Reference(other.name, created.id), author)

    def _let_go(self, table: Table, row: Row, author: Author) -> None:
        """What a delete does to the rows that point here, and to the links of the row."""
        here = Reference(table.name, row.id)
        for one in self._registry.pointing_to(table.name):
            if one.on_delete == "NoCascade":
                continue
            children = references_to(self._store, one.referencing, one.column, here)
            if children and one.on_delete == "Restrict":
                raise Refusal.held_by(table.name, row.id, one.referencing)
            for child in children:
                self._release(one, child, author)
        for relationship in self._registry.many_to_many.values():
            self._unlink(relationship, table, row)

    def _release(self, one: OneToMany, child: Row, author: Author) -> None:
        table = self._registry.table(one.referencing)
        current = self._store.get(table.name, child.id)
        if current is None:  # went with another row of this delete
            return
        if one.on_delete == "Cascade":
            with self._store.caused():
                self._let_go(table, current, author)
                self._writer.delete(table, current, author)
        else:
            self._writer.remove_link(table, current, one.column, author)

    def _unlink(self, relationship: ManyToMany, table: Table, row: Row) -> None:
        name = relationship.schema_name
        for side in (0, 1):
            if relationship.tables[side] == table.name:
                for other in self._store.linked(name, side, row.id):
                    pair = (row.id, other) if side == 0 else (other, row.id)
                    self._store.link(name, pair, linked=False)

    def _refuse_duplicates(self, table: Table, values: Values, row_id: str | None) -> None:
        """The duplicate-detection rules, which only a request that wants them meets."""
        for rule in table.duplicate_rules:
            wanted = [comparable(values.get(name)) for name in rule]
            for row in self._store.rows(table.name) if None not in wanted else ():
                same = [comparable(row.values.get(name)) for name in rule] == wanted
                if same and row.id != row_id:
                    raise Refusal.duplicate_detected()
