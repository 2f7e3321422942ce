"""The real systems over HTTP, behind ``streams.ports``.

    dynamics/         Dataverse Web API v9.2
    finance/          finance and operations, OData; routing.py: both behind one port
    ecm/              Content Server REST
    http.py           client factory, one request with sign-in, timing and redaction
    status.py         how status-code tables work; each package has its own status.py
    tokens.py         Entra ID access tokens (msal); tickets.py: Content Server tickets (OTDS)

Nothing here retries, apart from one new sign-in after a 401 and a bounded loop after a 412: how
often and how long to try again is the writers' business. Only ``streams.errors`` leave a gateway.
"""
