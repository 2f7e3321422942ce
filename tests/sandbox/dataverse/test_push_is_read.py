"""What is pushed and what is read by the Web API are the same row: our decoders agree on both.

The messages of any history of one row, put together, end at the row as a client reads it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.rule_files.loading import load_rules
from app.sandbox.dataverse import Commit, DataverseSimulator, Reference
from app.sandbox.dataverse.push.messages import Writer
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.events.change import Encoded, Sender
from app.settings.fields import RULES_DIRECTORY
from streams.catalogue import ColumnValue
from streams.formats import Skipped, SourceMessage, decode
from streams.messages.facts import Operation, RecordChange
from tests.sandbox.dataverse.support import APP_ID, NO_TLS

CATALOGUE = load_rules(RULES_DIRECTORY).catalogue
ENTRA = EntraSimulator("contoso", [EntraClient(APP_ID)])
ORG = "https://org1.crm4.dynamics.com"
ACCOUNT, CONTACT, DEAL = (f"0{n}000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))

texts = st.one_of(
    st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
)
OLDEST = dt.datetime(1753, 1, 1)  # noqa: DTZ001 - hypothesis wants its bounds so
moments = st.datetimes(OLDEST).map(lambda moment: f"{moment.isoformat(timespec='seconds')}Z")
dates = st.dates(OLDEST.date()).map(str)
columns = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "estimatedvalue": st.one_of(
            st.none(), st.integers(-(10**9), 10**11).map(lambda n: n / 100)
        ),
        "estimatedclosedate": st.one_of(st.none(), dates),
        "new_contractsignedon": st.one_of(st.none(), moments),
        "new_contractdocumentversion": st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
        "salesstage": st.one_of(st.none(), st.integers(0, 3)),
        "statecode": st.integers(0, 2),
        "customerid": st.sampled_from(
            [None, Reference("account", ACCOUNT), Reference("contact", CONTACT)]
        ),
    },
)
steps = st.builds(
    Steps,
    images=st.booleans(),
    split_state=st.booleans(),
    split_owner=st.booleans(),
    nested=st.booleans(),
    transport=st.sampled_from(["event_hub", "webhook"]),
)


class Listener:
    """Decodes each message of the opportunity, as our worker does."""

    def __init__(self, dataverse: DataverseSimulator, steps: Steps) -> None:
        self.writer = Writer(Sender("org1", "org1"), dataverse.registry.table, dataverse.row)
        self.steps = steps
        self.changes: list[RecordChange] = []
        self.number = 0
        dataverse.on_commit(self.committed)

    def committed(self, commit: Commit) -> None:
        self.number += 1
        for message in self.writer.messages(commit, self.number, self.steps):
            sent = message.encoded(self.steps)
            assert sent is not None
            self.changes += decoded(sent)

    @property
    def known(self) -> dict[str, ColumnValue]:
        """What somebody knows who has only listened."""
        found: dict[str, ColumnValue] = {}
        for change in self.changes:
            assert not change.thin
            found |= change.columns
        return found


def decoded(sent: Encoded) -> list[RecordChange]:
    found = decode(SourceMessage("t", 0, 0, 0, sent.key, sent.value, sent.headers), CATALOGUE, {})
    assert not isinstance(found, Skipped), found
    return [one for one in found if isinstance(one, RecordChange)]


async def read(dataverse: DataverseSimulator) -> RecordChange:
    """The row as a relay reads it by the Web API."""
    transport = httpx.ASGITransport(app=dataverse.application)
    headers = {
        "Authorization": f"Bearer {ENTRA.issue(APP_ID, ORG)}",
        "Prefer": 'odata.include-annotations="*"',
    }
    async with httpx.AsyncClient(transport=transport, headers=headers, verify=NO_TLS) as client:
        answer = await client.get(f"{ORG}/api/data/v9.2/opportunities({DEAL})")
    (change,) = decoded(Encoded(None, answer.content))
    return change


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, first=columns, later=st.lists(columns, max_size=3))
def test_who_listens_knows_the_row(steps: Steps, first: Any, later: list[Any]) -> None:
    dataverse = DataverseSimulator(ENTRA, application_users={APP_ID: "D"}, resource=ORG)
    dataverse.seed("account", {"name": "A"}, row_id=ACCOUNT)
    dataverse.seed("contact", {"lastname": "C"}, row_id=CONTACT)
    listener = Listener(dataverse, steps)
    dataverse.seed("opportunity", first, row_id=DEAL)
    for changes in later:
        dataverse.change("opportunity", DEAL, changes)
    whole = asyncio.run(read(dataverse))
    unset = {name for name, value in whole.columns.items() if value is None}
    known = listener.known
    assert {n: v for n, v in known.items() if v is not None} == {
        n: v for n, v in whole.columns.items() if v is not None
    }
    assert {name for name, value in known.items() if value is None} <= unset
    assert listener.changes[-1].at_ms == whole.at_ms
    dataverse.remove("opportunity", DEAL)
    last = listener.changes[-1]
    assert (last.operation, last.record.id) == (Operation.DELETE, DEAL)
    assert bool(last.columns) is steps.images
