"""Whisper's decoding over a batch of requests with options of their own, through the models of faster-whisper.

faster-whisper batches the windows of one file, all with the same options; here the items of a batch belong to different
sessions. The audio of all is encoded at once; languages, tasks and prompts go with each item, and what must be equal inside
a call of CTranslate2 (beam, length of the prompt) parts the batch. Radford et al., arXiv 2212.04356. No session, no store.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.engines.base import Capabilities, Request
from stenod.engines.whisper.judging import TEMPERATURES, Guards, Take, longest
from stenod.errors import BadRequest
from stenod.jobs import Samples
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript, Word, of_words

QUIET: Final = 2.0**-12
"""Peak (0 to 1) below which there is nothing to hear: a few steps of 16-bit samples."""

LONGEST_PROMPT: Final = 223
"""Tokens of prompt and hotwords together: half of what the decoder can hold, as it was trained."""

_FRAMES: Final = 3000
"""Mel frames of a window: 30 s."""

_SILENCE: Final = 640
"""Zeros after the samples: as many as the windows of the last frames reach over, so that these hear silence there."""

_SAME: Final = {"nb": "no", "jv": "jw", "fil": "tl", "iw": "he", "cmn": "zh"}
"""Codes that Whisper knows by another name."""

_BEFORE, _AFTER = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
"""Punctuation that joins the word after it, and the word before it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request as the decoder is to be told of it."""

    tokenizer: Any
    """faster_whisper.tokenizer.Tokenizer of its language and task."""
    prompt: tuple[int, ...]
    beam: int
    limit: int
    """Tokens to write at the most."""
    seconds: float


class Whisper:
    """An Engine. `model` is a faster_whisper.WhisperModel."""

    def __init__(self, model: Any, capabilities: Capabilities, guards: Guards, beam_size: int) -> None:
        from faster_whisper.tokenizer import Tokenizer  # noqa: PLC0415 heavy
        from faster_whisper.transcribe import get_suppressed_tokens  # noqa: PLC0415

        self.capabilities = capabilities
        self._model = model
        self._guards = guards
        self._beam_size = beam_size
        self._make: Callable[..., Any] = Tokenizer
        self._tokenizers: dict[tuple[str, str], Any] = {}
        self._suppressed = list(get_suppressed_tokens(self._tokenizer("en", "transcribe"), [-1]))

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """See Engine. Raises BadRequest for a language or a translation that Whisper does not do."""
        for request in batch:
            self._check(request.options)
        answers = [Transcript(language=request.options.language) for request in batch]
        loud = [index for index, request in enumerate(batch) if np.abs(request.samples).max(initial=0.0) >= QUIET]
        if loud:
            for index, transcript in zip(loud, self._hear([batch[index] for index in loud]), strict=True):
                answers[index] = transcript
        return answers

    def _hear(self, batch: Sequence[Request]) -> list[Transcript]:
        encoded = self._model.encode(np.stack([self._features(request.samples) for request in batch]))
        languages = self._languages(batch, encoded)
        jobs = [self._job(request, language) for request, language in zip(batch, languages, strict=True)]
        takes = self._decode(jobs, encoded)
        spoken = [index for index, take in enumerate(takes) if take.tokens and not self._guards.silent(take)]
        written = [
            "en" if request.options.task == "translate" else language
            for request, language in zip(batch, languages, strict=True)
        ]
        answers = [Transcript(language=language) for language in written]
        for same in _alike(spoken, lambda index: (languages[index], jobs[index].tokenizer.task)):
            for index, words in zip(same, self._words(same, jobs, takes, encoded), strict=True):
                answers[index] = of_words(words, language=written[index])
        return answers

    def _features(self, samples: Samples) -> NDArray[np.float32]:
        """Log-mel frames of a whole window, shape (mels, 3000); what follows the audio is silence, as in training."""
        made = self._model.feature_extractor(samples, padding=_SILENCE)[:, :_FRAMES]
        quietest = made.max() - 2.0  # where the extractor cuts off: silence is never lower
        return np.pad(made, ((0, 0), (0, _FRAMES - made.shape[1])), constant_values=quietest).astype(np.float32)

    def _languages(self, batch: Sequence[Request], encoded: Any) -> list[str]:
        """The language of each: the one asked for, or the one it sounds most like."""
        asked = [self._code(request.options.language) for request in batch]
        if all(asked) or not self._model.model.is_multilingual:
            return [code or "en" for code in asked]
        found = self._model.model.detect_language(encoded)
        return [code or likely[0][0][2:-2] for code, likely in zip(asked, found, strict=True)]

    def _job(self, request: Request, language: str) -> Job:
        options, seconds = request.options, len(request.samples) / RATE
        tokenizer = self._tokenizer(language, options.task)
        before: list[int] = []
        if options.hotwords:
            before += tokenizer.encode(" " + ", ".join(options.hotwords))
        if options.prompt:
            before += tokenizer.encode(" " + options.prompt.strip())
        prompt = [tokenizer.sot_prev, *before[-LONGEST_PROMPT:]] if before else []
        prompt += [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        limit = min(longest(seconds), self._model.max_length - len(prompt))
        return Job(tokenizer, tuple(prompt), options.beam_size or self._beam_size, limit, seconds)

    def _decode(self, jobs: Sequence[Job], encoded: Any) -> list[Take]:
        """The best take of each; those in doubt are tried again, with more chance in it each time."""
        takes: list[Take | None] = [None] * len(jobs)
        waiting = list(range(len(jobs)))
        for temperature in TEMPERATURES:
            for same in _alike(waiting, lambda index: (jobs[index].beam, len(jobs[index].prompt))):
                for index, take in zip(same, self._take(same, jobs, encoded, temperature), strict=True):
                    before = takes[index]
                    takes[index] = take if before is None else self._guards.better(before, take)
            waiting = [index for index in waiting if self._guards.doubtful(_known(takes[index]))]
            if not waiting:
                break
        return [_known(take) for take in takes]

    def _take(self, same: Sequence[int], jobs: Sequence[Job], encoded: Any, temperature: float) -> list[Take]:
        """One attempt at jobs of one beam and one length of prompt."""
        mine = [jobs[index] for index in same]
        results = self._model.model.generate(
            _rows(encoded, same),
            [list(job.prompt) for job in mine],
            beam_size=1 if temperature else mine[0].beam,
            sampling_topk=0 if temperature else 1,
            sampling_temperature=temperature or 1.0,
            max_length=len(mine[0].prompt) + max(job.limit for job in mine),
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [_judged(job, result) for job, result in zip(mine, results, strict=True)]

    def _words(self, same: Sequence[int], jobs: Sequence[Job], takes: Sequence[Take], encoded: Any) -> list[list[Word]]:
        """The words of takes in one language and task, timed by the decoder's attention to the audio."""
        from faster_whisper.transcribe import merge_punctuations  # noqa: PLC0415 heavy

        texts = [list(takes[index].tokens) for index in same]
        frames = [min(_FRAMES, max(2, round(100 * jobs[index].seconds))) for index in same]
        found = self._model.find_alignment(jobs[same[0]].tokenizer, texts, _rows(encoded, same), frames)
        for timed in found:
            merge_punctuations(timed, _BEFORE, _AFTER)
        return [_timed(timed, jobs[index].seconds) for index, timed in zip(same, found, strict=True)]

    def _code(self, language: str | None) -> str | None:
        """Whisper's code for a BCP-47 tag."""
        if language is None:
            return None
        primary = language.replace("_", "-").partition("-")[0].lower()
        return _SAME.get(primary, primary)

    def _check(self, options: DecodeOptions) -> None:
        code = self._code(options.language)
        if code is not None and code not in self._model.supported_languages:
            languages = ", ".join(self._model.supported_languages)
            raise BadRequest(f"this model does not do {code!r}, only {languages}", code="unsupported_language")
        if options.task == "translate" and self._code(options.target_language) not in (None, "en"):
            message = f"Whisper translates into English only, not into {options.target_language!r}"
            raise BadRequest(message, code="unsupported_language")

    def _tokenizer(self, language: str, task: str) -> Any:
        """faster-whisper's tokenizer for a language and a task; English-only models have one."""
        key = language, task
        if key not in self._tokenizers:
            multilingual = self._model.model.is_multilingual
            self._tokenizers[key] = self._make(self._model.hf_tokenizer, multilingual, task=task, language=language)
        return self._tokenizers[key]


