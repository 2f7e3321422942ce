"""A simulated Entra ID: the token endpoint that service clients sign in at, over TLS.

    clients = [EntraClient(APP_ID, secrets=("s3cret",))]
    async with EntraSimulator("contoso", clients) as entra:
        session = requests.Session()
        session.verify, session.trust_env = str(entra.ca_path), False
        msal.ConfidentialClientApplication(
            APP_ID, client_credential="s3cret", authority=entra.authority,
            instance_discovery=False, http_client=session,
        )

`instance_discovery=False` keeps msal from asking Microsoft whether this authority is real. msal's
own `verify=` argument works too, but only where neither REQUESTS_CA_BUNDLE nor CURL_CA_BUNDLE is
set: requests lets these variables win over a session's bundle unless `trust_env` is off.
"""

from app.sandbox.entra.clients import Certificate, EntraClient, FederatedCredential
from app.sandbox.entra.keys import IssuedCertificate, issue_certificate
from app.sandbox.entra.simulator import EntraSimulator
from app.sandbox.entra.tokens import Claims, InvalidToken, RemoteKeys, TokenTrust

__all__ = [
    "Certificate",
    "Claims",
    "EntraClient",
    "EntraSimulator",
    "FederatedCredential",
    "InvalidToken",
    "IssuedCertificate",
    "RemoteKeys",
    "TokenTrust",
    "issue_certificate",
]
