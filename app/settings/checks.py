"""What settings need of each other, and what a command needs of them.

Every fault begins with the variable to set, and says what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from app.settings.model import Need, Settings, fields, secret_names, variable
from streams.errors import Misconfigured

_OURS = "dovetail."


def faults_of(settings: Settings, needs: Iterable[Need]) -> Iterator[str]:
    """Everything that is missing or contradicts, one line each."""
    wanted = set(needs)
    yield from _secrets(settings)
    yield from _files(settings)
    if wanted & {Need.KAFKA, Need.WORKER}:
        yield from _kafka(settings)
    if Need.WORKER in wanted:
        yield from _worker(settings)
    if wanted & {Need.RULES, Need.WORKER}:
        yield from _rules(settings)


def _rules(settings: Settings) -> Iterator[str]:
    if not settings.rules_directory:
        yield _about("rules_directory", "names no folder")
    for folder in settings.rules_directory:
        if not folder.is_dir():
            yield _about("rules_directory", f"names {folder}, which is no folder")


def _missing(settings: Settings, *names: str) -> Iterator[str]:
    for name in names:
        if not getattr(settings, name):
            yield _about(name, "is not set")


def _about(name: str, fault: str) -> str:
    return f"{variable(name)} {fault} ({fields()[name].description})"


def _secrets(settings: Settings) -> Iterator[str]:
    for name in secret_names():
        text, file = getattr(settings, name), getattr(settings, f"{name}_file")
        if text and file:
            yield f"{variable(name)} and {variable(name)}_FILE are both set: keep one"
    for secret in settings.secrets():
        try:
            secret.read()
        except Misconfigured as fault:
            yield str(fault)


def _files(settings: Settings) -> Iterator[str]:
    read_already = {f"{name}_file" for name in secret_names()}
    for name in sorted(fields().keys() - read_already):
        file = getattr(settings, name)
        if name.endswith("_file") and isinstance(file, Path) and not file.is_file():
            yield _about(name, f"names {file}, which is no file")


def _kafka(settings: Settings) -> Iterator[str]:
    yield from _missing(settings, "kafka_bootstrap")
    for address in settings.kafka_bootstrap:
        host, separator, port = address.rpartition(":")
        if not (separator and host and port.isdecimal()):
            yield _about("kafka_bootstrap", f"names {address!r}, which is not host:port")
    if settings.kafka_security_protocol.startswith("SASL"):
        yield from _missing(settings, "kafka_sasl_username")
        if settings.secret("kafka_sasl_password") is None:
            yield _about("kafka_sasl_password", "is not set, nor its _FILE")
    elif settings.kafka_sasl_username:
        yield (
            f"{variable('kafka_security_protocol')} is {settings.kafka_security_protocol}, so the "
            "login would not be used: set it to SASL_SSL (or SASL_PLAINTEXT), or remove the login"
        )
    if settings.kafka_key_file and not settings.kafka_certificate_file:
        yield _about("kafka_certificate_file", "is not set, but a key is")


def _worker(settings: Settings) -> Iterator[str]:
    yield from _missing(settings, "source_topics", "dataverse_url", "content_server_url")
    for name in ("source_topics", "ecm_event_topics"):
        for topic in getattr(settings, name):
            if topic.startswith(_OURS):
                yield _about(name, f"names {topic}, a topic of ours: name the producers' topics")
    for topic in sorted({*settings.source_topics} & {*settings.ecm_event_topics}):
        yield _about("ecm_event_topics", f"names {topic}, which DOVETAIL_SOURCE_TOPICS names too")
    if settings.data_directory.exists() and not settings.data_directory.is_dir():
        yield _about("data_directory", f"names {settings.data_directory}, which is no folder")
    yield from _entra(settings)
    yield from _otds(settings)
    yield from _timing(settings)


def _entra(settings: Settings) -> Iterator[str]:
    yield from _missing(settings, "entra_tenant_id", "entra_client_id")
    ways = {
        "entra_client_secret": settings.secret("entra_client_secret"),
        "entra_client_certificate_file": settings.entra_client_certificate_file,
        "entra_federated_token_file": settings.entra_federated_token_file,
    }
    chosen = [variable(name) for name, value in ways.items() if value]
    if len(chosen) > 1:
        yield f"{chosen[0]} and {' and '.join(chosen[1:])} are all set: keep one way to sign in"
    if not chosen:
        yield (
            f"{variable('entra_client_secret')} (or its _FILE), "
            f"{variable('entra_client_certificate_file')} or "
            f"{variable('entra_federated_token_file')} has to be set "
            "(how the application signs in to Dataverse)"
        )


def _otds(settings: Settings) -> Iterator[str]:
    client, user = settings.otds_client_id, settings.otds_username
    if client and user:
        yield (
            f"{variable('otds_client_id')} and {variable('otds_username')} are both set: "
            "keep one way to sign in"
        )
    elif client:
        yield from _missing(settings, "otds_url")
        if settings.secret("otds_client_secret") is None:
            yield _about("otds_client_secret", "is not set, nor its _FILE")
    elif user:
        if settings.secret("otds_password") is None:
            yield _about("otds_password", "is not set, nor its _FILE")
    else:
        yield (
            f"{variable('otds_client_id')} with its secret, or {variable('otds_username')} with "
            "its password, has to be set (how the service signs in to Extended ECM)"
        )


def _timing(settings: Settings) -> Iterator[str]:
    """The bounds of reference/stream-engines.md 1.11."""
    if settings.heartbeat_interval_seconds * 2 > settings.session_timeout_seconds:
        yield _about(
            "heartbeat_interval_seconds",
            "leaves no second try within the session timeout: set a third of "
            f"{settings.session_timeout_seconds:g}",
        )
    if settings.revoke_budget_seconds >= settings.rebalance_timeout_seconds:
        yield _about("revoke_budget_seconds", "must be below DOVETAIL_REBALANCE_TIMEOUT_SECONDS")
    for name in ("dataverse_timeout_seconds", "finance_timeout_seconds", "ecm_timeout_seconds"):
        if getattr(settings, name) * 3 > settings.rebalance_timeout_seconds:
            yield _about(
                name,
                "must be at most a third of DOVETAIL_REBALANCE_TIMEOUT_SECONDS "
                f"({settings.rebalance_timeout_seconds:g})",
            )
