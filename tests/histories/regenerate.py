"""Write the histories anew: ``python -m tests.histories.regenerate``. Then read the diff.

A command id that changes for a fact that did not is a break: a replay over old ledgers would call
again (DESIGN, promises 3 and 8).
"""

from __future__ import annotations

import asyncio

from tests.histories.replay import histories, read, replay, written


def main() -> None:
    for path in histories():
        lines = asyncio.run(replay(read(path)))
        path.write_text(written(lines), "utf-8")
        print(f"{path.name}: {len(lines)} lines")


if __name__ == "__main__":
    main()
