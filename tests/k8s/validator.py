"""kubernetes-validate in a folder of its own: it brings the schemas of every Kubernetes release.

It is not in requirements.lock because its seventeen thousand files would double everybody's set-up;
the tests that need it install it once, from a lock with hashes, into the repository's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
CACHE = Path(__file__).resolve().parents[2] / ".cache"
KUBERNETES = "1.34"


def installed() -> Path:
    """The folder to put on PYTHONPATH; installs it where it is missing."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"kubernetes-validate-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "kubernetes-validate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="kubernetes-validate-") as making:
        target = Path(making) / "packages"
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        command += ["--no-compile", "--require-hashes", "--only-binary", ":all:"]
        command += ["--target", str(target), "--requirement", str(LOCK)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"pip could not install {LOCK.name}; it needs a package index once:\n{done.stderr}"
            )
        target.rename(folder)


def faults(manifests: Path) -> str:
    """What the strict schemas of ``KUBERNETES`` say against a file; empty when it is right."""
    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", KUBERNETES, str(manifests)],
        env={**os.environ, "PYTHONPATH": str(installed())},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
