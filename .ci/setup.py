"""Make the virtual environment that requirements.lock and pyproject.toml describe.

``python3 .ci/setup.py .venv``, called by ``make setup``; standard library only. A stamp inside the
environment tells what it was made from. It is written last and taken away first, so an environment
without one is half made and made anew, and one whose stamp fits costs nothing.
"""

import hashlib
import platform
import subprocess
import sys
import time
from pathlib import Path

LOCK = "requirements.lock"
MADE_FROM = (LOCK, "pyproject.toml", ".ci/setup.py")


def main(environment: Path) -> None:
    """Bring the environment up to date, or end with exit code 1 and what failed."""
    stamp = environment / ".dovetail-stamp"
    python = environment / "bin" / "python"
    # Its scripts hold the path; a copied or moved environment does not run.
    place = f"{Path.cwd()} {platform.python_version()}"
    content = hashlib.sha256(b"".join(Path(name).read_bytes() for name in MADE_FROM)).hexdigest()
    stamped = stamp.read_text().splitlines() if stamp.is_file() else []
    usable = stamped[:1] == [place] and _runs(python)
    if usable and stamped == [place, content]:
        return
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    if not usable:
        _say(f"Making {environment} with Python {platform.python_version()}")
        _run(sys.executable, "-m", "venv", "--clear", str(environment))
    _install(str(python))
    stamp.write_text(f"{place}\n{content}\n")
    _say(f"Ready after {time.monotonic() - began:.0f} s")


def _install(python: str) -> None:
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _say(f"Installing {LOCK}")
    # Wheels alone: building from source would fetch build tools that no lock names. Not compiled
    # beforehand: that doubles the time, and Python compiles what is imported at its first import.
    _run(*pip, "--no-compile", "--require-hashes", "--only-binary", ":all:", "--requirement", LOCK)
    # The build backend is in the lock, so nothing is fetched for the project itself.
    _run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")


def _runs(python: Path) -> bool:
    try:
        return subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def _run(*command: str) -> None:
    if subprocess.call(command, stdin=subprocess.DEVNULL):
        _say(f"This failed:\n  {' '.join(command)}")
        _say("Once its cause is gone, run `make setup` again: it goes on from a clean state.")
        sys.exit(1)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
