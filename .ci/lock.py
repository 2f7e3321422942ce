"""Write requirements.lock: every dependency of pyproject.toml, the dev group included, by hash.

``make lock``. Universal: one file for every Python from 3.11 on and every platform; it names no
package index, as that is the installing machine's business. Versions that still fit stay as they
are; ``--upgrade`` takes the newest.
"""

import subprocess
import sys

COMMAND = (
    *("pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--quiet"),
    *("--custom-compile-command", "make lock"),
    *("--group", "dev", "pyproject.toml", "--output-file", "requirements.lock"),
)


def main() -> int:
    """Answer with the exit code of uv."""
    return subprocess.call([sys.executable, "-m", "uv", *COMMAND, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
