"""Settings: what wins over what, what every name does, and the one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import SecretStr, ValidationError

from stenod.engines.base import Capabilities, Model
from stenod.errors import BadSettings
from stenod.settings import Settings, catalogue, load, load_settings, markdown
from stenod.settings.load import CONFIG
from stenod.settings.tree import Group


def value(settings: Settings, name: str) -> Any:
    group, _, field = name.partition(".")
    return getattr(getattr(settings, group), field)


def model(**has: Any) -> Model:
    return Model(
        name="small",
        family="small",
        installed=True,
        languages=("en",),
        capabilities=Capabilities(**has),
        licence="MIT",
        size_mb=1,
        quality=1,
        expect="badly",
    )


# ----------------------------------------------------------------------------------------------------------- precedence

FLAGS = {"server.port": 1}
ENVIRON = {"STENOD_SERVER_PORT": "2"}
DOTENV = "STENOD_SERVER_PORT=3"
TOML = "[server]\nport = 4"


@pytest.mark.parametrize(
    ("places", "port", "origin"),
    [
        ((FLAGS, ENVIRON, DOTENV, TOML), 1, "flag --port"),
        (({"server.port": None}, ENVIRON, DOTENV, TOML), 2, "environment: STENOD_SERVER_PORT"),
        ((None, {"STENOD_SERVER_PORT": ""}, DOTENV, TOML), 3, ".env: STENOD_SERVER_PORT"),
        ((None, {}, "STENOD_SERVER_PORT=", TOML), 4, "stenod.toml: server.port"),
        ((None, {}, "", ""), 8000, None),
    ],
)
def test_precedence(tmp_path, places, port, origin):
    flags, environ, dotenv, toml = places
    (tmp_path / ".env").write_text(dotenv)
    (tmp_path / "stenod.toml").write_text(toml)
    loaded = load(flags, environ=environ, directory=tmp_path)
    assert loaded.settings.server.port == port
    assert loaded.origins.get("server.port") == origin


def test_places_are_merged_setting_by_setting(tmp_path):
    (tmp_path / ".env").write_text("# a comment\n\nexport DEVICE='cpu' # another\nOTHER=thing\n")
    (tmp_path / "stenod.toml").write_text("[server]\nport = 4\nhost = '::1'\n[model]\nthreads = 2\n")
    settings = load_settings({"server.port": 1}, environ={"BATCH_SIZE": "7", "HOME": "x"}, directory=tmp_path)
    expected = Settings().masked()
    expected["server"] |= {"port": 1, "host": "::1"}
    expected["model"] |= {"threads": 2, "device": "cpu", "batch_size": 7}
    assert settings.masked() == expected


def test_without_files_or_variables_all_is_default(tmp_path):
    assert load(environ={}, directory=tmp_path).settings == Settings()
    assert load(environ={}, directory=tmp_path).origins == {}


def test_making_settings_reads_no_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("STENOD_SERVER_PORT", "2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("STENOD_SERVER_PORT=3")
    assert Settings().server.port == 8000


@pytest.mark.parametrize("how", ["argument", "environment", ".env"])
def test_another_file_can_be_named(tmp_path, how):
    (tmp_path / "stenod.toml").write_text("[server]\nport = 4")
    (tmp_path / "other.toml").write_text("[server]\nport = 5")
    (tmp_path / ".env").write_text(f"{CONFIG}=other.toml" if how == ".env" else "")
    settings = load_settings(
        config=Path("other.toml") if how == "argument" else None,
        environ={CONFIG: "other.toml"} if how == "environment" else {},
        directory=tmp_path,
    )
    assert settings.server.port == 5


# -------------------------------------------------------------------------------------------------------------- aliases

ALIASES = [
    ("MODEL_PRECISION", "fp16", "model.precision", "fp16"),
    ("DEVICE", "cuda", "model.device", "cuda"),
    ("BATCH_SIZE", "9", "model.batch_size", 9),
    ("TARGET_SR", "16000", "audio.target_rate", 16000),
    ("MAX_AUDIO_DURATION", "12", "audio.max_utterance", 12.0),
    ("VAD_THRESHOLD", "0.7", "endpointing.threshold", 0.7),
    ("LOG_LEVEL", "debug", "server.log_level", "DEBUG"),
    ("PROCESSING_TIMEOUT", "5", "model.processing_timeout", 5.0),
]


def test_the_table_of_aliases_is_complete():
    assert {alias for alias, *_ in ALIASES} == {setting.alias for setting in catalogue().values() if setting.alias}


@pytest.mark.parametrize("row", ALIASES, ids=lambda row: row[0])
@pytest.mark.parametrize("dotenv", [False, True])
def test_each_alias_sets_its_setting(tmp_path, row, dotenv):
    alias, written, name, meant = row
    (tmp_path / ".env").write_text(f"{alias}={written}" if dotenv else "")
    loaded = load(environ={} if dotenv else {alias: written}, directory=tmp_path)
    assert value(loaded.settings, name) == meant
    assert list(loaded.origins) == [name]


def test_the_own_name_wins_over_the_alias(tmp_path):
    environ = {"STENOD_MODEL_BATCH_SIZE": "2", "BATCH_SIZE": "3"}
    assert load_settings(environ=environ, directory=tmp_path).model.batch_size == 2


def test_an_empty_own_name_leaves_the_alias(tmp_path):
    environ = {"STENOD_MODEL_BATCH_SIZE": "", "BATCH_SIZE": "3"}
    assert load_settings(environ=environ, directory=tmp_path).model.batch_size == 3


def test_aliases_are_no_flags_and_no_keys_of_the_file(tmp_path):
    (tmp_path / "stenod.toml").write_text("DEVICE = 'cpu'")
    with pytest.raises(BadSettings, match="no such setting"):
        load(environ={}, directory=tmp_path)


# ------------------------------------------------------------------------------------------------------ what is refused

PORT = "server.port must be a whole number from 0 to 65535"
RATE_ONLY = "16000: every model here hears that, and any other rate is converted to it"
SILENCE = "endpointing.min_silence must be a number from 0.2 to 60"
ORIGINS = "server.cors_origins must be a list of origins (in the environment: with commas)"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"STENOD_SERVER_PORT": "99999"}, f'environment: STENOD_SERVER_PORT = "99999": {PORT}'),
        ({"STENOD_SERVER_PORT": "http"}, f'environment: STENOD_SERVER_PORT = "http": {PORT}'),
        ({"STENOD_SERVER_PORT": "80.5"}, f'environment: STENOD_SERVER_PORT = "80.5": {PORT}'),
        (
            {"STENOD_MODEL_PRECISION": "fp8"},
            'environment: STENOD_MODEL_PRECISION = "fp8": model.precision must be auto, fp32, fp16, bf16 or int8',
        ),
        (
            {"MODEL_PRECISION": "fp8"},
            'environment: MODEL_PRECISION = "fp8": model.precision must be auto, fp32, fp16, bf16 or int8',
        ),
        ({"DEVICE": "tpu"}, 'environment: DEVICE = "tpu": model.device must be auto, cpu, cuda, cuda:N or mps'),
        ({"BATCH_SIZE": "0"}, 'environment: BATCH_SIZE = "0": model.batch_size must be a whole number from 1 to 256'),
        (
            {"TARGET_SR": "8000"},
            f'environment: TARGET_SR = "8000": audio.target_rate must be {RATE_ONLY}',
        ),
        (
            {"MAX_AUDIO_DURATION": "0.5"},
            'environment: MAX_AUDIO_DURATION = "0.5": audio.max_utterance must be a number from 1 to 600',
        ),
        (
            {"VAD_THRESHOLD": "1.5"},
            'environment: VAD_THRESHOLD = "1.5": endpointing.threshold must be a number from 0 to 1',
        ),
        (
            {"VAD_THRESHOLD": "nan"},
            'environment: VAD_THRESHOLD = "nan": endpointing.threshold must be a number from 0 to 1',
        ),
        (
            {"LOG_LEVEL": "loud"},
            'environment: LOG_LEVEL = "loud": server.log_level must be DEBUG, INFO, WARNING, ERROR or CRITICAL',
        ),
        (
            {"PROCESSING_TIMEOUT": "0"},
            'environment: PROCESSING_TIMEOUT = "0": model.processing_timeout must be a number above 0 up to 3600',
        ),
        (
            {"STENOD_ENDPOINTING_MIN_SILENCE": "0.1"},
            f'environment: STENOD_ENDPOINTING_MIN_SILENCE = "0.1": {SILENCE}',
        ),
        (
            {"STENOD_STREAM_PARTIALS": "perhaps"},
            'environment: STENOD_STREAM_PARTIALS = "perhaps": stream.partials must be true or false',
        ),
        (
            {"STENOD_STREAM_IDLE": "-1"},
            'environment: STENOD_STREAM_IDLE = "-1": stream.idle must be a number from 0 up',
        ),
        (
            {"STENOD_SERVER_PROT": "1"},
            'environment: STENOD_SERVER_PROT = "1": no such setting; did you mean STENOD_SERVER_PORT?',
        ),
        (
            {"stenod_server_prot": "1"},
            'environment: stenod_server_prot = "1": no such setting; did you mean STENOD_SERVER_PORT?',
        ),
        ({"STENOD_XYZZY": ""}, 'environment: STENOD_XYZZY = "": no such setting'),
        ({CONFIG: "gone.toml"}, "gone.toml: there is no such file to read settings from (--config, STENOD_CONFIG)"),
    ],
)
def test_bad_variables(tmp_path, environ, line):
    with pytest.raises(BadSettings) as caught:
        load(environ=environ, directory=tmp_path)
    assert caught.value.message == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\nport = -1", f"stenod.toml: server.port = -1: {PORT}"),
        ("[server]\nport = true", f"stenod.toml: server.port = true: {PORT}"),
        ("[server]\nport = [1]", f"stenod.toml: server.port = [1]: {PORT}"),
        ("[server]\nport = inf", f"stenod.toml: server.port = inf: {PORT}"),
        ("[server]\nhost = 1", "stenod.toml: server.host = 1: server.host must be a host name or address"),
        ("[server]\nhost = ''", 'stenod.toml: server.host = "": server.host must be a host name or address'),
        (
            "[server]\ncors_origins = [1]",
            f"stenod.toml: server.cors_origins = [1]: {ORIGINS}",
        ),
        ("[server]\nprot = 1", "stenod.toml: server.prot = 1: no such setting; did you mean server.port?"),
        ("[sever]\nport = 1", "stenod.toml: sever.port = 1: no such setting; did you mean server.port?"),
        ("port = 1", "stenod.toml: port = 1: no such setting; did you mean server.port?"),
        ("server = 1", "stenod.toml: server = 1: this is a group of settings, written [server]"),
        ("[server", "stenod.toml is not valid TOML: "),
    ],
)
def test_bad_files(tmp_path, text, line):
    (tmp_path / "stenod.toml").write_text(text)
    with pytest.raises(BadSettings) as caught:
        load(environ={}, directory=tmp_path)
    assert caught.value.message.startswith(line)
    assert caught.value.message == line or line.endswith("TOML: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"DEVICE=tpu", '.env: DEVICE = "tpu": model.device must be auto, cpu, cuda, cuda:N or mps'),
        (b"STENOD_PORT=1", '.env: STENOD_PORT = "1": no such setting; did you mean STENOD_SERVER_PORT?'),
        (b"\nSTENOD_SERVER_PORT: 1", '.env: line 1 is not NAME=value: "STENOD_SERVER_PORT: 1"'),
        (b"\xff", ".env cannot be read: not UTF-8"),
    ],
)
def test_bad_dotenv(tmp_path, text, line):
    (tmp_path / ".env").write_bytes(text)
    with pytest.raises(BadSettings) as caught:
        load(environ={}, directory=tmp_path)
    assert caught.value.message == line


def test_bad_flags(tmp_path):
    with pytest.raises(BadSettings) as caught:
        load({"server.port": 70000}, environ={}, directory=tmp_path)
    assert caught.value.message == f"flag --port = 70000: {PORT}"


@pytest.mark.parametrize("name", [CONFIG, "STENOD_TEST_ALL", "STENOD_TEST_SPEECH"])
def test_reserved_names_are_no_settings(tmp_path, name):
    (tmp_path / "1").write_text("")
    assert load_settings(environ={name: "1"}, directory=tmp_path) == Settings()


# --------------------------------------------------------------------------------------------------- what is told of it


@pytest.mark.parametrize("name", catalogue())
def test_every_setting_is_described_and_reachable(tmp_path, name):
    setting = catalogue()[name]
    row = next(line for line in markdown().splitlines() if line.startswith(f"| `{name}` | `{setting.env}`"))
    assert len(setting.meaning) > 20
    assert row.endswith(f" {setting.meaning} |")
    assert row.count("|") == 7
    default = () if setting.default is None else setting.default
    written = ",".join(default) if isinstance(default, tuple) else str(default)
    loaded = load(environ={setting.env: written}, directory=tmp_path)
    assert loaded.settings == Settings()
    assert set(loaded.origins) == ({name} if written else set())


def test_every_name_is_used_once():
    settings = catalogue().values()
    names = [name for setting in settings for name in (setting.env, setting.alias, setting.flag) if name]
    assert len(names) == len(set(names))


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().server.port = 1
    with pytest.raises(ValidationError):
        Settings().server = Settings().server


def test_secrets_are_masked():
    class Keys(Group):
        root: Annotated[SecretStr, "the master key"] = SecretStr("")

    class More(Settings):
        keys: Keys = Keys()

    masked = More(keys=Keys(root=SecretStr("hunter2"))).masked()
    assert masked["keys"] == {"root": "**********"}
    assert masked["server"] == Settings().masked()["server"]


def test_sessions_begin_with_the_settings(tmp_path):
    (tmp_path / "stenod.toml").write_text(
        "[model]\nname = 'tiny'\n[audio]\nmax_utterance = 7\n"
        "[endpointing]\nthreshold = 0.2\nmin_speech = 0.3\nmin_silence = 0.9\npadding = 0.1\n"
        "[stream]\npartials = false\npartial_interval = 0.4"
    )
    options = load_settings(environ={}, directory=tmp_path).options()
    assert options.decode.model == "tiny"
    assert (options.max_utterance, options.partials, options.partial_interval) == (7, False, 0.4)
    ends = options.endpointing
    assert (ends.threshold, ends.min_speech, ends.min_silence, ends.padding) == (0.2, 0.3, 0.9, 0.1)


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5, 0.9, 1.0])
def test_speech_can_end_at_any_threshold(tmp_path, threshold):
    options = load_settings(environ={"VAD_THRESHOLD": str(threshold)}, directory=tmp_path).options()
    assert 0 < options.endpointing.threshold - options.endpointing.hysteresis < threshold


def test_models_are_loaded_with_the_settings(tmp_path):
    environ = {"MODEL_PRECISION": "INT8", "DEVICE": "CUDA:1", "BATCH_SIZE": "8", "STENOD_MODEL_THREADS": "3"}
    options = load_settings(environ=environ, directory=tmp_path).load_options()
    assert (options.precision, options.device, options.batch_size, options.threads) == ("int8", "cuda:1", 8, 3)


@pytest.mark.parametrize(
    ("environ", "has", "lines"),
    [
        ({}, {}, ()),
        ({"DEVICE": "cpu"}, {}, ()),
        ({"DEVICE": "cuda"}, {}, ("model.device = cuda has no effect on small, which offers cpu",)),
        ({"DEVICE": "cuda:1"}, {"devices": ("cpu", "cuda")}, ()),
        ({"MODEL_PRECISION": "fp16"}, {}, ("model.precision = fp16 has no effect on small, which has only one",)),
        ({"MODEL_PRECISION": "int8"}, {"precisions": ("fp32", "int8")}, ()),
        (
            {"MODEL_PRECISION": "fp16", "DEVICE": "mps"},
            {"precisions": ("fp32", "int8")},
            (
                "model.precision = fp16 has no effect on small, which offers fp32, int8",
                "model.device = mps has no effect on small, which offers cpu",
            ),
        ),
    ],
)
def test_what_an_engine_cannot_honour_is_told(tmp_path, environ, has, lines):
    assert load_settings(environ=environ, directory=tmp_path).without_effect(model(**has)) == lines
