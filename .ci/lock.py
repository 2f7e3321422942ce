"""Write the locks: exact versions and hashes of everything that pyproject.toml leads to.

``make lock``. One file serves every Python from 3.11 on and every platform, and it names no package
index, as that is the installing machine's business. Versions that still fit stay as they are;
``--upgrade`` takes the newest.

- requirements.lock: all of it, the dev group included. What ``make setup`` installs.
- requirements-runtime.lock: what the worker needs, and the build backend. For the Dockerfile.
- tests/k8s/requirements.lock: the validator of Kubernetes manifests, fetched by their tests alone,
  as its thousands of schemas would double everybody's set-up.
"""

import subprocess
import sys
from dataclasses import dataclass

COMPILE = (
    *("uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--quiet"),
    *("--custom-compile-command", "make lock"),
)


@dataclass(frozen=True)
class Lock:
    """A file to write, what it is resolved from, and requirements beyond that."""

    path: str
    sources: tuple[str, ...]
    further: str = ""

    def write(self, *options: str) -> int:
        """Resolve it; answers with uv's exit code."""
        command = [sys.executable, "-m", *COMPILE, *self.sources, "--output-file", self.path]
        return subprocess.run(
            [*command, *options], input=self.further, text=True, check=False
        ).returncode


LOCKS = (
    Lock("requirements.lock", ("pyproject.toml", "--group", "dev")),
    Lock(
        "requirements-runtime.lock",
        ("pyproject.toml", "-", "--constraint", "requirements.lock"),
        further="hatchling\n",
    ),
    Lock("tests/k8s/requirements.lock", ("tests/k8s/requirements.in",)),
)


def main() -> int:
    """Write all of them; the first that cannot be resolved ends it with its exit code."""
    return next((code for lock in LOCKS if (code := lock.write(*sys.argv[1:]))), 0)


if __name__ == "__main__":
    sys.exit(main())
