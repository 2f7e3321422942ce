"""What a consumer tells its group in its metadata, as far as the broker looks into it.

Layout: https://kafka.apache.org/documentation/ (ConsumerProtocolSubscription: version, topics, ...)
"""

from __future__ import annotations

import struct

CONSUMER_PROTOCOL_TYPE = "consumer"
"""The protocol type of groups whose metadata has this layout."""

_HEAD = struct.Struct(">hi")
_LENGTH = struct.Struct(">h")


def subscribed_topics(metadata: bytes) -> list[str]:
    """The topics of a subscription; none when the bytes are something else."""
    try:
        _version, count = _HEAD.unpack_from(metadata)
        at, topics = _HEAD.size, []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(metadata, at)
            at += _LENGTH.size
            topics.append(metadata[at : at + length].decode())
            at += length
    except (struct.error, UnicodeDecodeError):
        return []
    return topics
