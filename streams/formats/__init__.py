"""Change-event formats: from a Kafka message's bytes to canonical changes, one pure decoder each.

``decode`` tells the formats apart by content and headers (reference/dataverse.md 1.7) and answers
with changes and events, with ``Skipped`` and its reason, or raises ``streams.errors.Unreadable``
with a code from ``UnreadableReason``; it raises nothing else, whatever the bytes are.
"""

from streams.formats.decoder import decode
from streams.formats.shape import Decoded, Skipped, SkipReason, SourceMessage, UnreadableReason

__all__ = ["Decoded", "SkipReason", "Skipped", "SourceMessage", "UnreadableReason", "decode"]
