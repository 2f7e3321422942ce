"""Both halves of Dynamics behind one port: a record's table says where it lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.clients import setting_names
from app.clients.dynamics import DataverseGateway
from app.clients.finance import FinanceGateway
from streams.catalogue import Catalogue, ColumnValue
from streams.errors import Misconfigured
from streams.ports import Row
from tables.keys import RecordRef


class DynamicsRouter:
    """Dataverse, and finance and operations where an environment is set."""

    def __init__(
        self,
        catalogue: Catalogue,
        dataverse: DataverseGateway,
        finance: FinanceGateway | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._dataverse = dataverse
        self._finance = finance

    async def read_record(self, record: RecordRef) -> Row | None:
        """Read all declared columns of the record; None when it does not exist."""
        return await self._of(record.table).read_record(record)

    async def write_columns(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Row:
        """Set these columns of an existing record; never creates one."""
        return await self._of(record.table).write_columns(record, columns, tag=tag)

    async def own_user(self) -> str:
        """The id of our application user in Dataverse."""
        return await self._dataverse.own_user()

    async def columns_of(self, table: str) -> Iterable[str]:
        """The names of the columns that the table has in its system, in lower case."""
        return await self._of(table).columns_of(table)

    async def lengths_of(self, table: str) -> Mapping[str, int]:
        """How many characters each text of the table may have; only Dataverse tells it."""
        return {} if self._is_finance(table) else await self._dataverse.lengths_of(table)

    def knows(self, table: str) -> bool:
        """False for a table of finance and operations while no environment is set."""
        return self._finance is not None or not self._is_finance(table)

    def system(self, table: str) -> str:
        """The name of the table's system, for people."""
        return "finance and operations" if self._is_finance(table) else "Dataverse"

    def _of(self, table: str) -> DataverseGateway | FinanceGateway:
        if not self._is_finance(table):
            return self._dataverse
        if self._finance is None:
            raise Misconfigured(
                f"{table} is a table of finance and operations, and no environment is set.",
                code="finance_unset",
                advice=f"Set {setting_names.FINANCE_URL}, or remove the table's rules.",
            )
        return self._finance

    def _is_finance(self, table: str) -> bool:
        declared = self._catalogue.get(table)
        return declared is not None and declared.finance is not None
