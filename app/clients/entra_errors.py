"""What a failed sign-in at Entra ID means, and which setting a person has to look at.

msal reports a refusal as a dict with ``error`` and ``error_description`` (which starts with an
AADSTS code) and raises for everything else (reference/dataverse.md 2.1).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import httpx

from app.clients import setting_names
from app.clients.http import transport_error
from app.clients.redaction import secrets_seen
from app.clients.status import failure_of
from streams.errors import DovetailError, Misconfigured, Throttled, Unavailable

_TITLE = "Entra ID"
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
#: AADSTS codes that do not speak about the credential itself. Others: the credential's setting.
_SETTINGS = {
    "AADSTS700016": setting_names.ENTRA_CLIENT_ID,
    "AADSTS900023": setting_names.ENTRA_TENANT_ID,
    "AADSTS90002": setting_names.ENTRA_TENANT_ID,
    "AADSTS500011": setting_names.DATAVERSE_URL,
    "AADSTS1002012": setting_names.DATAVERSE_URL,
    "AADSTS70011": setting_names.DATAVERSE_URL,
}


def of_result(
    result: Mapping[str, Any], last: httpx.Response | None, setting: str
) -> DovetailError:
    """The error for an answer without a token; ``setting`` is the one of the credential."""
    words = str(result.get("error_description") or result.get("error") or "no reason given")
    text = secrets_seen.clean(words.splitlines()[0])
    message = f"{_TITLE} gave no token: {text}"
    if last is not None and (last.status_code == 429 or last.status_code >= 500):
        return _transient(message, last)
    if result.get("error") in _TRANSIENT_ERRORS:
        return Unavailable(message, code="sign_in_unavailable")
    number = re.match(r"AADSTS\d+", text)
    named = _SETTINGS.get(number.group(), setting) if number else setting
    return Misconfigured(
        message, code="sign_in_refused", advice=f"Correct {named}; it is read at each sign-in."
    )


def of_exception(
    error: Exception, last: httpx.Response | None, authority: str, setting: str
) -> DovetailError:
    """The error for an exception out of msal; ``last`` is the last answer before it."""
    what = f"{_TITLE} ({authority})"
    if isinstance(error, httpx.HTTPError):
        return transport_error(error, what, setting_names.ENTRA_AUTHORITY)
    text = secrets_seen.clean(str(error)) or type(error).__name__
    if last is None:
        is_address = authority.startswith("https://")
        return _unusable(text, what, setting if is_address else setting_names.ENTRA_AUTHORITY)
    if last.status_code == 429 or last.status_code >= 500:
        return _transient(f"{what} answered {last.status_code}", last)
    if last.status_code >= 400:
        return Misconfigured(
            f"{what} is not an authority that signs us in: {text}",
            code="authority_unknown",
            advice=f"Correct {setting_names.ENTRA_AUTHORITY} or {setting_names.ENTRA_TENANT_ID}.",
        )
    if last.request.method == "GET":
        # Discovery succeeded: what fails between it and the token request is our credential,
        # unless the document could not be read.
        if not failure_of(last).is_json:
            return Unavailable(f"{what}: its answer is not JSON", code="not_json")
        return _unusable(text, what, setting)
    return Unavailable(f"{what}: its answer cannot be read ({text})", code="not_json")


def _unusable(text: str, what: str, setting: str) -> Misconfigured:
    return Misconfigured(
        f"{what}: we cannot sign in: {text}",
        code="credential_unusable",
        advice=f"Correct {setting}.",
    )


def _transient(message: str, last: httpx.Response) -> DovetailError:
    wait = failure_of(last, time.time()).retry_after
    if last.status_code == 429:
        return Throttled(message, retry_after=wait)
    return Unavailable(message, code="sign_in_unavailable", retry_after=wait)
