"""Names of workspaces: what Content Server takes, and how two of one name are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from tables.keys import is_natural

#: reference/extended-ecm.md 0
LONGEST_NAME = 248
_SHORT_ID = 8


def clean_name(name: str, fallback: str) -> str:
    """The name as Content Server takes it: no colon, no control characters, at most 248.

    >>> clean_name("Offer: Contoso  ", "7")
    'Offer- Contoso'
    """
    printable = "".join(c if c.isprintable() else " " for c in name.replace(":", "-"))
    tidy = " ".join(printable.split())[:LONGEST_NAME].rstrip()
    return tidy or fallback.replace(":", "-")[:LONGEST_NAME]


def names_to_try(name: str, object_id: str) -> Iterator[str]:
    """The clean name, then the ones to fall back to when it is taken in the folder.

    >>> list(names_to_try("Acme", "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"))[1]
    'Acme (0a3f6f52)'
    >>> list(names_to_try("Invoice 7", "usmf~v-001~7"))[1:]
    ['Invoice 7 (usmf~v-001~7)']
    """
    plain = clean_name(name, object_id)
    yield plain
    # Servers give ids back in either case.
    safe_id = clean_name(object_id, "0").lower()
    # The beginning of a guid tells two apart; that of a company and key does not.
    first = safe_id if is_natural(object_id.lower()) else safe_id[:_SHORT_ID]
    for suffix in dict.fromkeys((first, safe_id)):
        yield f"{plain[: LONGEST_NAME - len(suffix) - 3].rstrip()} ({suffix})"


def is_same_name(present: str, wanted: str, object_id: str) -> bool:
    """Whether a workspace is called as wanted, be it with the suffix that made it unique."""
    return present in names_to_try(wanted, object_id)
