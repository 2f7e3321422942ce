"""The settings: all faults at once, each with its variable, and never a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from app.logs import MASK
from app.settings import Need, Settings, fields, load_settings, secret_names, variable
from app.settings.fields import RULES_DIRECTORY
from app.settings.kafka import engine_settings, kafka_security
from streams.errors import Misconfigured

CANARY = "canary-3f9c1a52"
WORKER = {
    "DOVETAIL_KAFKA_BOOTSTRAP": "kafka-1:9092, kafka-2:9092",
    "DOVETAIL_SOURCE_TOPICS": "dynamics.changes,more.changes",
    "DOVETAIL_DATAVERSE_URL": "https://contoso.crm4.dynamics.com/",
    "DOVETAIL_ENTRA_TENANT_ID": "contoso",
    "DOVETAIL_ENTRA_CLIENT_ID": "dovetail",
    "DOVETAIL_ENTRA_CLIENT_SECRET": f"{CANARY}-entra",
    "DOVETAIL_CONTENT_SERVER_URL": "https://ecm.contoso.example/cs/cs/api",
    "DOVETAIL_OTDS_URL": "https://ecm.contoso.example/otdsws",
    "DOVETAIL_OTDS_CLIENT_ID": "dovetail",
    "DOVETAIL_OTDS_CLIENT_SECRET": f"{CANARY}-otds",
}


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's environment, and nothing of the machine that runs the tests."""
    for name in [name for name in os.environ if name.startswith("DOVETAIL_")]:
        monkeypatch.delenv(name)
    for name, value in WORKER.items():
        monkeypatch.setenv(name, value)


def faults(*needs: Need) -> list[str]:
    with pytest.raises(Misconfigured) as wrong:
        load_settings(*(needs or (Need.WORKER,)))
    assert CANARY not in str(wrong.value)
    return [line.strip() for line in str(wrong.value).splitlines()[1:]]


