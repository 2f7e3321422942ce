"""Finance and operations, OData (reference/dataverse.md 4).

gateway.py    reads and writes, as the writers ask for them
values.py     OData values to canonical form and back
metadata.py   what the system says of its entities: names, keys, enums
status.py     what its answers mean
"""

from app.clients.finance.gateway import FinanceGateway

__all__ = ["FinanceGateway"]
