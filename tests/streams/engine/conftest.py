"""The lab of each broker test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.streams.engine.lab import Lab


@pytest.fixture
def lab(kafka_address: str, unique_prefix: str, tmp_path: Path) -> Lab:
    """Topics, group and directory of this test's own."""
    return Lab(kafka_address, unique_prefix, tmp_path)
