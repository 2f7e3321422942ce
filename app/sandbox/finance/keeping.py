"""What finance and operations still know after a restart: their `State`."""

from __future__ import annotations

from app.sandbox.finance.state import State
from app.sandbox.keeping import GAP, Part

PART = Part("finance", ("app.sandbox.finance.state",))


def resumed(state: State) -> State:
    """The state to go on with: no RecId, version or control number that was told comes again."""
    state.next_recid += GAP
    state.version += GAP
    state.control_number += GAP
    return state
