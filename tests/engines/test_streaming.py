"""The streaming engine: words of tokens (pure), folders it knows, and a tiny trained transducer through sherpa-onnx."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import missing
from stenod.engines.base import LoadOptions, Request
from stenod.engines.registry import Registry
from stenod.engines.streaming import FAMILY, engine, layout
from stenod.engines.streaming.words import Token, transcript
from stenod.errors import Unavailable
from stenod.events import Committed, End, Final, Partial
from stenod.jobs import Answer, Decode, Frame, Samples
from stenod.models.store import Store
from stenod.options import FRAME, RATE, DecodeOptions, Endpointing, Options
from stenod.session.core import Session
from stenod.transcript import shift
from support import streaming_forms
from support.onnx_header import onnx_header
from support.script import Drive
from support.tiny_streaming import MODEL, TONE, UH, compose, phrase, spelled

OPTIONS = DecodeOptions()
WORDS = [("ba", "ra"), ("do",), ("ki", "mi", "so"), ("lu", "ne")]


# -------------------------------------------------------------------------------------------------------- words of tokens


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([], []),
        ([(" he", 0.0), ("llo", 0.16), (" you", 0.4)], [("hello", 0.0, 0.24), ("you", 0.4, 0.48)]),
        ([(" a", 0.0), (" b", 0.0), (" c", 0.08)], [("a", 0.0, 0.08), ("b", 0.0, 0.08), ("c", 0.08, 0.16)]),
        ([(" on", 0.0), (" ", 0.8), ("e", 0.88), (".", 0.96)], [("on", 0.0, 0.08), ("e.", 0.88, 1.04)]),
        ([("headless", 0.8)], [("headless", 0.8, 0.88)]),
        ([(" yes", 0.0), ("<EOU>", 0.4), (" no", 1.0)], [("yes", 0.0, 0.08), ("no", 1.0, 1.08)]),
    ],
)
def test_tokens_make_words_with_times(tokens: list[tuple[str, float]], words: list[tuple[str, float, float]]):
    made = transcript([Token(*token) for token in tokens], frame=0.08, language="en", turns=False)
    assert [(word.text, word.start, word.end) for word in made.words] == words
    assert made.text == " ".join(word for word, _, _ in words)
    assert made.turn_end is None


def test_scripts_without_spaces_have_a_word_for_each_sign():
    tokens = [Token(text, index * 0.08) for index, text in enumerate([" 今", "日", " は", "。", " GPU", " で"])]
    made = transcript(tokens, frame=0.08, language="ja", turns=False)
    assert made.text == "今日は。 GPU で"
    assert [word.text for word in made.words] == ["今", "日", "は。", "GPU", "で"]


def test_a_word_is_as_sure_as_its_least_sure_token():
    tokens = [Token(" he", 0.0, 0.9), Token("llo", 0.08, 0.4), Token(" you", 0.3, 0.8), Token(" there", 0.5)]
    made = transcript(tokens, frame=0.08, language="en", turns=False)
    assert [word.confidence for word in made.words] == [0.4, 0.8, None]


@pytest.mark.parametrize(
    ("said", "belief"),
    [
        ([], 0.0),
        ([" yes"], 0.0),
        ([" yes", "<EOU>"], 1.0),
        ([" uh", "<EOB>"], 0.0),
        ([" yes", "<EOU>", " so"], 0.0),
        (["<EOU>"], 0.0),  # of silence alone
        ([" uh", "<EOB>", "<EOU>"], 0.0),
        ([" yes", "<EOU>", "<EOB>", "<EOU>"], 1.0),
    ],
)
def test_a_turn_is_over_where_the_model_said_so_after_the_last_word(said: Sequence[str], belief: float):
    tokens = [Token(text, index * 0.4) for index, text in enumerate(said)]
    made = transcript(tokens, frame=0.08, language="en", turns=True)
    assert made.turn_end == belief
    assert "<" not in made.text


# ------------------------------------------------------------------------------------------------------------ what it knows

CACHES = {f"cache_last_{kind}_dim{axis}": 10 for kind in ("channel", "time") for axis in (1, 2, 3)}
NUMBERS = {"vocab_size": 2, "subsampling_factor": 8, "pred_rnn_layers": 1, "pred_hidden": 4}
CACHE_AWARE = NUMBERS | CACHES | {"window_size": 65, "chunk_shift": 56}
BUFFERED = NUMBERS | {"left_feature_frames": 560, "chunk_feature_frames": 16, "right_feature_frames": 40}
KIND = {"streaming_model_type": "nemo_parakeet_unified_streaming"}
CACHED = ("audio_signal", "length", "cache_last_channel", "cache_last_time", "cache_last_channel_len")
PROMPTS = {"prompt_dictionary": '{"auto": 101, "en-US": 0, "en": 0, "de-DE": 4, "zh_CN": 9}'}


def lay_out(
    place: Path, inputs: Sequence[str], metadata: dict[str, Any], *, ending: str = ".onnx", **more: str
) -> Path:
    place.mkdir(exist_ok=True)
    for part in ("encoder", "decoder", "joiner"):
        is_encoder = part == "encoder"
        place.joinpath(part + ending).write_bytes(
            onnx_header(inputs if is_encoder else (), metadata if is_encoder else {})
        )
    place.joinpath("tokens.txt").write_text(more.get("tokens", "a 0\nb 1\n<blk> 2\n"), encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("inputs", "metadata", "languages", "lead"),
    [
        (CACHED, CACHE_AWARE, ("en",), 9),
        ((*CACHED, "prompt_index"), CACHE_AWARE | PROMPTS, ("de", "en", "zh"), 9),
        ((*CACHED, "prompt_index"), CACHE_AWARE, ("*",), 9),
        (("audio_signal", "length"), BUFFERED | KIND, ("en",), 0),
    ],
    ids=["cache-aware", "prompted", "prompted, languages unknown", "unified"],
)
@pytest.mark.parametrize(("ending", "precision"), [(".onnx", "fp32"), (".int8.onnx", "int8")])
def test_folders_that_stream_are_adopted(  # noqa: PLR0913, PLR0917 columns of a table
    tmp_path: Path,
    ending: str,
    precision: str,
    inputs: Sequence[str],
    metadata: dict[str, Any],
    languages: tuple[str, ...],
    lead: int,
):
    place = lay_out(tmp_path / "mine", inputs, metadata, ending=ending)
    assert FAMILY.adopt is not None
    model = FAMILY.adopt(place)
    assert model is not None
    assert (model.name, model.family, model.languages) == ("mine", "streaming", languages)
    can = model.capabilities
    assert (can.streams, can.append_only, can.holds, can.words, can.precisions) == (True, True, 1, True, (precision,))
    assert layout.read(place, precision).lead == lead


@pytest.mark.parametrize("size", [(1, 8), (24, 66)])
def test_open_streams_stay_within_their_memory(tmp_path: Path, size: tuple[int, int]):
    layers, most = size
    big = CACHE_AWARE | {
        "cache_last_channel_dim1": layers,
        "cache_last_channel_dim2": 70,
        "cache_last_channel_dim3": 1024,
    }
    big |= {"cache_last_time_dim1": layers, "cache_last_time_dim2": 1024, "cache_last_time_dim3": 8}
    model = layout.adopt(lay_out(tmp_path / "m", CACHED, big))
    assert model is not None
    assert model.capabilities.max_states == (256 if layers == 1 else most)


@pytest.mark.parametrize(
    ("inputs", "metadata", "tokens"),
    [
        (("audio_signal", "length"), CACHE_AWARE, "a 0\nb 1\n<blk> 2\n"),  # does not stream
        (CACHED, NUMBERS, "a 0\nb 1\n<blk> 2\n"),
        (CACHED, CACHE_AWARE | {"window_size": "wide"}, "a 0\nb 1\n<blk> 2\n"),
        (CACHED, CACHE_AWARE, "a 0\n<blk> 1\n"),
        (CACHED, CACHE_AWARE, "a 0\nb 1\nc 2\n"),
    ],
    ids=["offline", "no sizes", "no number", "too few tokens", "no blank"],
)
def test_folders_that_do_not_are_left_to_others(
    tmp_path: Path, inputs: Sequence[str], metadata: dict[str, Any], tokens: str
):
    assert layout.adopt(lay_out(tmp_path / "other", inputs, metadata, tokens=tokens)) is None


def test_a_folder_without_all_its_files_is_none(tmp_path: Path):
    place = lay_out(tmp_path / "m", CACHED, CACHE_AWARE)
    (place / "joiner.onnx").unlink()
    assert layout.adopt(place) is None
    assert layout.adopt(tmp_path / "nowhere") is None


def test_every_published_checkpoint_is_offered(tmp_path: Path):
    models = {model.name: model for model in FAMILY.models(Store(tmp_path))}
    assert {"nemotron-speech-streaming-en-0.6b", "nemotron-3.5-asr-streaming-0.6b", "parakeet-unified-en-0.6b"} <= set(
        models
    )
    assert all(model.capabilities.streams and not model.installed for model in models.values())
    assert all(model.languages == model.capabilities.languages for model in models.values())


# ---------------------------------------------------------------------------------------------------- the tiny transducer


@pytest.fixture(scope="module")
def adopted() -> Any:
    model = layout.adopt(MODEL)
    assert model is not None
    return model


@pytest.fixture(scope="module")
def sherpa(adopted: Any) -> Any:
    if find_spec("sherpa_onnx") is None:
        missing("sherpa-onnx (pip install 'stenod[streaming]')")
    return FAMILY.load(adopted, LoadOptions(threads=1))


def listen(sherpa: Any, audio: Samples, size: int) -> list[Any]:
    """The answer after each chunk of `size` samples."""
    state = sherpa.open(OPTIONS)
    chunks = [audio[at : at + size] for at in range(0, len(audio), size)]
    answers = [sherpa.step([state], [chunk], [index == len(chunks) - 1])[0] for index, chunk in enumerate(chunks)]
    sherpa.close([state])
    return answers


def takes(count: int, seed: int = 7) -> list[tuple[Samples, str]]:
    """Phrases with noise on them, and what they say."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        words = phrase(random)
        audio, _ = compose(words, before=random.uniform(0.0, 0.5), after=random.uniform(0.1, 1.0))
        made.append(((audio + 0.001 * random.standard_normal(len(audio))).astype(np.float32), spelled(words)))
    return made


