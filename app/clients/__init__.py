"""The real systems over HTTP, behind ``streams.ports``.

    http.py           client factory, one request with sign-in, timing and redaction
    status.py         how status-code tables work; dynamics_status.py and ecm_status.py
    tokens.py         Entra ID access tokens (msal); tickets.py: Content Server tickets (OTDS)
    dynamics*.py      Dataverse Web API v9.2
    ecm*.py           Content Server REST

Nothing here retries, apart from one new sign-in after a 401 and a bounded loop after a 412: how
often and how long to try again is the writers' business. Only ``streams.errors`` leave a gateway.
"""
