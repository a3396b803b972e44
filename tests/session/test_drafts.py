"""Two passes: partials by one model, finals by another. The session alone, then recognisers, then a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from stenod.engines.base import Capabilities, Family, Model
from stenod.engines.fake import FAMILY as FAKE
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.errors import EngineFailed
from stenod.events import Anticipated, Configure, End, Final, Partial, Retracted, Warned
from stenod.jobs import Answer, Decode, Decoded, Kind, Shed
from stenod.models.store import Store
from stenod.options import RATE, DecodeOptions, Endpointing, Options
from stenod.session.core import Session
from stenod.settings import Settings
from stenod.transcript import Word, of_words
from support.script import Drive, frames, partial_jobs, word
from support.serving import pcm, said, serving, talk, until

LIVE = Options(
    endpointing=Endpointing(min_silence=0.3, padding=0.1, min_speech=0.05),
    decode=DecodeOptions(model="accurate"),
    drafts="quick",
    partial_interval=0.1,
    min_partial=0.1,
)
WORDS = [word("One,", 0.6, 0.9), word("two.", 1.0, 1.3), word("Three", 1.4, 1.7), word("four.", 1.8, 2.1)]
TALK = "....." + "#" * 18 + "." * 9
"""Speech from 0.5 to 2.3 s."""


@dataclass
class Two:
    """Two models that know the words; the quick one writes them its own way, `late` seconds later."""

    words: Sequence[Word] = tuple(WORDS)
    late: float = 0.0
    broken: bool = False

    def __call__(self, job: Decode) -> Answer:
        until = (job.start + len(job.samples)) / RATE
        quick = job.options.model == "quick"
        heard = [one for one in self.words if job.start / RATE <= one.middle and one.end <= until]
        if quick:
            heard = [
                Word(one.text.lower().strip(".,"), one.start + self.late, one.end + self.late)
                for one in heard
                if one.end + self.late <= until
            ]
        return Answer(of_words(heard), holds=0, append_only=quick)


def drive(options: Options = LIVE, two: Two | None = None) -> Drive:
    return Drive(Session(options), two or Two())


# ------------------------------------------------------------------------------------------------------- the session alone


def test_partials_are_asked_of_one_model_and_finals_of_the_other() -> None:
    driven = drive().feed(frames(TALK), End())
    jobs = driven.said(Decode)
    assert {(job.kind, job.options.model) for job in jobs} == {(Kind.PARTIAL, "quick"), (Kind.FINAL, "accurate")}
    assert {replace(job.options, model="") for job in jobs} == {replace(LIVE.decode, model="")}
    assert driven.said(Partial)[-1].transcript.text == "one two three four"
    assert driven.said(Final)[0].transcript.text == "One, two. Three four."


def test_without_a_second_model_nothing_changes() -> None:
    driven = drive(replace(LIVE, drafts=None)).feed(frames(TALK), End())
    assert {job.options.model for job in driven.said(Decode)} == {"accurate"}


def test_a_draft_promises_nothing_that_the_final_could_break() -> None:
    driven = drive().feed(frames(TALK), End())
    assert len(driven.said(Partial)) > 5
    assert {partial.stable for partial in driven.said(Partial)} == {0}
    final = driven.said(Final)[0]
    assert final.agrees == 0  # of no characters


def test_what_may_become_the_final_is_asked_of_the_model_of_finals() -> None:
    eager = replace(LIVE, endpointing=replace(LIVE.endpointing, eager=0.15, min_silence=0.6))
    driven = drive(eager).feed(frames(TALK), End())
    anticipated = driven.said(Anticipated)[0]
    assert anticipated.transcript.text == driven.said(Final)[0].transcript.text == "One, two. Three four."
    assert driven.said(Retracted) == []
    assert Kind.FINAL not in {job.kind for job in driven.said(Decode)}


def test_a_promise_of_the_model_of_finals_outlives_later_drafts() -> None:
    """Two anticipations that came to nothing agree on words; drafts after them must not take those back."""
    eager = replace(LIVE, endpointing=replace(LIVE.endpointing, eager=0.15, min_silence=0.6))
    words = [word("One,", 0.6, 0.9), word("two.", 1.0, 1.3), word("Three", 2.0, 2.3), word("four.", 2.9, 3.2)]
    pattern = "....." + "#" * 9 + "..." + "#" * 6 + "..." + "#" * 12 + "." * 9
    driven = drive(eager, Two(words)).feed(frames(pattern), End())
    assert len(driven.said(Retracted)) == 2
    shown = [(one.transcript.text, one.transcript.text[: one.stable]) for one in driven.said(Partial)]
    assert all(later.startswith(earlier) for (_, earlier), (_, later) in pairwise(shown))
    assert ("One, two. three four", "One, two.") in shown  # a draft after what was promised
    assert shown[-1] == ("One, two. Three four", "One, two. Three")
    assert driven.said(Final)[0].agrees == len("One, two. Three")


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2])
def test_a_draft_does_not_repeat_what_a_piece_has_frozen(late: float) -> None:
    words = [word(f"Word{index}.", 0.6 + index * 0.3, 0.85 + index * 0.3) for index in range(12)]
    driven = drive(replace(LIVE, piece=1.0), Two(words, late)).feed(frames("....." + "#" * 40 + "." * 6), End())
    finals = driven.said(Final)
    assert " ".join(final.transcript.text for final in finals if final.transcript.text) == " ".join(
        one.text for one in words
    )
    assert len([final for final in finals if final.transcript.text]) > 2
    told: list[str] = []
    for output in driven.outputs:
        if isinstance(output, Final):
            told += [one.text.lower().strip(".") for one in output.transcript.words]
        elif isinstance(output, Partial):
            shown = [one.text for one in output.transcript.words]
            assert [*told, *shown] == [f"word{index}" for index in range(len(told) + len(shown))]


def test_where_drafts_fail_the_other_model_takes_over_and_says_so_once() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK[:16]))
    first, second = partial_jobs(driven)[:2]
    for job in (first, second):
        driven._feed(Decoded(job.job, EngineFailed("the recogniser stopped unexpectedly", code="engine_crashed")))
    (warned,) = driven.said(Warned)
    assert (warned.code, warned.detail) == ("drafts_failed", {"model": "quick"})
    asked = len(driven.said(Decode))
    driven.waiting.clear()
    driven.immediate = True
    driven.feed(frames(TALK[16:]), Configure(LIVE), frames(TALK), End())
    later = [job.options.model for job in driven.said(Decode)[asked:] if job.kind is Kind.PARTIAL]
    assert later[0] == "accurate"
    assert later[-1] == "quick"  # who configures anew hopes anew
    assert driven.said(Partial)[0].transcript.text.startswith("One,")
    assert driven.said(Final)[0].transcript.text == "One, two. Three four."
    assert len(driven.said(Warned)) == 1


def test_a_draft_that_was_shed_is_no_failure() -> None:
    driven = drive()
    driven.oracle = lambda job: Shed() if job.kind is Kind.PARTIAL else Two()(job)
    driven.feed(frames(TALK), End())
    assert driven.said(Warned) == []
    assert {job.options.model for job in partial_jobs(driven)} == {"quick"}


def test_the_end_of_the_turn_is_asked_for_even_where_nobody_wants_partials() -> None:
    patient = replace(LIVE.endpointing, min_silence=2.0)
    for threshold, asked in ((0.7, True), (None, False)):
        options = replace(LIVE, partials=False, endpointing=replace(patient, turn_threshold=threshold))
        driven = drive(options).feed(frames(TALK))
        assert bool(partial_jobs(driven)) is asked
        assert driven.said(Partial) == []


# -------------------------------------------------------------------------------------------------------------- recognisers


def _models(store: Store) -> Sequence[Model]:
    """`accurate` does any language and translates; `quick` only English."""
    shared = {"family": "pair", "installed": True, "licence": "MIT", "size_mb": 1, "expect": "", "params": ()}
    can = Capabilities(words=True, max_seconds=30.0)
    return (
        Model(
            name="accurate", quality=80, languages=("*",),
            capabilities=replace(can, languages=("*",), targets=("en",)), **shared,
        ),
        Model(name="quick", quality=20, languages=("en",), capabilities=replace(can, streams=True), **shared),
    )  # fmt: skip


@pytest.fixture
def pair() -> LocalRecognizer:
    return LocalRecognizer(Registry([Family("pair", _models, FAKE.load)]), model="accurate")


@pytest.mark.parametrize(
    ("drafts", "decode", "given"),
    [
        (None, {}, None),
        ("quick", {}, "quick"),
        ("quick", {"language": "en-GB"}, "quick"),
        ("quick", {"language": "de"}, None),
        ("quick", {"task": "translate"}, None),
        ("gone", {}, None),
        ("accurate", {}, None),  # one model is no second one
    ],
)
def test_drafts_that_cannot_be_had_are_let_go_with_a_warning(
    pair: LocalRecognizer, drafts: str | None, decode: dict[str, str], given: str | None
) -> None:
    resolved = pair.resolve(Options(drafts=drafts, decode=DecodeOptions(**decode)))
    assert (resolved.model, resolved.drafts) == ("accurate", given)
    codes = [code for code, _ in resolved.warnings]
    assert codes == ([] if given is not None or drafts in {None, "accurate"} else ["drafts_unavailable"])


# ---------------------------------------------------------------------------------------------------- a server and a client


def two_passes(drafts: str) -> Settings:
    model = {"name": "fake?workers=1", "others": [drafts], "drafts": drafts}
    return Settings.model_validate({"model": model, "endpointing": {"vad": "energy", "min_silence": 0.4}})


@pytest.mark.anyio
async def test_live_each_model_does_its_part() -> None:
    """One state a stretch at the model of drafts, freed in the end; one decode an utterance at the model of finals."""
    drafts = "fake-streaming?workers=1"
    first, second = [1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13]
    with serving(two_passes(drafts)) as running:
        audio = pcm(first) + pcm(second)
        heard = await talk(f"{running.ws}/ws", [audio, '{"type":"end"}'], pause=0.05)
        assert heard.text == said([*first, *second])
        partials = heard.of("partial")
        assert len(partials) >= 4
        assert {frame["stable_text"] for frame in partials} == {""}
        recognizer = running.service.recognizer

        def quick() -> dict[str, float]:
            return recognizer.snapshot()[drafts][0]

        until(lambda: quick()["states"] == 0, 10)
        (accurate,) = recognizer.snapshot()["fake?workers=1"]
        assert accurate["requests"] == 2
        assert quick()["requests"] >= len(partials)
        assert quick()["audio_seconds"] <= len(audio) / 2 / RATE  # each sample at most once: it steps
        assert accurate["shed"] == accurate["failed"] == quick()["failed"] == 0


@pytest.mark.anyio
async def test_live_drafts_that_crash_leave_the_partials_to_the_other_model() -> None:
    words = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    with serving(two_passes("fake-streaming?workers=1&raise_every=1")) as running:
        heard = await talk(f"{running.ws}/ws", [pcm(words), '{"type":"end"}'], pause=0.05)
    assert heard.text == said(words)
    assert heard.of("partial")