def test_it_hears_the_words_when_they_are_said(sherpa: Any):
    spoken = takes(40)
    heard = sherpa.transcribe([Request(audio, OPTIONS) for audio, _ in spoken])
    right = [answer.text == text for answer, (_, text) in zip(heard, spoken, strict=True)]
    assert sum(right) >= 39
    audio, said = compose(WORDS, before=0.3, after=0.2)
    (answer,) = sherpa.transcribe([Request(audio, OPTIONS)])
    assert answer.text == spelled(WORDS)
    assert answer.language == "en"
    ends = [one.time for one in said if one.token < 8]
    last = np.cumsum([len(word) for word in WORDS]) - 1
    for word, pieces, index in zip(answer.words, WORDS, last, strict=True):
        assert word.end == pytest.approx(ends[index], abs=0.12)
        assert word.start == pytest.approx(ends[index - len(pieces) + 1] - TONE, abs=0.2)
    assert all(one.end <= other.start for one, other in pairwise(answer.words))
    assert all(0 < word.confidence <= 1 for word in answer.words)


@pytest.mark.parametrize("size", [160, 1000, 5120, 16_000])
def test_stepping_in_any_slicing_equals_the_whole(sherpa: Any, size: int):
    for audio, _ in takes(3, seed=size):
        (whole,) = sherpa.transcribe([Request(audio, OPTIONS)])
        assert listen(sherpa, audio, size)[-1] == whole


