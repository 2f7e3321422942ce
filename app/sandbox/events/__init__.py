"""What the producers send: one canonical change, encoded with the habits of each source.

Written from reference/dataverse.md 1 alone and sharing no code with ``streams.formats``, so that
the demo's oracle and the decoders' tests do not agree by construction. Everything is
deterministic: ids are hashes of what they name.
"""

from app.sandbox.events.change import Encoded, RowEvent

__all__ = ["Encoded", "RowEvent"]
