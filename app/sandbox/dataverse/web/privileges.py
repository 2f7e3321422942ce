"""What a caller may do: everything, but for the privileges that were taken from its user.

dataverse.privileges.deny(user_id, "prvDeleteAccount", "prvActOnBehalfOfAnotherUser")
"""

from __future__ import annotations

from collections.abc import Iterable

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Author
from app.sandbox.dataverse.store.state import State
from app.sandbox.dataverse.tables.schema import Table

IMPERSONATE = "prvActOnBehalfOfAnotherUser"
BYPASS = "prvBypassCustomBusinessLogic"
BYPASS_PLUGINS = "prvBypassCustomPlugins"


class Privileges:
    """The privileges that users lack (reference/dataverse.md 2.2, 2.11)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def deny(self, user_id: str, *names: str) -> None:
        """Take privileges from a user, as ``prvReadAccount``: verb and schema name."""
        lacking = self._state.denied.setdefault(user_id, [])
        lacking += [name for name in names if name not in lacking]

    def grant(self, user_id: str, *names: str) -> None:
        """Give privileges back."""
        lacking = self._state.denied.get(user_id, [])
        self._state.denied[user_id] = [name for name in lacking if name not in names]

    def check(self, author: Author, verb: str, table: Table) -> None:
        """Raises `Refusal` 403 when the author may not do this to rows of a table."""
        for user_id in author.users:
            self.require(user_id, f"prv{verb}{table.schema_name or table.name}", table)

    def check_columns(self, author: Author, table: Table, names: Iterable[str]) -> None:
        """Raises `Refusal` 403 when column security keeps one of these from the author.

        Such a column is denied by table and name: ``deny(user_id, "account.creditlimit")``.
        """
        for user_id in author.users:
            denied = self._state.denied.get(user_id, ())
            for name in names:
                if f"{table.name}.{name}" in denied:
                    raise Refusal.secured_column(user_id, name, table.name)

    def require(self, user_id: str, name: str, table: Table | None = None) -> None:
        """Raises `Refusal` 403 when the user lacks a privilege."""
        lacking = {denied.casefold() for denied in self._state.denied.get(user_id, ())}
        if name.casefold() in lacking:
            raise Refusal.missing_privilege(user_id, name, table.name if table else None)
