"""Orders, invoices and credit memos, for tests of the path; part of the book of ``rulebook``."""

from __future__ import annotations

from streams.catalogue import Column, ColumnKind, Table
from streams.rules import TransactionRule

_K = ColumnKind
_SHOWN = {
    "new_xecmworkspaceid": Column(_K.TEXT),
    "new_documents": Column(_K.INTEGER),
    "new_documentlinks": Column(_K.TEXT),
    "new_documentname": Column(_K.TEXT),
    "new_filedon": Column(_K.DATE),
}

ORDER = Table(
    "salesorder",
    "salesorders",
    "salesorderid",
    {
        "ordernumber": Column(_K.TEXT),
        "customerid": Column(_K.LOOKUP, ("account",)),
        "totalamount": Column(_K.NUMBER),
        "statecode": Column(_K.CHOICE),
        **_SHOWN,
    },
)
INVOICE = Table(
    "invoice",
    "invoices",
    "invoiceid",
    {
        "invoicenumber": Column(_K.TEXT),
        "customerid": Column(_K.LOOKUP, ("account",)),
        "salesorderid": Column(_K.LOOKUP, ("salesorder",)),
        "totalamount": Column(_K.NUMBER),
        "statecode": Column(_K.CHOICE),
        "paidon": Column(_K.DATE),
        **_SHOWN,
    },
)
MEMO = Table(
    "new_creditmemo",
    "new_creditmemos",
    "new_creditmemoid",
    {
        "new_number": Column(_K.TEXT),
        "new_invoiceid": Column(_K.LOOKUP, ("invoice",)),
        "statecode": Column(_K.CHOICE),
        **_SHOWN,
    },
)


def _rule(
    name: str, table: str, number: str, relations: list[dict[str, str]], **more: object
) -> TransactionRule:
    return TransactionRule.model_validate(
        {
            "name": name,
            "table": table,
            "workspace": {
                "external_system": "D365",
                "business_object_type": name,
                "type": "Transaction",
                "name": f"{{{number}}}",
                "attributes": {"Transaction": {"Number": f"record.{number}"}},
                "state_attribute": "Business Record/Record State",
                "relations": relations,
            },
            "write_back": {
                "workspace_id": "new_xecmworkspaceid",
                "documents": "new_documents",
                "document_links": "new_documentlinks",
                "document_name": "new_documentname",
                "filed_on": "new_filedon",
            },
            **more,
        }
    )


ORDER_RULE = _rule(
    "order",
    "salesorder",
    "ordernumber",
    [{"column": "customerid"}],
    cancelled="record.statecode == 2",
    closed="record.statecode in [3, 4]",
    financial=["totalamount"],
)
INVOICE_RULE = _rule(
    "invoice",
    "invoice",
    "invoicenumber",
    [{"column": "customerid"}, {"column": "salesorderid", "to": "order"}],
    when="record.statecode != 9",
    cancelled="record.statecode == 3",
    paid="record.statecode in [2, 3]",
    closed="record.statecode in [1, 2]",
    financial=["totalamount"],
    retention={"classification": "Finance/Transactions", "starts_on": "paidon"},
    documents={"newest": 2},
)
MEMO_RULE = _rule(
    "memo",
    "new_creditmemo",
    "new_number",
    [{"column": "new_invoiceid", "to": "invoice"}],
    cancelled="record.statecode == 1",
    documents={"types": ["Dispute Evidence"]},
)
TABLES = (ORDER, INVOICE, MEMO)
RULES = (ORDER_RULE, INVOICE_RULE, MEMO_RULE)
