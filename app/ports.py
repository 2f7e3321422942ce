"""A port of this machine that stays ours while nobody listens at it.

A port that is only remembered is anybody's: the system gives free ones at random to whoever asks
for any. A socket that is bound to it and never listens keeps it: who names the port can listen at
it beside that socket, who asks for any port is given another.
"""

from __future__ import annotations

import socket
import sys

#: Elsewhere two sockets cannot share an address; there a port is only remembered.
_SHARED = sys.platform == "linux"


class HeldPort:
    """The port ``port`` of ``host``, any free one when it is 0, until `release`.

    Raises OSError when somebody listens at it already.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        if not _SHARED:
            self.release()

    def release(self) -> None:
        """Let it go; harmless when that was done before."""
        self._socket.close()


def bound(host: str, port: int) -> socket.socket:
    """A TCP socket at this address, which may be shared with one that does not listen.

    Raises OSError when somebody listens there already.
    """
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, every
    # answer of two writes would wait for the client's delayed acknowledgement, some 40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
