"""The settings: environment variables ``DOVETAIL_*``, all read and checked at once.

Whatever is wrong is told together: values that cannot be, variables that do not exist, settings
that are missing for what is about to run, settings that contradict each other. No message holds
a secret, or anything that may be one. ``app.settings.fields`` lists what can be set.

    settings = load_settings(Need.WORKER)
    settings.secret("entra_client_secret").read()   # each time it is used: it may be rotated
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from app.settings.checks import faults_of
from app.settings.model import PREFIX, Need, Secret, Settings, fields, secret_names, variable
from streams.errors import Misconfigured

__all__ = ["Need", "Secret", "Settings", "fields", "load_settings", "secret_names", "variable"]

#: What Kubernetes puts into every pod for a Service whose name begins with "dovetail".
_SERVICE_LINK = re.compile(
    r"DOVETAIL_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")


def load_settings(*needs: Need) -> Settings:
    """Read and check the settings that these needs ask for.

    Raises Misconfigured, once, with everything that is wrong and how to put it right.
    """
    faults = list(_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as wrong:
        faults += _invalid(wrong)
        settings = _without(wrong)
    broken = frozenset(fault.split(" ", 1)[0] for fault in faults)
    faults += [f for f in faults_of(settings, needs) if f.split(" ", 1)[0] not in broken]
    if faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        lines = "".join(f"\n  {fault}" for fault in faults)
        # From nowhere: pydantic's own error would bring the values along.
        raise Misconfigured(f"{count} wrong or missing:{lines}") from None
    return settings


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = {variable(name) for name in fields()}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or not environment[name]:
            continue
        if _SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.fullmatch(environment[name]):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        meant = f": did you mean {near[0]}?" if near else ": remove it"
        yield f"{name} is not a setting of Dovetail{meant}"


def _invalid(wrong: ValidationError) -> Iterator[str]:
    for error in wrong.errors(include_url=False, include_context=False):
        name = str(error["loc"][0])
        message = error["msg"].removeprefix("Value error, ")
        value = os.environ.get(variable(name), "")
        yield f"{variable(name)} {_shown(name, value)}: {_lower(message)} ({_purpose(name)})"
        if _SERVICE_ADDRESS.fullmatch(value):
            yield (
                f"{variable(name)} was set by Kubernetes for a Service of that name: "
                "set enableServiceLinks: false on the pod"
            )


def _without(wrong: ValidationError) -> Settings:
    """The settings with defaults where values are wrong, to check the others all the same."""
    bad = {str(error["loc"][0]) for error in wrong.errors(include_url=False)}
    every = fields()
    defaults: dict[str, Any] = {
        name: every[name].get_default(call_default_factory=True, validated_data={}) for name in bad
    }
    return Settings(**defaults)


def _shown(name: str, value: str) -> str:
    """The value, unless it is or may hold a secret."""
    secret = name in secret_names() or "@" in value or len(value) > 100
    return "cannot be used" if secret else f"is {value!r}"


def _purpose(name: str) -> str:
    return fields()[name].description or ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