def test_words_are_never_taken_back_and_only_the_last_one_grows(sherpa: Any):
    grew = 0
    for audio, _ in takes(6, seed=3):
        for before, after in pairwise(listen(sherpa, audio, 1280)):
            kept = [word.text for word in before.words[:-1]]
            assert [word.text for word in after.words[: len(kept)]] == kept
            if before.words:
                now = after.words[len(kept)].text
                assert now.startswith(before.words[-1].text)
                grew += now != before.words[-1].text
    assert grew > 3


def test_many_streams_out_of_step_answer_as_each_alone(sherpa: Any):
    spoken = [audio for audio, _ in takes(24, seed=11)]
    alone = [listen(sherpa, audio, 1700) for audio in spoken]
    random = np.random.default_rng(0)
    begins = random.integers(0, 12, len(spoken))
    states: dict[int, Any] = {}
    heard: dict[int, list[Any]] = {index: [] for index in range(len(spoken))}
    for turn in range(80):
        now = [
            i
            for i in range(len(spoken))
            if begins[i] <= turn and len(heard[i]) < len(alone[i]) and random.random() < 0.8
        ]
        random.shuffle(now)
        chunks = [spoken[i][1700 * len(heard[i]) : 1700 * (len(heard[i]) + 1)] for i in now]
        for i in now:
            states[i] = states.get(i) or sherpa.open(OPTIONS)
        last = [len(heard[i]) == len(alone[i]) - 1 for i in now]
        for i, answer in zip(now, sherpa.step([states[i] for i in now], chunks, last), strict=True):
            heard[i].append(answer)
    assert list(heard.values()) == alone
    sherpa.close(list(states.values()))
    assert all(state.handle is None for state in states.values())


