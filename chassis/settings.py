"""Settings of a service, read from environment variables; secrets also from files.

Not here: constants that are the same in every installation.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_BYTES = 32


def _validate_key(secret: SecretStr) -> SecretStr:
    if not _is_key(secret.get_secret_value()):
        raise ValueError("32 bytes as hexadecimal digits are needed")
    return secret


def _validate_keys(secret: SecretStr) -> SecretStr:
    if not all(_is_key(text) for text in secret.get_secret_value().split()):
        raise ValueError("each line must hold one key: 32 bytes as hexadecimal digits")
    return secret


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == KEY_BYTES
    except ValueError:
        return False


HexKey = Annotated[SecretStr, AfterValidator(_validate_key)]
# Any number of keys, one a line.
HexKeys = Annotated[SecretStr, AfterValidator(_validate_keys)]


class SettingsInvalid(SystemExit):
    """Invalid settings: the message names every problem and shows no value."""


class Settings(BaseSettings):
    """Base class of the settings of a service.

    The variable of a field is `<SERVICE>_<FIELD>`. Fields with a `validation_alias` have the same
    value in all services of an installation; their variables have no service prefix.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)
    prefix: ClassVar[str] = ""

    environment: Literal["development", "production"] = Field(
        "production", validation_alias=AliasChoices("BINA_ENVIRONMENT", "environment")
    )
    kafka: str = Field("127.0.0.1:9092", validation_alias=AliasChoices("BINA_KAFKA", "kafka"))
    # CA of the brokers' certificates. None = the connection is not encrypted.
    kafka_ca: FilePath | None = Field(
        None, validation_alias=AliasChoices("BINA_KAFKA_CA", "kafka_ca")
    )
    mongo_driver: Literal["motor", "pymongo"] = Field(
        "motor", validation_alias=AliasChoices("BINA_MONGO_DRIVER", "mongo_driver")
    )
    public_origin: str = Field(
        "https://sertifikat.example",
        validation_alias=AliasChoices("PUBLIC_ORIGIN", "public_origin"),
    )
    egress_allow: str = Field("", validation_alias=AliasChoices("EGRESS_ALLOW", "egress_allow"))
    otlp_endpoint: str = Field(
        "", validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )

    mongo_url: SecretStr
    # The Kafka user name is the service's name. Empty = the broker requires no authentication.
    kafka_password: SecretStr = SecretStr("")
    signing_key: SecretStr
    trusted_keys: DirectoryPath
    # 32 bytes in hexadecimal.
    audit_key: SecretStr = Field(min_length=64, max_length=64)
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    replica: str = "0"
    # Prefix of topics and consumer groups, for a broker that several installations share.
    namespace: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trace_ratio: float = Field(0.1, ge=0, le=1)

    def __init_subclass__(cls, prefix: str = "", **kwargs: Any) -> None:
        cls.prefix = prefix
        cls.model_config = SettingsConfigDict(
            env_prefix=prefix, extra="ignore", frozen=True, populate_by_name=True
        )
        super().__init_subclass__(**kwargs)

    @classmethod
    def load(cls) -> Self:
        """Return the settings from the environment and the files of `<PREFIX>SECRETS_DIR`.

        In production, MongoDB and Kafka must be reached by TLS and with passwords. Raises
        SettingsInvalid, which names every problem.
        """
        secrets = os.environ.get(f"{cls.prefix}SECRETS_DIR")
        if secrets and not Path(secrets).is_dir():
            message = f"{cls.prefix}SECRETS_DIR: no such directory"
            raise SettingsInvalid(message)
        try:
            # Pyright does not know this constructor argument of pydantic-settings.
            settings = cls(_secrets_dir=secrets)  # pyright: ignore[reportCallIssue]
        except ValidationError as error:
            lines = [
                f"{_variable(cls, problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsInvalid("invalid settings:\n  " + "\n  ".join(lines)) from None
        if settings.environment == "production" and (lines := settings.unprotected()):
            raise SettingsInvalid("invalid settings:\n  " + "\n  ".join(lines))
        return settings

    def unprotected(self) -> list[str]:
        """Return what is missing for TLS and passwords to MongoDB and Kafka."""
        problems: list[str] = []
        url = urlsplit(self.mongo_url.get_secret_value())
        options = {name.lower(): value for name, value in parse_qsl(url.query)}
        default = "true" if url.scheme == "mongodb+srv" else "false"
        mongo = _variable(type(self), ("mongo_url",))
        if options.get("tls", options.get("ssl", default)) != "true":
            problems.append(f"{mongo}: production needs TLS to MongoDB; add tls=true to the URL")
        if not (url.username and url.password):
            problems.append(f"{mongo}: production needs a user and a password for MongoDB")
        if self.kafka_ca is None:
            problems.append("BINA_KAFKA_CA: production needs TLS to Kafka; name its CA file")
        if not self.kafka_password.get_secret_value():
            kafka = _variable(type(self), ("kafka_password",))
            problems.append(f"{kafka}: production needs a password for Kafka")
        return problems


def _variable(cls: type[Settings], loc: tuple[int | str, ...]) -> str:
    name = str(loc[0]) if loc else ""
    return name if name.isupper() else f"{cls.prefix}{name}".upper()
