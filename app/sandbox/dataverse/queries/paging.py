"""Cookies of pages: where the next page starts, in the service's dress."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from app.sandbox.dataverse.errors import Refusal

MAX_PAGE = 5000


def write_cookie(content: dict[str, Any], page: int = 2) -> str:
    """An opaque continuation; ``page`` is the number of the page that it asks for."""
    packed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    return f'<cookie pagenumber="{page}" pagingcookie="{packed}" istracking="False" />'


def read_cookie(text: str, *names: str) -> dict[str, Any]:
    """What `write_cookie` wrote, with at least these names. Raises `Refusal` 400."""
    match = re.fullmatch(r'<cookie (?:pagenumber="\d+" )?pagingcookie="([\w\-=]+)" [^>]*/>', text)
    try:
        if match is None:
            raise ValueError(text)
        content = json.loads(base64.urlsafe_b64decode(match[1]))
        if not isinstance(content, dict) or not set(names) <= set(content):
            raise ValueError(text)
    except ValueError as error:
        raise Refusal.bad_query("Malformed XML in the Paging Cookie") from error
    return content


def page_of(text: str) -> int:
    """The number of the page that a cookie asks for."""
    match = re.match(r'<cookie pagenumber="(\d{1,9})"', text)
    return int(match[1]) if match else 2