@pytest.mark.parametrize(
    "audio",
    [np.zeros(0, np.float32), np.zeros(1, np.float32), np.zeros(2 * RATE, np.float32)],
    ids=["nothing", "one sample", "silence"],
)
def test_where_nobody_speaks_nothing_is_said(sherpa: Any, audio: Samples):
    assert sherpa.transcribe([Request(audio, OPTIONS)])[0].text == ""


def test_the_very_first_and_last_sounds_are_heard(sherpa: Any):
    audio, _ = compose([("ba",), ("lu",)], before=0.0, after=0.0)
    assert sherpa.transcribe([Request(audio, OPTIONS)])[0].text == "ba lu"


def test_the_end_of_the_turn_is_told_and_a_listener_ends_none(sherpa: Any):
    audio, _ = compose(WORDS, after=1.2)
    beliefs = [answer.turn_end for answer in listen(sherpa, audio, 1280)]
    assert set(beliefs) == {0.0, 1.0}
    assert beliefs.index(1.0) * 0.08 == pytest.approx((len(audio) / RATE) - 1.2 + 0.4, abs=0.33)
    assert beliefs[beliefs.index(1.0) :] == [1.0] * (len(beliefs) - beliefs.index(1.0))
    backchannel, _ = compose([(UH,)], after=1.2)
    assert {answer.turn_end for answer in listen(sherpa, backchannel, 1280)} == {0.0}
    assert sherpa.transcribe([Request(backchannel, OPTIONS)])[0].text == "uh"


def test_speech_after_the_end_of_a_turn_is_heard_in_its_own_time(sherpa: Any):
    first, _ = compose(WORDS[:2], after=1.2)
    second, _ = compose(WORDS[2:], before=0.0, after=0.0)
    (answer,) = sherpa.transcribe([Request(np.concatenate((first, second)), OPTIONS)])
    assert answer.text == spelled(WORDS)
    assert answer.words[2].start == pytest.approx(len(first) / RATE, abs=0.2)


def test_a_failed_step_costs_nobody_else_anything(sherpa: Any):
    audio, _ = compose(WORDS)
    good, bad = sherpa.open(OPTIONS), sherpa.open(OPTIONS)
    sherpa.step([good], [audio[:8000]], [False])
    with pytest.raises(AttributeError):
        sherpa.step([bad], ["no samples"], [True])
    sherpa.close([bad])
    assert sherpa.step([good], [audio[8000:]], [True])[0].text == spelled(WORDS)


# --------------------------------------------------------------------------------------------- the other published forms


def load_form(make: Callable[[Path], Path], place: Path) -> Any:
    if find_spec("onnx") is None:
        missing("onnx (a dependency of nemo_toolkit)")
    model = layout.adopt(make(place))
    assert model is not None
    return FAMILY.load(model, LoadOptions(threads=1))


