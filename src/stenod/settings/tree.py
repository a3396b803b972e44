"""The settings themselves: a frozen tree of two levels, each leaf with its unit and effect beside it.

The docstring under a field becomes its row in the docs. Where values come from is not known here: making a `Settings`
reads no environment and no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stenod.engines.base import LoadOptions, Model
from stenod.models.store import Store
from stenod.options import MIN_SILENCE_FLOOR, RATE, DecodeOptions, Endpointing, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Also:
    """What else is known of a setting."""

    alias: str | None = None
    """A second name in the environment and in `.env`."""
    flag: str | None = None
    """Its flag on the command line."""
    allowed: str | None = None
    """What it may be, in words, where the type does not say it."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _text(value: object) -> object:
    """A key that is all digits is no number."""
    return str(value) if type(value) in {int, float} else value


def _listed(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16", "int8"]


class Group(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool) and info.field_name and cls.model_fields[info.field_name].annotation in {int, float}:
            raise ValueError("true and false are no numbers")
        return value


class Server(Group):
    """The doors."""

    host: Annotated[str, Field(min_length=1), Also(flag="--host", allowed="a host name or address")] = "127.0.0.1"
    """Address to listen on. The default answers this machine only; `0.0.0.0` answers everyone who can reach it."""
    port: Annotated[int, Field(ge=0, le=65535), Also(flag="--port")] = 8000
    """TCP port to listen on; 0 takes any that is free."""
    monitor_port: Annotated[int, Field(ge=0, le=65535), Also(flag="--monitor-port")] = 0
    """A second TCP port, for `/health`, `/health/ready`, `/health/live`, `/stats`, `/metrics` (JSON) and `/info` alone;
    0 for none."""
    max_connections: Annotated[int, Field(ge=1), Also(flag="--max-connections")] = 100
    """Sessions served at once, live and files together; further ones are refused with a time to come back."""
    grace: Annotated[float, Field(ge=0, le=3600), Also(flag="--grace")] = 10.0
    """Seconds that open utterances have, at the end, to get their finals."""
    max_upload_mb: Annotated[int, Field(ge=1)] = 500
    """Largest uploaded file, in megabytes of a million bytes."""
    log_level: Annotated[LogLevel, BeforeValidator(_upper), Also(alias="LOG_LEVEL", flag="--log-level")] = "INFO"
    """How much is logged to standard error. `DEBUG` adds a line for each request."""
    api_key: Annotated[
        Annotated[SecretStr, Field(min_length=1)] | None,
        BeforeValidator(_text),
        Also(allowed="any text; unset: everyone may come in"),
    ] = None
    """The key that clients must present; `/healthz` and `/readyz` answer without."""
    resume_secret: Annotated[SecretStr | None, Also(allowed="any text; the same on servers that share clients")] = None
    """Signs resume tokens, so that another server, or this one restarted, believes them; made up at the start otherwise."""
    cors_origins: Annotated[
        tuple[str, ...], BeforeValidator(_listed), Also(allowed="a list of origins (in the environment: with commas)")
    ] = ()
    """Web pages of which origins (`https://example.org`, or `*`) may call the server from a browser."""


class ModelSettings(Group):
    """The recogniser."""

    name: Annotated[str, Field(min_length=1), Also(flag="--model", allowed="a name from `stenod models`")] = "auto"
    """Model to use where the client names none; `auto` takes the most accurate that is installed."""
    others: Annotated[
        tuple[str, ...], BeforeValidator(_listed), Also(allowed="a list of names (in the environment: with commas)")
    ] = ()
    """Further models that clients may name, as for a second pass; installed ones of any quality they may name anyway."""
    drafts: Annotated[str | None, Also(allowed="a name from `stenod models`; unset: the model itself")] = None
    """Model that decodes partials while `model.name` decodes finals: a cheap one that streams beside an accurate one."""
    directory: Annotated[str, Field(min_length=1), Also(flag="--model-directory", allowed="a folder")] = (
        "~/.cache/stenod/models"
    )
    """Where models lie, one folder each; `stenod models pull` puts them there."""
    fetch: Annotated[
        Literal["auto", "never"],
        BeforeValidator(_lower),
    ] = "auto"
    """`auto`: where `model.name` is `auto` and no Parakeet is installed, one is fetched in the background from the model hub
    (`HF_ENDPOINT`), if that answers, and serves new sessions when it is there. `never`: the network is left alone, as it is
    with `HF_HUB_OFFLINE=1`."""
    idle_unload: Annotated[float, Field(ge=0, le=86400)] = 0.0
    """Seconds without a request after which a model's workers end and its memory is free; the next request loads it
    again. 0 never."""
    precision: Annotated[Precision, BeforeValidator(_lower), Also(alias="MODEL_PRECISION")] = "auto"
    """Arithmetic of the model; `auto` is what the engine does best. Told at the start where it has no effect."""
    device: Annotated[
        str,
        BeforeValidator(_lower),
        Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"),
        Also(alias="DEVICE", allowed="auto, cpu, cuda, cuda:N or mps"),
    ] = "auto"
    """Where the model runs; `auto` is what the engine does best. Told at the start where it has no effect."""
    batch_size: Annotated[int, Field(ge=1, le=256), Also(alias="BATCH_SIZE")] = 16
    """Most requests decoded together, where the engine can do that."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads inside each worker; 0 lets the engine choose."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Worker processes for the model; 0 takes as many as the engine finds worth having here."""
    processing_timeout: Annotated[float, Field(gt=0, le=3600), Also(alias="PROCESSING_TIMEOUT")] = 60.0
    """Seconds after which a decode counts as hung: the worker is replaced, and the request tried once more."""


class Audio(Group):
    """What arrives."""

    target_rate: Annotated[
        int,
        Field(ge=RATE, le=RATE),
        Also(alias="TARGET_SR", allowed=f"{RATE}: every model here hears that, and any other rate is converted to it"),
    ] = RATE
    """Samples per second at which models hear. Audio of any rate is taken and converted to it."""
    max_utterance: Annotated[float, Field(ge=1, le=600), Also(alias="MAX_AUDIO_DURATION")] = 30.0
    """Seconds of the longest utterance; longer speech is cut at the quietest point near it."""


class EndpointingSettings(Group):
    """When an utterance begins and ends, unless the client says otherwise."""

    vad: Annotated[Literal["silero", "energy"], BeforeValidator(_lower)] = "silero"
    """Voice activity detector: `silero` is a small neural network, `energy` a plain gate for quiet rooms and tests."""
    threshold: Annotated[float, Field(ge=0, le=1), Also(alias="VAD_THRESHOLD")] = 0.5
    """Speech probability at which speech begins; lower hears more, and more noise."""
    min_speech: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Seconds; shorter bursts are no speech."""
    min_silence: Annotated[float, Field(ge=MIN_SILENCE_FLOOR, le=60)] = 0.5
    """Seconds of silence that end an utterance."""
    padding: Annotated[float, Field(ge=0, le=5)] = 0.3
    """Seconds decoded ahead of the detected beginning."""
    turn_threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """End an utterance before the silence does, where the model itself believes this strongly (0 to 1) that the speaker has
    finished; models that tell no end of turn are not concerned."""


class Stream(Group):
    """Live sessions."""

    partials: bool = True
    """Whether text is sent while an utterance is still being spoken."""
    partial_interval: Annotated[float, Field(ge=0.1, le=60)] = 0.3
    """Seconds of audio between two partials."""
    crowded_interval: Annotated[float, Field(ge=0, le=60)] = 0.75
    """Seconds between two partials of a session, at least, where sixteen or more share a worker (fewer: proportionally less)
    and the engine decodes the whole utterance for each, which takes it a hundredth of that or more; 0: company makes no
    difference."""
    max_behind: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds of finished utterances that may wait for the recogniser; then no more is read until it has caught up."""
    max_unread: Annotated[int, Field(ge=10)] = 2000
    """Events kept for a client that does not read them; then the connection is closed with the reason."""
    idle: Annotated[float, Field(ge=0)] = 0.0
    """Seconds without any message after which a connection is closed; 0 never."""
    resume_window: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Seconds that a lost connection may take to come back to its session, where the client can; 0 keeps none."""
    stall: Annotated[float, Field(ge=0)] = 5.0
    """Seconds without audio in the middle of speech after which what was said so far is an utterance; 0 never."""


class Settings(BaseSettings):
    """Everything that can be set. `load_settings` makes one; making one directly takes exactly what it is given."""

    model_config = SettingsConfigDict(
        env_prefix="STENOD_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="forbid",
    )

    server: Server = Server()
    model: ModelSettings = ModelSettings()
    audio: Audio = Audio()
    endpointing: EndpointingSettings = EndpointingSettings()
    stream: Stream = Stream()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load` reads the places itself, so that an error can say where a value stands."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def masked(self) -> dict[str, dict[str, Any]]:
        """All settings in force, by group, as plain JSON values; secrets are stars."""
        return self.model_dump(mode="json")

    def options(self) -> Options:
        """What a session does where its client says nothing."""
        ends = self.endpointing
        return Options(
            endpointing=Endpointing(
                threshold=ends.threshold,
                hysteresis=min(Endpointing().hysteresis, 0.3 * ends.threshold),  # speech must be able to end at all
                min_speech=ends.min_speech,
                min_silence=ends.min_silence,
                padding=ends.padding,
                turn_threshold=ends.turn_threshold,
            ),
            decode=DecodeOptions(model=self.model.name),
            drafts=self.model.drafts,
            partials=self.stream.partials,
            partial_interval=self.stream.partial_interval,
            max_utterance=self.audio.max_utterance,
        )

    def store(self) -> Store:
        """Where models lie."""
        return Store(Path(self.model.directory).expanduser())

    def load_options(self) -> LoadOptions:
        """How to load any model."""
        chosen = self.model
        return LoadOptions(
            precision=chosen.precision, device=chosen.device, batch_size=chosen.batch_size, threads=chosen.threads
        )

    def without_effect(self, model: Model) -> tuple[str, ...]:
        """A line for each thing that was asked for and `model` cannot honour; `auto` asks for nothing."""
        asked = (
            ("precision", self.model.precision, model.capabilities.precisions),
            ("device", self.model.device.partition(":")[0], model.capabilities.devices),
        )
        return tuple(
            f"model.{name} = {value} has no effect on {model.name}"
            + (f", which offers {', '.join(offered)}" if offered else ", which has only one")
            for name, value, offered in asked
            if value != "auto" and value not in offered
        )
