"""The settings as a typed object, and secrets that are read when they are used.

``app.settings.load_settings`` makes it; ``app.settings.fields`` lists what can be set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.logs import MASK, SECRET_MIN_LENGTH
from app.settings.fields import (
    ContentServerFields,
    DynamicsFields,
    EngineFields,
    GeneralFields,
    KafkaFields,
)
from streams.errors import Misconfigured

PREFIX = "DOVETAIL_"
_FILE = "_file"


class Need(StrEnum):
    """What the settings are for; each needs some of them."""

    RULES = "rules"
    KAFKA = "kafka"
    WORKER = "worker"


@dataclass(frozen=True)
class Secret:
    """A secret by its setting's name; it is read each time it is used, and never shown."""

    name: str
    text: SecretStr | None = None
    file: Path | None = None

    def read(self) -> str:
        """Return the secret as it is now; raises Misconfigured when its file cannot be used.

        From now on the logs mask it.
        """
        value = self.text.get_secret_value() if self.text else self._from_file()
        if len(value) < SECRET_MIN_LENGTH:
            raise Misconfigured(
                f"{self._variable} holds no secret: fewer than {SECRET_MIN_LENGTH} characters",
                advice="put the secret there",
            )
        MASK.add(value)
        return value

    def _from_file(self) -> str:
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as fault:
            why = getattr(fault, "strerror", None) or "not UTF-8 text"
            raise Misconfigured(
                f"{self._variable} names {self.file}, which cannot be read: {why}",
                advice="mount the secret there, readable by this user, or name another file",
            ) from None

    @property
    def _variable(self) -> str:
        return variable(self.name if self.text else self.name + _FILE)


class Settings(GeneralFields, KafkaFields, DynamicsFields, ContentServerFields, EngineFields):
    """All settings, typed; see ``app.settings.fields`` for each. Made by ``load_settings``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment: no file is read behind anybody's back."""
        return init_settings, env_settings

    def secret(self, name: str) -> Secret | None:
        """The secret of this setting (``"otds_password"``), None when it is not set."""
        text: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, name + _FILE)
        return Secret(name, text, file) if text or file else None

    def secrets(self) -> Iterator[Secret]:
        """All secrets that are set."""
        return (found for name in secret_names() if (found := self.secret(name)))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def fields() -> Mapping[str, FieldInfo]:
    """All settings by name, in the order in which people look for them."""
    groups = (GeneralFields, KafkaFields, DynamicsFields, ContentServerFields, EngineFields)
    return {name: info for group in groups for name, info in group.model_fields.items()}


def secret_names() -> tuple[str, ...]:
    """The settings that are secrets; each has a second one ``…_file``."""
    every = fields()
    return tuple(name for name, info in every.items() if "SecretStr" in str(info.annotation))
