"""Signature requests (reference/extended-ecm.md 8.4): plain records, the rules in `signatures`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

SignatureStatus = Literal["created", "sent", "signed", "voided"]


@dataclass
class Signer:
    """Somebody who signs, in the order of ``order``; ``status`` is sent, signed or waiting."""

    full_name: str
    email: str
    order: int
    status: str = "waiting"


@dataclass(frozen=True)
class SignatureActivity:
    """One line of a request's story."""

    action: str
    at: datetime
    user_id: int
    text: str = ""


@dataclass
class SignatureRequest:
    """Documents that people are asked to sign through a provider."""

    id: int
    provider: str
    documents: tuple[int, ...]
    signers: list[Signer]
    user_id: int
    created: datetime
    modified: datetime
    status: SignatureStatus = "created"
    activities: list[SignatureActivity] = field(default_factory=list)


@dataclass
class SignatureState:
    """Every signature request of one server, by id."""

    requests: dict[int, SignatureRequest] = field(default_factory=dict)
