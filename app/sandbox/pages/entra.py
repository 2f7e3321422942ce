"""What the simulated Entra ID holds: registered applications, never a secret."""

from __future__ import annotations

from app.sandbox.entra import EntraSimulator
from app.sandbox.pages.html import Html, element
from app.sandbox.pages.layout import code, facts, section, table


def entra_page(entra: EntraSimulator) -> Html:
    """Addresses, applications and how many tokens were given out."""
    rows = [(client.client_id, client.principal_id) for client in entra.clients.values()]
    return element(
        "div",
        facts(
            [
                ("Authority", code(entra.authority)),
                ("Tenant", code(entra.tenant)),
                ("Token endpoint", code(entra.token_url)),
                ("Certificates to trust", code(str(entra.ca_path))),
                ("Tokens given out", str(entra.tokens_issued)),
                ("A token lives", f"{entra.lifetime_seconds} seconds"),
            ]
        ),
        section("Applications", table("Applications", ("Client id", "Service principal"), rows)),
    )
