"""Law: whatever was refused along the way, half done or not at all, is true once nothing refuses
any more and each record has changed, or was said to be gone, once more."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streams.errors import Refused
from tests.laws.test_order import ACCOUNTS, DEALS, History, assert_same_end, histories
from tests.streams.samples import change, deleted
from tests.streams.world import World

LAW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # these histories take minutes to shrink
)
#: These are done or not: a row is written by one call, and a workspace is looked for before.
_WHOLE = ("read", "write", "ensure_workspace")


@dataclass
class Sick:
    """A system that refuses one call in three: some before, some after they were carried out."""

    well: Any
    chance: random.Random
    healed: bool = False

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*given: Any, **named: Any) -> Any:
            fate = self.chance.random()
            if not self.healed and fate < 0.15:
                raise Refused("not today", code="not_today")
            answer = await getattr(self.well, name)(*given, **named)
            if not self.healed and fate < 0.3 and not name.startswith(_WHOLE):
                raise Refused("half done", code="half_done")
            return answer

        return call


async def played(history: History, seed: int, *, sick: bool) -> World:
    world, chance = World(), random.Random(seed)
    world.dynamics.rows = {key: dict(row) for key, row in history.rows.items()}
    systems = [Sick(system, chance, not sick) for system in (world.ecm, world.dynamics)]
    world.write_ecm.gateway, world.write_dynamics.gateway = systems  # type: ignore[assignment]
    for fact in history.facts:
        world.tell(fact)
        if chance.random() < 0.5:
            await world.run(chance.choice)
    await world.run()
    for system in systems:
        system.healed = True
    # What a record asks another for may have been refused there: from the ground up, and twice.
    for second in (9_900_000, 9_910_000):
        for record in (*ACCOUNTS, *DEALS):
            alive = record.key in history.rows
            world.tell(change(record, second) if alive else deleted(record, second))
            await world.run()
    return world


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_once_nothing_refuses_any_more_all_is_as_if_nothing_had(
    history: History, seed: int
) -> None:
    sick = await played(history, seed, sick=True)
    well = await played(history, seed, sick=False)
    assert_same_end(history, sick, well)
    for record in (*ACCOUNTS, *DEALS):
        if record.key in history.rows:
            link = "new_xecmworkspaceid"
            assert sick.dynamics.rows[record.key][link] == well.dynamics.rows[record.key][link]
