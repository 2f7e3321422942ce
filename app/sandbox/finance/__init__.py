"""A simulated finance and operations: OData entities over rows in memory, and what it tells.

    async with EntraSimulator("contoso", [EntraClient(APP_ID, secrets=("s",))]) as entra:
        async with FinanceSimulator(entra, application_users={APP_ID: "dovetail"}) as finance:
            vendor = finance.seed("VendorsV2", {"VendorAccountNumber": "V-1"})
            finance.on_change(DataEvents(send))  # also BusinessEvents, LakeRows
            ...  # requests to finance.data_url with a token for finance.scope
            finance.row("VendorsV2", VendorAccountNumber="V-1").values["OnHoldStatus"]

From reference/dataverse.md 1.2, 1.5, 1.6, 3.5 and 4.
"""

from app.sandbox.finance.emitters import BusinessEvents, DataEvents, LakeRows
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.simulator import FinanceSimulator
from app.sandbox.finance.state import Row, State
from app.sandbox.finance.store import Change

__all__ = [
    "BusinessEvents",
    "Change",
    "DataEvents",
    "FinanceSimulator",
    "LakeRows",
    "Refusal",
    "Row",
    "State",
]