class TestGoodSettings:
    def test_values_are_typed_and_what_is_not_set_has_its_default(self) -> None:
        settings = load_settings(Need.WORKER)
        assert settings.kafka_bootstrap == ("kafka-1:9092", "kafka-2:9092")
        assert settings.source_topics == ("dynamics.changes", "more.changes")
        assert settings.ecm_event_topics == ()
        assert settings.dataverse_url == "https://contoso.crm4.dynamics.com"
        assert settings.http_port == 8080
        assert settings.partitions == 12
        assert settings.replication_factor == 3
        assert settings.rules_directory == (RULES_DIRECTORY,)
        assert settings.dead_letter_limit_ratio == 0.5
        assert settings.instance_id

    def test_each_command_needs_only_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in WORKER:
            monkeypatch.delenv(name)
        load_settings()
        load_settings(Need.RULES)
        monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", "[::1]:9092")
        assert load_settings(Need.KAFKA).kafka_bootstrap == ("[::1]:9092",)

    def test_an_empty_variable_counts_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOVETAIL_HTTP_PORT", "")
        monkeypatch.setenv("DOVETAIL_LEFT_OVER", "")
        assert load_settings(Need.WORKER).http_port == 8080

    def test_what_kubernetes_sets_for_a_service_is_not_taken_for_a_setting(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {
            "DOVETAIL_SERVICE_HOST": "10.0.0.1",
            "DOVETAIL_WORKER_SERVICE_PORT_HTTP": "8080",
            "DOVETAIL_PORT": "tcp://10.0.0.1:8080",
            "DOVETAIL_PORT_8080_TCP_ADDR": "10.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        load_settings(Need.WORKER)

    def test_settings_are_frozen(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            setattr(load_settings(Need.WORKER), "http_port", 1)  # noqa: B010

    def test_every_setting_says_what_it_is_for_and_ends_in_its_unit(self) -> None:
        assert all(info.description for info in fields().values())
        assert {*fields()} == {*Settings.model_fields}
        numbers = [n for n, f in fields().items() if "float" in str(f.annotation)]
        units = ("_seconds", "_per_second", "_ratio")
        assert [name for name in numbers if not name.endswith(units)] == []

    def test_every_secret_may_come_from_a_file(self) -> None:
        assert secret_names()
        assert all(f"{name}_file" in fields() for name in secret_names())

    def test_code_and_deployment_name_only_settings_that_there_are(self) -> None:
        root = Path(__file__).parents[2]
        folders = [root / name for name in ("app", "streams", "tables", "k8s")]
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        known = {variable(name) for name in fields()}
        named = {
            name: str(file.relative_to(root))
            for file in [*files, root / "docker-compose.yml", root / "Makefile"]
            if file.suffix in {"", ".py", ".yaml", ".yml", ".env", ".md"} and file.exists()
            for name in re.findall(r"\bDOVETAIL_[A-Z][A-Z_]*[A-Z]\b", file.read_text("utf-8"))
        }
        services = re.compile(r"DOVETAIL_(SERVICE|PORT)")
        unknown = {n: f for n, f in named.items() if n not in known and not services.match(n)}
        assert unknown == {}
        assert len(named) > 30


class TestFaults:
    def test_everything_that_is_missing_is_named_at_once_with_its_purpose(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in WORKER:
            monkeypatch.delenv(name)
        found = faults()
        for name in WORKER.keys() - {"DOVETAIL_OTDS_URL", "DOVETAIL_OTDS_CLIENT_SECRET"}:
            assert any(name in fault for fault in found), name
        assert all("(" in fault for fault in found)

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("HTTP_PORT", "abc", "is 'abc': input should be a valid integer"),
            ("HTTP_PORT", "70000", "is '70000': input should be less than or equal to 65535"),
            ("HTTP_PORT", "tcp://10.0.0.1:1", "set enableServiceLinks: false on the pod"),
            ("PARTITIONS", "0", "is '0': input should be greater than or equal to 1"),
            ("ECM_CALLS_PER_SECOND", "0", "must be from 0.01 to 10000"),
            ("ECM_CALLS_PER_SECOND", "nan", "must be from 0.01 to 10000"),
            ("LOG_LEVEL", "loud", "input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
            ("LOG_FORMAT", "xml", "input should be 'json' or 'text'"),
            ("KAFKA_SECURITY_PROTOCOL", "TLS", "input should be 'PLAINTEXT', 'SSL'"),
            ("DATAVERSE_URL", "contoso.crm4.dynamics.com", "is not a web address"),
            ("DATAVERSE_URL", f"https://u:{CANARY}@host", "holds a login; leave it out"),
            ("CONTENT_SERVER_URL", "https://host/api?x=1", "must end with its path"),
            ("DATAVERSE_URL", "https://host/api/data/v9.2", "must end with the host"),
            ("FINANCE_URL", "https://host/data", "must end with the host"),
            ("CONTENT_SERVER_URL", "https://host/cs/cs/api/v1", "must end in /api"),
            ("DATA_DIRECTORY", __file__, "test_settings.py, which is no folder"),
            ("KAFKA_BOOTSTRAP", "kafka", "names 'kafka', which is not host:port"),
            ("DEAD_LETTER_LIMIT_RATIO", "1.5", "input should be less than or equal to 1"),
            ("INSTANCE_ID", "a b", "string should match pattern"),
            ("SOURCE_TOPICS", "dovetail.changes.v1", "a topic of ours: name the producers' topics"),
            ("ECM_EVENT_TOPICS", "more.changes", "which DOVETAIL_SOURCE_TOPICS names too"),
            ("CA_FILE", "/nowhere/ca.pem", "names /nowhere/ca.pem, which is no file"),
            ("RULES_DIRECTORY", "/nowhere", "names /nowhere, which is no folder"),
            ("RULES_DIRECTORY", "/tmp, /nowhere", "names /nowhere, which is no folder"),
            ("RULES_DIRECTORY", ",", "DOVETAIL_RULES_DIRECTORY names no folder"),
            ("HEARTBEAT_INTERVAL_SECONDS", "8", "leaves no second try within the session timeout"),
            ("ECM_TIMEOUT_SECONDS", "30", "at most a third of DOVETAIL_REBALANCE_TIMEOUT_SECONDS"),
            ("REVOKE_BUDGET_SECONDS", "60", "must be below DOVETAIL_REBALANCE_TIMEOUT_SECONDS"),
            ("KAFKA_SASL_USERNAME", "me", "DOVETAIL_KAFKA_SECURITY_PROTOCOL is PLAINTEXT, so the"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "DOVETAIL_KAFKA_SASL_PASSWORD is not set, nor"),
            ("KAFKA_KEY_FILE", __file__, "DOVETAIL_KAFKA_CERTIFICATE_FILE is not set, but a key"),
            ("OTDS_USERNAME", "me", "are both set: keep one way to sign in"),
            ("ENTRA_FEDERATED_TOKEN_FILE", __file__, "are all set: keep one way to sign in"),
            ("OTDS_CLIENT_SECRET_FILE", __file__, "DOVETAIL_OTDS_CLIENT_SECRET_FILE are both set"),
            ("OTDS_CLIENT_SECRET", "abc", "DOVETAIL_OTDS_CLIENT_SECRET holds no secret: fewer"),
            (
                "ENTRA_AUTORITY",
                "https://x",
                "is not a setting of Dovetail: did you mean DOVETAIL_EN",
            ),
            ("ZZZZZZZZZ", CANARY, "is not a setting of Dovetail: remove it"),
        ],
    )
    def test_a_setting_that_cannot_be_is_told_with_its_variable(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
    ) -> None:
        monkeypatch.setenv(f"DOVETAIL_{name}", value)
        found = faults()
        assert any(says in fault and fault.startswith("DOVETAIL_") for fault in found), found

    def test_a_wrong_value_is_not_told_twice_as_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOVETAIL_DATAVERSE_URL", "nonsense")
        assert len(faults()) == 1

    def test_wrong_values_hide_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOVETAIL_HTTP_PORT", "abc")
        monkeypatch.setenv("DOVETAIL_SURCE_TOPICS", "x")
        monkeypatch.delenv("DOVETAIL_ENTRA_TENANT_ID")
        assert [fault.split()[0] for fault in faults()] == [
            "DOVETAIL_SURCE_TOPICS",
            "DOVETAIL_HTTP_PORT",
            "DOVETAIL_ENTRA_TENANT_ID",
        ]


class TestSecrets:
    def test_a_file_is_read_each_time_so_that_a_rotated_secret_needs_no_restart(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        file = tmp_path / "secret"
        file.write_text("first-secret\n")
        monkeypatch.delenv("DOVETAIL_OTDS_CLIENT_SECRET")
        monkeypatch.setenv("DOVETAIL_OTDS_CLIENT_SECRET_FILE", str(file))
        secret = load_settings(Need.WORKER).secret("otds_client_secret")
        assert secret is not None
        assert secret.read() == "first-secret"
        file.write_text("second-secret")
        assert secret.read() == "second-secret"
        assert MASK("first-secret second-secret") == "**** ****"

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "cannot be read: No such file or directory"),
            (b"", "holds no secret: fewer than 4 characters"),
            (b"\xff\xfe\xff\xff", "cannot be read: not UTF-8 text"),
        ],
    )
    def test_a_file_that_holds_no_secret_is_told_at_the_start(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
    ) -> None:
        file = tmp_path / "secret"
        if content is not None:
            file.write_bytes(content)
        monkeypatch.delenv("DOVETAIL_OTDS_CLIENT_SECRET")
        monkeypatch.setenv("DOVETAIL_OTDS_CLIENT_SECRET_FILE", str(file))
        (found,) = faults()
        assert found.startswith("DOVETAIL_OTDS_CLIENT_SECRET_FILE")
        assert says in found

    def test_no_secret_shows_in_any_form_of_the_settings(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in secret_names():
            monkeypatch.setenv(variable(name), f"{CANARY}-{name}")
        settings = load_settings()
        secrets = [*settings.secrets()]
        assert len(secrets) == len(secret_names())
        shown = [repr(settings), str(settings), str(settings.model_dump()), repr(secrets)]
        shown.append(settings.model_dump_json())
        assert not any(CANARY in text for text in shown)
        assert {secret.read() for secret in secrets} == {f"{CANARY}-{n}" for n in secret_names()}


class TestForTheEngine:
    def test_the_engine_gets_our_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOVETAIL_REPLICATION_FACTOR", "1")
        monkeypatch.setenv("DOVETAIL_CHECKPOINT_INTERVAL_SECONDS", "0.25")
        engine = engine_settings(load_settings(Need.WORKER))
        assert engine.app_id == "dovetail"
        assert engine.bootstrap == ("kafka-1:9092", "kafka-2:9092")
        assert engine.topic_replication_factor == 1
        assert engine.min_insync_replicas == 1
        assert engine.checkpoint_interval_ms == 250
        assert engine.security.protocol == "PLAINTEXT"
        assert engine.security.ssl_context is None

    def test_a_login_by_password_reaches_the_brokers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOVETAIL_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        monkeypatch.setenv("DOVETAIL_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
        monkeypatch.setenv("DOVETAIL_KAFKA_SASL_USERNAME", "dovetail")
        monkeypatch.setenv("DOVETAIL_KAFKA_SASL_PASSWORD", f"{CANARY}-kafka")
        security = kafka_security(load_settings(Need.WORKER))
        assert (security.mechanism, security.username) == ("SCRAM-SHA-512", "dovetail")
        assert security.password == f"{CANARY}-kafka"
        assert security.ssl_context is not None
        assert CANARY not in repr(security)

    def test_a_login_by_certificate_reaches_the_brokers(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        import trustme

        authority = trustme.CA()
        ours = authority.issue_cert("dovetail.example")
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        monkeypatch.setenv("DOVETAIL_KAFKA_SECURITY_PROTOCOL", "SSL")
        monkeypatch.setenv("DOVETAIL_CA_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("DOVETAIL_KAFKA_CERTIFICATE_FILE", str(tmp_path / "cert.pem"))
        monkeypatch.setenv("DOVETAIL_KAFKA_KEY_FILE", str(tmp_path / "key.pem"))
        context = kafka_security(load_settings(Need.WORKER)).ssl_context
        assert context is not None
        assert any("trustme" in str(known["subject"]) for known in context.get_ca_certs())

    @pytest.mark.parametrize("name", ["CA_FILE", "KAFKA_CERTIFICATE_FILE"])
    def test_a_file_that_is_no_certificate_is_told_with_its_variable(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("DOVETAIL_KAFKA_SECURITY_PROTOCOL", "SSL")
        monkeypatch.setenv(f"DOVETAIL_{name}", __file__)
        with pytest.raises(Misconfigured, match=f"DOVETAIL_{name}"):
            kafka_security(load_settings(Need.WORKER))
