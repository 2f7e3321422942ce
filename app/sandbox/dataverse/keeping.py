"""What an organisation still knows after a restart: its `State`, which is all there is to know."""

from __future__ import annotations

from app.sandbox.dataverse.store.state import State
from app.sandbox.keeping import GAP, Part

_PACKAGE = "app.sandbox.dataverse"
PART = Part(
    "dataverse",
    (
        f"{_PACKAGE}.store.commits",
        f"{_PACKAGE}.store.state",
        f"{_PACKAGE}.tables.schema",
        f"{_PACKAGE}.tables.values",
    ),
)


def resumed(state: State) -> State:
    """The state to go on with: versions that were told are not given again."""
    state.version += GAP
    return state
