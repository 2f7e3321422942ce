"""Who is calling: OTDS tokens and SSO tickets, OTCS tickets that expire when idle.

reference/extended-ecm.md 1. An OTCS ticket is a signed string that names a session; every answer
carries a fresh one, and all tickets of a session live and die with it. A Bearer token or OTDS
ticket on a call opens a session of its own the first time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from app.sandbox.content_server.model import Member, MemberType
from app.sandbox.content_server.store import Store

_TIDY_ABOVE = 1000
"""How many sessions or grants are kept before those that have expired are looked for."""


@dataclass
class Session:
    """One signed-in user; ``issued`` counts the tickets handed out."""

    id: str
    user_id: int
    last_seen: float
    issued: int = 0


@dataclass(frozen=True)
class Grant:
    """A token or SSO ticket of the directory service; ``expires`` is a POSIX time."""

    user_id: int
    kind: Literal["token", "ticket", "refresh"]
    expires: float


class Sessions:
    """All sessions and grants of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret = store.random.randbytes(32)
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, Grant] = {}
        self._by_grant: dict[str, str] = {}

    def sign_in(self, login: str, password: str) -> Member | None:
        """The user with this login and password; ``user@partition`` names are understood."""
        for name in (login, login.rpartition("@")[0]):
            member = self._store.member_named(name) if name else None
            if member and member.type == MemberType.USER and not member.deleted:
                same = hmac.compare_digest(member.password.encode(), password.encode())
                return member if same and password else None
        return None

    def open(self, user_id: int) -> Session:
        """Start a session."""
        session = Session(self._store.random.randbytes(12).hex(), user_id, self._now())
        self._sessions[session.id] = session
        if len(self._sessions) > _TIDY_ABOVE:
            self._forget_expired()
        return session

    def remembered(self) -> int:
        """How many sessions and grants are kept."""
        return len(self._sessions) + len(self._grants)

    def fresh_ticket(self, session: Session) -> str:
        """The next ticket of the session."""
        session.issued += 1
        plain = f"{session.id}.{session.issued}"
        return base64.urlsafe_b64encode(f"{plain}.{self._sign(plain)}".encode()).decode()

    def expires_at(self, session: Session) -> int:
        """When the session ends if nothing more is asked, as POSIX seconds."""
        return int(session.last_seen + self._store.behaviour.session_idle_seconds)

    def by_ticket(self, ticket: str) -> Session | None:
        """The living session of an OTCS ticket, now seen; None when unknown or expired."""
        session = self._sessions.get(self._session_id(ticket))
        if session is None:
            return None
        if self._now() - session.last_seen > self._store.behaviour.session_idle_seconds:
            del self._sessions[session.id]
            return None
        if self._store.behaviour.session_from == "last_request":
            session.last_seen = self._now()
        return session

    def by_grant(self, secret: str, kind: Literal["token", "ticket"]) -> Session | None:
        """The session of a Bearer token or OTDS ticket, opened at its first use."""
        grant = self._grants.get(secret)
        if grant is None or grant.kind != kind or self._now() > grant.expires:
            return None
        known = self._sessions.get(self._by_grant.get(secret, ""))
        if known is None:
            known = self.open(grant.user_id)
            self._by_grant[secret] = known.id
        known.last_seen = self._now()
        return known

    def of(self, user_id: int) -> list[Session]:
        """The living sessions of a user, oldest first."""
        now, idle = self._now(), self._store.behaviour.session_idle_seconds
        found = [s for s in self._sessions.values() if s.user_id == user_id]
        return [session for session in found if now - session.last_seen <= idle]

    def close(self, session: Session) -> None:
        """End a session: every ticket of it is refused from now on."""
        self._sessions.pop(session.id, None)

    def expire_all(self, *, grants: bool = False) -> None:
        """End every session; with ``grants`` every OTDS token and ticket as well."""
        self._sessions.clear()
        if grants:
            self._grants.clear()

    def issue_token(self, user: Member, client_id: str) -> str:
        """An access token that lives for the configured time."""
        lifetime = timedelta(seconds=self._store.behaviour.token_lifetime_seconds)
        expires = self._now() + lifetime.total_seconds()
        claims = {
            "sub": user.name,
            "cid": client_id,
            "exp": int(expires),
            "jti": self._store.random.randbytes(8).hex(),
        }
        plain = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{_segment(claims)}"
        token = f"{plain}.{self._sign(plain)}"
        self._grant(token, Grant(user.id, "token", expires))
        return token

    def issue_ticket(self, user: Member) -> str:
        """An OTDS single sign-on ticket."""
        ticket = f"*OTDSSSO*{self._store.random.randbytes(24).hex()}"
        lifetime = self._store.behaviour.token_lifetime_seconds
        self._grant(ticket, Grant(user.id, "ticket", self._now() + lifetime))
        return ticket

    def issue_refresh(self, user: Member) -> str:
        """A refresh token; it outlives the access token tenfold."""
        secret = self._store.random.randbytes(24).hex()
        lifetime = 10 * self._store.behaviour.token_lifetime_seconds
        self._grant(secret, Grant(user.id, "refresh", self._now() + lifetime))
        return secret

    def refresh(self, secret: str) -> Member | None:
        """The user of a living refresh token."""
        grant = self._grants.get(secret)
        if grant is None or grant.kind != "refresh" or self._now() > grant.expires:
            return None
        return self._store.members[grant.user_id]

    def _grant(self, secret: str, grant: Grant) -> None:
        self._grants[secret] = grant
        if len(self._grants) > _TIDY_ABOVE:
            self._forget_expired()

    def _forget_expired(self) -> None:
        now, idle = self._now(), self._store.behaviour.session_idle_seconds
        self._sessions = {i: s for i, s in self._sessions.items() if now - s.last_seen <= idle}
        self._grants = {secret: g for secret, g in self._grants.items() if now <= g.expires}
        self._by_grant = {s: i for s, i in self._by_grant.items() if s in self._grants}

    def _session_id(self, ticket: str) -> str:
        try:
            plain, _, signature = base64.urlsafe_b64decode(ticket).decode().rpartition(".")
        except ValueError:
            return ""
        good = hmac.compare_digest(self._sign(plain).encode(), signature.encode())
        return plain.partition(".")[0] if good else ""

    def _sign(self, plain: str) -> str:
        digest = hmac.new(self._secret, plain.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _now(self) -> float:
        return self._store.clock().timestamp()


def _segment(claims: dict[str, object]) -> str:
    raw = json.dumps(claims, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
