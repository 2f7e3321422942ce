"""Why no broker lets us in: aiokafka only says that it could not bootstrap.

A broker that is away is waited for; one that answers and refuses our login or certificate, or whose
certificate we refuse, will do so until a person corrects a setting.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.engine.settings import EngineSettings, Security
from streams.errors import Misconfigured

_LOGIN_REFUSED = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_ANSWER_MS = 5_000


async def refusal(settings: EngineSettings) -> Misconfigured | None:
    """What stands against our sign-in; None while a broker lets us in, or none answers at all."""
    found: Misconfigured | None = None
    async for error in _attempts(settings):
        if error is None:
            return None
        found = found or _explained(error, settings.security)
    return found


async def _attempts(settings: EngineSettings) -> AsyncIterator[Exception | None]:
    """How signing in at each broker ended."""
    security = settings.security
    for host, port, _ in collect_hosts(list(settings.bootstrap)):
        try:
            connection = await create_conn(
                host,
                port,
                request_timeout_ms=_ANSWER_MS,
                ssl_context=security.ssl_context,
                security_protocol=security.protocol,
                sasl_mechanism=security.mechanism,
                sasl_plain_username=security.username,
                sasl_plain_password=security.password,
            )
        except (OSError, KafkaError, TimeoutError) as error:
            yield error
        else:
            with suppress(OSError):
                connection.close()
            yield None


def _explained(error: Exception, security: Security) -> Misconfigured | None:
    if isinstance(error, _LOGIN_REFUSED):
        return Misconfigured(
            f"The brokers refuse our login: {error}",
            code="kafka_login_refused",
            advice=security.login_advice,
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return Misconfigured(
            f"The brokers' certificate is not to be trusted: {error.verify_message}",
            code="kafka_certificate_untrusted",
            advice=security.trust_advice,
        )
    return None
