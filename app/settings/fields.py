"""What can be set: one class per subject, one field per variable, each with what it is for.

A field ``kafka_bootstrap`` is the variable ``DOVETAIL_KAFKA_BOOTSTRAP``. Names are nouns that end
in their unit. A secret has a second field ``…_file``: the file that holds it, read again each time
the secret is used, so that a rotated one needs no restart.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode

from app.logs import LogFormat

RULES_DIRECTORY = Path(__file__).parent.parent / "rules"
#: Further rules, for those who have finance and operations.
FINANCE_RULES_DIRECTORY = RULES_DIRECTORY / "finance"


def _address(value: str) -> str:
    if not value:
        return value  # not set: whether it has to be is for the checks to say
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("holds a login; leave it out, logins have variables of their own")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a web address; write it as https://host/path")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path, without '?' or '#'")
    return value.rstrip("/")


def _environment(value: str) -> str:
    """The address of a Dynamics environment: the clients add the path of its API."""
    address = _address(value)
    if urlsplit(address).path.lower().startswith(("/api", "/data")):
        raise ValueError("must end with the host: the path of the API is added to it")
    return address


def _rest_api(value: str) -> str:
    """The address of Content Server's REST API, to which the clients add ``/v1`` or ``/v2``."""
    address = _address(value)
    if urlsplit(address).path.lower().endswith(("/v1", "/v2")):
        raise ValueError("must end in /api: the version is added to it")
    return address


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _bounded(least: float, most: float) -> Callable[[float], float]:
    def check(value: float) -> float:
        if not least <= value <= most:
            raise ValueError(f"must be from {least:g} to {most:g}")
        return value

    return check


Address = Annotated[str, AfterValidator(_address)]
EnvironmentAddress = Annotated[str, AfterValidator(_environment)]
ApiAddress = Annotated[str, AfterValidator(_rest_api)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, AfterValidator(_bounded(0.01, 86_400))]
Rate = Annotated[float, AfterValidator(_bounded(0.01, 10_000))]
Port = Annotated[int, Field(ge=0, le=65_535)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$")]


class GeneralFields(BaseSettings):
    """The worker itself."""

    application_id: Identifier = Field(
        "dovetail", description="the consumer group, and the prefix of the changelog topics"
    )
    instance_id: Identifier = Field(
        default_factory=socket.gethostname,
        description="this worker's own name, the same after a restart: the pod's name",
    )
    data_directory: Path = Field(
        Path("dovetail-data"), description="where the tables are kept on disk"
    )
    rules_directory: Folders = Field(
        (RULES_DIRECTORY,), description="the folders of the rule files; all of them count together"
    )
    http_host: str = Field("127.0.0.1", description="the interface of metrics and health checks")
    http_port: Port = Field(8080, description="the port of metrics and health checks")
    http_advertised_url: Address = Field(
        "", description="where other workers reach these pages, http://<pod>.<service>:8080"
    )
    gate_stale_after_seconds: Seconds = Field(
        30, description="an answer of /gates says that it is stale when decisions are so far behind"
    )
    ca_file: Path | None = Field(
        None, description="further certificate authorities to trust, PEM, for all connections"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="how much is logged"
    )
    log_format: LogFormat = Field("json", description="json for machines, text for people")


class KafkaFields(BaseSettings):
    """Brokers, logins and topics."""

    kafka_bootstrap: Names = Field((), description="the brokers to ask first, host:port,host:port")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="how to sign in, for the SASL protocols"
    )
    kafka_sasl_username: str = Field("", description="the login, for the SASL protocols")
    kafka_sasl_password: SecretStr | None = Field(None, description="its password")
    kafka_sasl_password_file: Path | None = Field(None, description="the file with its password")
    kafka_certificate_file: Path | None = Field(
        None, description="the client's certificate, PEM, where the brokers ask for one"
    )
    kafka_key_file: Path | None = Field(None, description="the key of the client's certificate")
    kafka_key_password: SecretStr | None = Field(None, description="the password of that key")
    kafka_key_password_file: Path | None = Field(None, description="the file with that password")
    source_topics: Names = Field((), description="the topics with changes of Dynamics")
    ecm_event_topics: Names = Field((), description="the topics with events of Extended ECM")
    partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        12, description="partitions of each topic of ours; never changes once topics exist"
    )
    replication_factor: Annotated[int, Field(ge=1, le=15)] = Field(
        3, description="copies of each topic of ours; 1 with a single broker"
    )


