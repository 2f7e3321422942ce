"""Histories for laws: facts in order, the rows that Dataverse holds at last, how both play."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.messages.commands import DYNAMICS_COMMANDS, ECM_COMMANDS, SetRecordColumns
from streams.messages.facts import Fact, Operation
from streams.topics import DEAD_LETTERS
from streams.topics import DYNAMICS_COMMANDS as TO_DYNAMICS
from streams.topics import ECM_COMMANDS as TO_ECM
from tables.keys import RecordRef
from tests.streams.samples import change, deleted
from tests.streams.world import World

Columns = dict[str, Any]


@dataclass
class History:
    """Facts, and the rows that Dataverse holds after the last of them."""

    facts: list[Fact] = field(default_factory=list)
    rows: dict[str, dict[str, ColumnValue]] = field(default_factory=dict)

    def lived(
        self,
        draw: st.DrawFn,
        record: RecordRef,
        row: Columns,
        updates: st.SearchStrategy[Columns],
        *,
        deletable: bool,
    ) -> None:
        """The record is created, changes a few times, and one in five goes if it may."""
        self.facts.append(change(record, 0, operation=Operation.CREATE, version=1, **row))
        second = 10
        for update in draw(st.lists(updates, max_size=3)):
            second += 1
            row.update(update)
            self.facts.append(change(record, second, version=second, **update))
        if deletable and draw(st.integers(0, 4)) == 0:
            self.facts.append(deleted(record, second + 5))
        else:
            self.rows[record.key] = row

    def shuffled(self, seed: int) -> list[Fact]:
        """The facts in another order, some of them several times."""
        chance = random.Random(seed)
        facts = [*self.facts, *chance.choices(self.facts, k=4)]
        chance.shuffle(facts)
        return facts

    async def play(self, facts: Sequence[Fact], seed: int | None) -> World:
        """Tell the facts; with a seed the path is followed between them, in any order."""
        world = World()
        world.dynamics.rows = {key: dict(row) for key, row in self.rows.items()}
        chance = random.Random(seed)
        for fact in facts:
            world.tell(fact)
            if seed is not None and chance.random() < 0.3:
                await world.run(chance.choice)
        await world.run(chance.choice if seed is not None else min)
        return world


def assert_nothing_forbidden(world: World, columns: Collection[str]) -> None:
    """Every command is one that a writer knows; of Dynamics only these columns are ever written."""
    for message in world.sent:
        assert message.topic != DEAD_LETTERS.name
        if message.topic == TO_ECM.name:
            ECM_COMMANDS.validate_json(message.value or b"")
        if message.topic == TO_DYNAMICS.name:
            command = DYNAMICS_COMMANDS.validate_json(message.value or b"")
            if isinstance(command, SetRecordColumns):
                assert command.columns.keys() <= set(columns)