@pytest.mark.parametrize("make", [streaming_forms.int8, streaming_forms.prompted, streaming_forms.buffered])
def test_every_form_is_stepped_in_any_slicing_and_company(sherpa: Any, tmp_path: Path, make: Callable[[Path], Path]):
    form = load_form(make, tmp_path / "form")
    spoken = [audio for audio, _ in takes(5, seed=23)]
    together = form.transcribe([Request(audio, OPTIONS) for audio in spoken])
    alone = [form.transcribe([Request(audio, OPTIONS)])[0] for audio in spoken]
    assert all(answer.text for answer in alone)
    assert [listen(form, audio, 3000)[-1] for audio in spoken] == alone
    if make is streaming_forms.int8:  # a batch is quantized as one: probabilities move a little with the company
        assert sum(one.text == other.text for one, other in zip(together, alone, strict=True)) >= 4
    else:
        assert together == alone
    if make is not streaming_forms.buffered:  # the same weights
        same = sherpa.transcribe([Request(audio, OPTIONS) for audio in spoken])
        assert sum(one.text == other.text for one, other in zip(same, alone, strict=True)) >= 4


def test_a_language_that_is_told_is_the_answers_language(sherpa: Any, tmp_path: Path):
    form = load_form(streaming_forms.prompted, tmp_path / "form")
    assert form.capabilities.languages == ("de", "en")
    audio, _ = compose(WORDS)
    told = form.transcribe([Request(audio, DecodeOptions(language=tag)) for tag in ("de-DE", None)])
    assert [(answer.text, answer.language) for answer in told] == [(spelled(WORDS), "de-DE"), (spelled(WORDS), None)]
    assert form.open(DecodeOptions(language="de-DE")).handle.get_option("language") == "de-DE"
    assert form.open(OPTIONS).handle.get_option("language") == "auto"
    assert not sherpa.open(DecodeOptions(language="en")).handle.has_option("language")


# ------------------------------------------------------------------------------------------------------------------ loading


def test_a_missing_package_is_named_with_the_command(adopted: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"pip install 'stenod\[streaming\]'"):
        FAMILY.load(adopted, LoadOptions())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda place: (place / "tokens.txt").write_text("a 0\n<blk> 1\n"), r"tokens\.txt must list 11 tokens"),
        (lambda place: (place / "encoder.onnx").write_bytes(b"junk"), "cannot be read"),
        (lambda place: (place / "joiner.onnx").write_bytes(b"junk"), "cannot be read"),
        (lambda place: (place / "decoder.onnx").unlink(), "not as int8"),
    ],
    ids=["tokens", "encoder", "joiner", "decoder"],
)
def test_damage_is_told_without_a_path(sherpa: Any, adopted: Any, tmp_path: Path, harm: Any, said: str):
    place = tmp_path / "copy"
    shutil.copytree(MODEL, place)
    harm(place)
    options = LoadOptions(threads=1)
    with pytest.raises(Unavailable, match=said) as error:
        FAMILY.load(replace(adopted, params=(("directory", str(place)),)), options)
    assert str(tmp_path) not in error.value.message


def test_a_precision_that_is_not_there_is_refused(sherpa: Any, adopted: Any):
    with pytest.raises(Unavailable, match="is here as fp32, not as int8"):
        FAMILY.load(adopted, LoadOptions(precision="int8"))


# --------------------------------------------------------------------------------------------------------- under a session


class Alone:
    """Answers a session's decodes with the engine itself, as a lane would: one state a stretch."""

    def __init__(self, sherpa: Any) -> None:
        self._sherpa = sherpa
        self._states: dict[int, list[Any]] = {}

    def __call__(self, job: Decode) -> Answer:
        state = self._states.setdefault(job.stretch, [self._sherpa.open(job.options), job.start, job.start])
        fresh = job.samples[state[2] - job.start :]
        (answer,) = self._sherpa.step([state[0]], [fresh], [job.last])
        state[2] += len(fresh)
        return Answer(shift(answer, state[1] / RATE), self._sherpa.capabilities.holds, append_only=True)