class DynamicsFields(BaseSettings):
    """The Dataverse environment and the application user in Entra ID."""

    dataverse_url: EnvironmentAddress = Field(
        "", description="the environment, https://org.crm4.dynamics.com"
    )
    dataverse_timeout_seconds: Seconds = Field(20, description="the longest wait for one answer")
    dataverse_calls_in_flight: Count = Field(
        32, description="calls at the same time; the service allows 52 per user"
    )
    dataverse_calls_per_second: Rate = Field(
        18, description="calls a second; the service allows 6000 in five minutes per user"
    )
    finance_url: EnvironmentAddress = Field(
        "",
        description="finance and operations, https://env.operations.dynamics.com; only needed when "
        "a rule is about one of its tables",
    )
    finance_timeout_seconds: Seconds = Field(20, description="the longest wait for one answer")
    finance_calls_in_flight: Count = Field(8, description="calls at the same time")
    finance_calls_per_second: Rate = Field(
        8, description="calls a second; the service throttles by its load"
    )
    entra_authority: Address = Field(
        "https://login.microsoftonline.com", description="where tokens are asked for"
    )
    entra_tenant_id: str = Field("", description="the directory (tenant) of the application")
    entra_client_id: str = Field("", description="the application (client) id")
    entra_client_secret: SecretStr | None = Field(None, description="the application's secret")
    entra_client_secret_file: Path | None = Field(None, description="the file with that secret")
    entra_client_certificate_file: Path | None = Field(
        None, description="the application's certificate with its key, PEM or PFX"
    )
    entra_client_certificate_password: SecretStr | None = Field(
        None, description="the password of that certificate's key"
    )
    entra_client_certificate_password_file: Path | None = Field(
        None, description="the file with that password"
    )
    entra_federated_token_file: Path | None = Field(
        None, description="the workload's token, which its platform renews"
    )


class ContentServerFields(BaseSettings):
    """Extended ECM (Content Server), and OTDS where the login goes through it."""

    content_server_url: ApiAddress = Field(
        "", description="the REST API, https://host/otcs/cs.exe/api or https://host/cs/cs/api"
    )
    content_server_ui_url: Address = Field(
        "", description="where people open a workspace, for links; without it, from the API's"
    )
    otds_url: Address = Field("", description="the directory service, https://host/otdsws")
    otds_client_id: str = Field("", description="the OAuth client of the directory service")
    otds_client_secret: SecretStr | None = Field(None, description="the OAuth client's secret")
    otds_client_secret_file: Path | None = Field(None, description="the file with that secret")
    otds_username: str = Field("", description="the service user, where there is no OAuth client")
    otds_password: SecretStr | None = Field(None, description="the service user's password")
    otds_password_file: Path | None = Field(None, description="the file with that password")
    ecm_timeout_seconds: Seconds = Field(20, description="the longest wait for one answer")
    ecm_calls_in_flight: Count = Field(8, description="calls at the same time")
    ecm_calls_per_second: Rate = Field(8, description="calls a second")


class EngineFields(BaseSettings):
    """How batches, membership and dead letters behave."""

    session_timeout_seconds: Seconds = Field(
        10, description="a worker that is silent for so long loses its partitions"
    )
    heartbeat_interval_seconds: Seconds = Field(3, description="how often a worker says it is here")
    rebalance_timeout_seconds: Seconds = Field(
        60, description="how long a rebalance waits for every worker"
    )
    revoke_budget_seconds: Seconds = Field(
        5, description="how long a worker may finish what it holds when partitions are taken"
    )
    batch_limit_messages: Count = Field(1000, description="messages decided together, at most")
    checkpoint_interval_seconds: Seconds = Field(
        0.1, description="how long results may wait for more before they are committed"
    )
    rocksdb_block_cache_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        16 << 20, description="read cache of each partition's tables"
    )
    rocksdb_write_buffer_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        8 << 20, description="write buffer of each partition's tables"
    )
    dead_letter_limit_consecutive: Count = Field(
        100, description="so many unreadable messages in a row halt the stage"
    )
    dead_letter_limit_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="this share of unreadable messages halts the stage"
    )
    dead_letter_limit_window_messages: Count = Field(
        1000, description="the messages over which that share is taken"
    )
