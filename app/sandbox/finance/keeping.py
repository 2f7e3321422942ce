"""What finance and operations still know after a restart: their `State`."""

from __future__ import annotations

from app.sandbox.keeping import Part

PART = Part("finance", ("app.sandbox.finance.state",))