def frames(audio: Samples) -> list[Frame]:
    """Frames with a detector that listens to the level."""
    cut = [audio[at : at + FRAME] for at in range(0, len(audio), FRAME)]
    levels = [float(np.sqrt(np.mean(one**2))) for one in cut]
    return [Frame(one, 0.9 if level > 0.02 else 0.05, level) for one, level in zip(cut, levels, strict=True)]


@pytest.mark.parametrize("asked", [0.5, None])
def test_the_models_end_of_turn_commits_early_where_it_is_asked_for(sherpa: Any, asked: float | None):
    quiet = Endpointing(min_silence=1.0, padding=0.2, turn_threshold=asked)
    one, two = compose(WORDS[:2], after=1.5)[0], compose(WORDS[2:], before=0.0, after=1.5)[0]
    driven = Drive(Session(Options(endpointing=quiet, partial_interval=0.1)), Alone(sherpa))
    driven.feed(frames(np.concatenate((one, two))), End())
    finals = [final for final in driven.said(Final) if final.transcript.text]
    assert [final.transcript.text for final in finals] == [spelled(WORDS[:2]), spelled(WORDS[2:])]
    cause = "silence" if asked is None else "turn"
    assert [item.cause for item in driven.said(Committed)] == [cause, cause, "end"]
    silence = finals[0].end - finals[0].transcript.words[-1].end
    assert silence < 0.75 if asked else silence > 0.9


def test_what_is_promised_live_is_kept(sherpa: Any):
    audio, _ = compose(WORDS, after=1.0)
    driven = Drive(Session(Options(endpointing=Endpointing(min_silence=0.5), partial_interval=0.1)), Alone(sherpa))
    driven.feed(frames(audio), End())
    final = driven.said(Final)[0]
    assert final.transcript.text == spelled(WORDS)
    partials = driven.said(Partial)
    assert all(final.transcript.text.startswith(one.transcript.text[: one.stable]) for one in partials)
    assert max(one.stable for one in partials) == final.agrees == len(spelled(WORDS[:-1]))
    grown = [one for one in partials if one.stable]
    assert grown[0].transcript.text.count(" ") == 1  # a word is promised as soon as the next one has begun


@pytest.mark.anyio
async def test_streams_of_many_sessions_in_a_worker(sherpa: Any):
    """Through pools and a real worker process: every session reads its own words, and the states are freed."""
    import anyio  # noqa: PLC0415

    from stenod.engines.recognizer import LocalRecognizer  # noqa: PLC0415
    from stenod.engines.registry import Registry  # noqa: PLC0415
    from stenod.jobs import Kind  # noqa: PLC0415

    spoken = takes(12, seed=5)
    finals: dict[int, str] = {}
    async with LocalRecognizer(Registry([FAMILY]), model=str(MODEL), load=LoadOptions(threads=1)) as recognizer:
        await recognizer.preload()

        async def session(number: int) -> None:
            audio = spoken[number][0]
            async with recognizer.lane() as lane:
                for end in [*range(4800, len(audio), 4800), len(audio)]:
                    last = end == len(audio)
                    answer = await lane.decode(
                        Decode(
                            job=1, utterance=1, stretch=1, kind=Kind.FINAL if last else Kind.PARTIAL,
                            samples=audio[:end], start=0, context=0, last=last, options=OPTIONS,
                        )
                    )  # fmt: skip
                assert isinstance(answer, Answer)
                assert (answer.append_only, answer.holds) == (True, 1)
                finals[number] = answer.transcript.text

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for number in range(len(spoken)):
                    tasks.start_soon(session, number)
            ((figures,),) = recognizer.snapshot().values()
    whole = sherpa.transcribe([Request(audio, OPTIONS) for audio, _ in spoken])
    assert finals == {number: answer.text for number, answer in enumerate(whole)}
    assert figures["states"] == 0


def test_no_other_engine_takes_it() -> None:
    adopted = Registry.installed().adopt(MODEL)
    assert adopted is not None
    assert adopted.family == "streaming"