def _alike(indexes: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """The indexes parted by their keys, in order."""
    parts: dict[Hashable, list[int]] = {}
    for index in indexes:
        parts.setdefault(key(index), []).append(index)
    return list(parts.values())


def _rows(encoded: Any, indexes: Sequence[int]) -> Any:
    """Some rows of what the encoder gave, shape (batch, frames, features)."""
    if list(indexes) == list(range(encoded.shape[0])):
        return encoded
    from ctranslate2 import Device, StorageView  # noqa: PLC0415 heavy

    rows = np.asarray(encoded.to_device(Device.cpu))[list(indexes)]
    return StorageView.from_array(np.ascontiguousarray(rows))


def _judged(job: Job, result: Any) -> Take:
    """What CTranslate2 gave, cut to the job's limit; scores are means over the text's tokens without the end token."""
    tokens = [token for token in result.sequences_ids[0] if token < job.tokenizer.eot]
    log_prob = result.scores[0] * len(tokens) / (len(tokens) + 1)
    kept = tuple(tokens[: job.limit])
    return Take(kept, job.tokenizer.decode(list(kept)).strip(), log_prob, result.no_speech_prob)


def _known(take: Take | None) -> Take:
    if take is None:
        raise AssertionError("every job is tried at least once")
    return take


def _timed(found: Sequence[dict[str, Any]], seconds: float) -> list[Word]:
    """faster-whisper's words as ours: inside the audio, none of them reaching back."""
    words: list[Word] = []
    least = 0.0
    for word in found:
        text = word["word"].strip()
        if not text:
            continue
        start = min(max(float(word["start"]), least), seconds)
        end = min(max(float(word["end"]), start), seconds)
        glued = bool(words) and not word["word"].startswith(" ")
        words.append(Word(text, start, end, min(1.0, max(0.0, float(word["probability"]))), glued=glued))
        least = start
    return words
