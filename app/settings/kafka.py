"""From the settings to what the Kafka clients and the engine take."""

from __future__ import annotations

import ssl

from app.settings.model import Settings, variable
from streams.engine.settings import EngineSettings, Security
from streams.errors import Misconfigured
from streams.topics import MAX_MESSAGE_BYTES
from tables.store import StoreSettings

_REACH_ADVICE = (
    "if they stay away, check DOVETAIL_KAFKA_BOOTSTRAP and DOVETAIL_KAFKA_SECURITY_PROTOCOL"
)
_LOGIN_ADVICE = (
    "check DOVETAIL_KAFKA_SASL_USERNAME, DOVETAIL_KAFKA_SASL_PASSWORD (or its _FILE) and "
    "DOVETAIL_KAFKA_SASL_MECHANISM"
)
_TRUST_ADVICE = (
    "set DOVETAIL_CA_FILE to the authority that signed it, and name the brokers in "
    "DOVETAIL_KAFKA_BOOTSTRAP as their certificate does"
)

_TOPICS_ADVICE = (
    "set DOVETAIL_REPLICATION_FACTOR to at most the number of brokers, and let our user create "
    "topics, or create them as `dovetail topics list` shows them"
)


def kafka_security(settings: Settings) -> Security:
    """How to sign in to the brokers; raises Misconfigured for files that hold something else."""
    password = settings.secret("kafka_sasl_password")
    return Security(
        protocol=settings.kafka_security_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_sasl_username,
        password=password.read() if password else "",
        ssl_context=_ssl_context(settings) if "SSL" in settings.kafka_security_protocol else None,
        reach_advice=_REACH_ADVICE,
        login_advice=_LOGIN_ADVICE,
        trust_advice=_TRUST_ADVICE,
    )


def engine_settings(settings: Settings) -> EngineSettings:
    """The engine's settings: ours where there is one, its own defaults elsewhere."""
    return EngineSettings(
        app_id=settings.application_id,
        bootstrap=settings.kafka_bootstrap,
        data_directory=settings.data_directory,
        security=kafka_security(settings),
        instance_id=settings.instance_id,
        session_timeout_seconds=settings.session_timeout_seconds,
        heartbeat_interval_seconds=settings.heartbeat_interval_seconds,
        rebalance_timeout_seconds=settings.rebalance_timeout_seconds,
        revoke_budget_seconds=settings.revoke_budget_seconds,
        batch_max_records=settings.batch_limit_messages,
        max_record_bytes=MAX_MESSAGE_BYTES,
        checkpoint_interval_ms=max(1, round(settings.checkpoint_interval_seconds * 1000)),
        topic_replication_factor=settings.replication_factor,
        # With two copies or more one may be lost without losing what was confirmed.
        min_insync_replicas=min(2, settings.replication_factor),
        topics_advice=_TOPICS_ADVICE,
        store=StoreSettings(
            block_cache_bytes=settings.rocksdb_block_cache_bytes,
            write_buffer_bytes=settings.rocksdb_write_buffer_bytes,
        ),
    )


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(cafile=str(settings.ca_file))
        except (OSError, ssl.SSLError):
            raise _unusable("ca_file", "holds no certificate authority in PEM") from None
    if settings.kafka_certificate_file:
        password = settings.secret("kafka_key_password")
        try:
            context.load_cert_chain(
                settings.kafka_certificate_file,
                settings.kafka_key_file,
                password.read if password else _no_password,
            )
        except (OSError, ssl.SSLError, ValueError):
            raise _unusable(
                "kafka_certificate_file", "and its key do not belong together, or do not open"
            ) from None
    return context


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal, which nobody would answer."""
    return ""


def _unusable(name: str, fault: str) -> Misconfigured:
    return Misconfigured(f"{variable(name)} {fault}", advice="check the file that it names")
