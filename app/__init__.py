"""The outside world and the wiring: settings, clients, the sandbox, the command line."""

from importlib.metadata import version as _version


def version() -> str:
    """The version of Dovetail that runs."""
    return _version("dovetail")
