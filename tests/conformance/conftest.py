"""What the suites of other vendors' clients share; the recorder itself is `operations`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.serving import LocalCa


@pytest.fixture(scope="session")
def local_ca() -> Iterator[LocalCa]:
    """One certificate authority for all simulators of the session."""
    ca = LocalCa()
    yield ca
    ca.close()
