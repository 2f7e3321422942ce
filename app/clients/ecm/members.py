"""Users and groups of Content Server by login, business e-mail or group name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from app.clients.ecm.answers import Properties, all_pages, number
from app.clients.http import Endpoint
from streams.errors import Refused

_KEPT_SECONDS = 600.0
_USERS, _GROUPS = "0", "1"


class Members:
    """Resolves members (reference/extended-ecm.md 3); who was found is kept for ten minutes."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._known: dict[str, tuple[int, float]] = {}

    async def ids(self, names: Iterable[str]) -> tuple[set[int], list[str]]:
        """The ids of these members, and the names of those that there are not."""
        found: set[int] = set()
        unknown: list[str] = []
        for name in dict.fromkeys(names):
            member = await self._id(name)
            if member is None:
                unknown.append(name)
            else:
                found.add(member)
        return found, unknown

    async def id(self, name: str) -> int:
        """The id of one member; Refused (``member_unknown``) when there is none."""
        found, unknown = await self.ids([name])
        if unknown:
            raise unknown_members(unknown)
        return next(iter(found))

    async def _id(self, name: str) -> int | None:
        key = name.strip().casefold()
        kept = self._known.get(key)
        if kept and self._clock() < kept[1]:
            return kept[0]
        member = await self._search(key, _USERS) if key else None
        if member is None and key:
            member = await self._search(key, _GROUPS)
        if member is not None:
            self._known[key] = (member, self._clock() + _KEPT_SECONDS)
        return member

    async def _search(self, key: str, kind: str) -> int | None:
        """``query`` looks into logins, names and e-mails alike; only whole matches count."""
        items = await all_pages(
            self._endpoint, "find_member", "/v2/members", where_type=kind, query=key
        )
        present = [item for item in items if not item.get("deleted")]
        by_login = [item for item in present if _is(item, "name", key)]
        matches = by_login or [item for item in present if _is(item, "business_email", key)]
        if len(matches) > 1:
            logins = ", ".join(sorted(str(item.get("name")) for item in matches))
            raise Refused(
                f"Several members of Content Server have the e-mail {key}: {logins}.",
                code="member_not_unique",
                advice="Give all but one of them another e-mail, or name members by login.",
            )
        return number(matches[0].get("id")) if matches else None


def unknown_members(names: Sequence[str]) -> Refused:
    """The error to raise when Content Server does not know these."""
    return Refused(
        f"Content Server knows no member {', '.join(names)}.",
        code="member_unknown",
        advice="Create them in OTDS, or give their users this login or business e-mail.",
    )


def _is(item: Properties, name: str, key: str) -> bool:
    return str(item.get(name) or "").casefold() == key
