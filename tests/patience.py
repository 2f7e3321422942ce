"""How long a test waits for what has to come: on a busy machine it comes, too."""

from __future__ import annotations

#: Less than pytest's own limit, so that a test which waits in vain says for what.
PATIENCE_SECONDS = 120.0
