"""Signature requests: created, sent, signed by everybody in turn, or voided (reference 8.4).

The provider is outside: `send` and `sign` are what DocuSign or Core Signature would report. The
signed file comes back as a new version of its document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.sandbox.content_server import errors
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.model import Member, NodeType
from app.sandbox.content_server.signature_model import (
    SignatureActivity,
    SignatureRequest,
    SignatureStatus,
    Signer,
)
from app.sandbox.content_server.store import Store

PROVIDERS = ("docusign", "coresignature")


def create(
    store: Store,
    provider: str,
    documents: Sequence[int],
    signers: Sequence[Signer],
    actor: Member,
) -> SignatureRequest:
    """Make a request for documents with at least one signer; it is not sent yet."""
    if provider not in PROVIDERS:
        raise errors.ApiError(400, f"The signature provider '{provider}' does not exist.")
    if not documents or not signers:
        raise errors.missing_argument("signer" if documents else "doc_id")
    for document in documents:
        if store.node(document).type != NodeType.DOCUMENT:
            raise errors.ApiError(400, "Only documents can be signed.")
    now = store.clock()
    made = SignatureRequest(
        store.new_id(), provider, tuple(documents), list(signers), actor.id, now, now
    )
    store.signatures.requests[made.id] = made
    _note(store, made, "created", actor.id)
    return made


def find(store: Store, request_id: int) -> SignatureRequest:
    """The request; 404 when there is none."""
    found = store.signatures.requests.get(request_id)
    if found is None:
        raise errors.ApiError(404, f"The signature request {request_id} does not exist.")
    return found


def send(store: Store, request: SignatureRequest) -> None:
    """The provider has sent the request to the first signers."""
    _require(request, "created")
    _move(store, request, "sent", request.user_id)
    _ask_next(request)


def sign(store: Store, request: SignatureRequest, email: str = "") -> None:
    """A signer whose turn it is signs; after the last one the documents come back signed."""
    _require(request, "sent")
    turn = [s for s in request.signers if s.status == "sent" and email in ("", s.email)]
    if not turn:
        raise errors.ApiError(400, f"It is not the turn of '{email}' to sign.")
    turn[0].status = "signed"
    _note(store, request, "signed", request.user_id, turn[0].email)
    _ask_next(request)
    if any(signer.status != "signed" for signer in request.signers):
        return
    for document in request.documents:
        node = store.nodes.get(document)
        if node is not None and node.versions:
            newest = node.versions[-1]
            signed = replace(
                newest, created=store.clock(), description="Signed", content=newest.content
            )
            store.add_version(node, signed, request.user_id)
    _move(store, request, "signed", request.user_id)


def remind(store: Store, request: SignatureRequest, actor: Member) -> None:
    """Ask again whoever has not signed."""
    _require(request, "sent")
    _note(store, request, "reminder", actor.id)


def cancel(store: Store, request: SignatureRequest, actor: Member) -> None:
    """Void a request that is not signed yet."""
    if request.status in ("signed", "voided"):
        raise errors.ApiError(400, f"The signature request is already {request.status}.")
    _move(store, request, "voided", actor.id)


def _require(request: SignatureRequest, status: SignatureStatus) -> None:
    if request.status != status:
        raise errors.ApiError(400, f"The signature request is {request.status}, not {status}.")


def _ask_next(request: SignatureRequest) -> None:
    """Everybody of the lowest order that has not signed is asked."""
    waiting = [signer for signer in request.signers if signer.status != "signed"]
    turn = min((signer.order for signer in waiting), default=0)
    for signer in waiting:
        signer.status = "sent" if signer.order == turn else "waiting"


def _move(store: Store, request: SignatureRequest, status: SignatureStatus, user_id: int) -> None:
    request.status, request.modified = status, store.clock()
    _note(store, request, status, user_id)
    for document in request.documents:
        if document in store.nodes:
            happened(
                store,
                f"signature.{status}",
                store.nodes[document],
                user_id,
                {"request_id": request.id, "provider": request.provider},
            )


def _note(
    store: Store, request: SignatureRequest, action: str, user_id: int, text: str = ""
) -> None:
    request.activities.append(SignatureActivity(action, store.clock(), user_id, text))
