"""The messages of `/ws`, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from annotated_types import Ge, Le
from typing_extensions import TypedDict

from stenod.options import Encoding
from stenod.protocols.messages import Messages


class Query(TypedDict, total=False):
    """How to work; what is not said is as the server's settings have it."""

    shape: Literal["stenod", "legacy"]
    """`stenod` keeps the session of a lost connection; `legacy` is another dialect."""
    encoding: Encoding
    """How the audio is written; `s16le` unless said."""
    sample_rate: Annotated[int, Ge(8_000), Le(48_000)]
    """Samples per second and channel of raw audio; 16000 unless said."""
    channels: Annotated[int, Ge(1), Le(8)]
    """Interleaved channels; 1 unless said."""
    split: bool
    """A session for each channel, in place of mixing them down."""
    model: str
    """A name from `/v1/models`."""
    language: str
    """`en`, `en-US`, `english`; `auto` lets the recogniser decide."""
    task: Literal["transcribe", "translate"]
    """Whether the text is in the language spoken, or in `target_language`."""
    target_language: str
    """Of a translation, which it asks for where `task` says nothing; English unless said."""
    punctuation: bool
    """Whether punctuation and capitals are wanted, of models that can leave them out."""
    beam_size: Annotated[int, Ge(1), Le(100)]
    """Texts weighed against each other, by models that search so; theirs unless said."""
    prompt: str
    """What the recogniser should know beforehand, where it can."""
    hotwords: str
    """Words to expect, with commas."""
    endpointing: Literal["auto", "manual"]
    """`auto`: silence commits an utterance. `manual`: only the client does."""
    threshold: Annotated[float, Ge(0.05), Le(0.95)]
    """Probability of speech at which it may begin."""
    min_speech: Annotated[float, Ge(0), Le(5)]
    """Seconds; shorter bursts are not speech."""
    min_silence: Annotated[float, Ge(0.2), Le(30)]
    """Seconds of silence after which an utterance is over."""
    padding: Annotated[float, Ge(0), Le(5)]
    """Seconds decoded ahead of the detected beginning."""
    turn_threshold: Annotated[float, Ge(0), Le(1)]
    """End an utterance where the model believes this strongly that the speaker has finished, if it tells; 0 for never."""
    partials: bool
    """Whether text is sent before it is final."""
    partial_interval: Annotated[float, Ge(0.1), Le(60)]
    """Seconds of audio between two partials."""
    max_utterance: Annotated[float, Ge(1), Le(600)]
    """Seconds; longer speech is cut at the quietest point."""
    revise: str
    """A second model, which decodes each utterance again after its final."""


# ------------------------------------------------------------------------------------------------------------- client


class Commit(TypedDict):
    """The utterance ends here: its final follows, even when it is empty."""

    type: Literal["commit"]


class Reset(TypedDict):
    """Forget the open utterance; answered by `reset`."""

    type: Literal["reset"]


class End(TypedDict):
    """No more audio: the last finals, then `ended`, then close 1000."""

    type: Literal["end"]


class Ping(TypedDict):
    """Are you there? Answered by `pong`."""

    type: Literal["ping"]
    text: NotRequired[str]
    """Comes back."""


# ------------------------------------------------------------------------------------------------------------- server


class Word(TypedDict):
    """A word and its time, in seconds of the stream."""

    word: str
    start: float
    end: float
    confidence: float | None
    """0 to 1; null where the recogniser has none."""


class _OfChannel(TypedDict):
    channel: NotRequired[int]
    """From 0, where `split` gives each channel a session."""


class Partial(_OfChannel):
    """The text after the last final, as it looks now."""

    type: Literal["partial"]
    utterance: int
    """From 1."""
    text: str
    stable_text: str
    """Leads `text`, and only grows within an utterance: it will not change any more."""
    start: float
    """Seconds of the stream."""
    end: float
    is_final: Literal[False]
    words: list[Word]


class Final(_OfChannel):
    """Text that will not change any more. The spans of finals tile the stream; silence alone gives none."""

    type: Literal["final"]
    utterance: int
    text: str
    stable_text: str
    """The same as `text`."""
    start: float
    """Seconds of the stream; where the last final ended."""
    end: float
    is_final: Literal[True]
    words: list[Word]
    cause: Literal["silence", "turn", "client", "length", "end"] | None
    """Why the utterance ended; null where it goes on."""


class Revised(_OfChannel):
    """Better text for a whole utterance, from the second model."""

    type: Literal["revised"]
    utterance: int
    text: str
    words: list[Word]


class WasReset(_OfChannel):
    """The open utterance is forgotten."""

    type: Literal["reset"]


class Pong(TypedDict):
    """Answers a ping."""

    type: Literal["pong"]
    text: NotRequired[str]


class Error(_OfChannel):
    """Something could not be done. The session goes on, unless the connection is closed next."""

    type: Literal["error"]
    code: str
    message: str


class Account(TypedDict):
    """Where every sample (16 kHz) went."""

    received: int
    final: int
    """In finals."""
    dropped: dict[str, int]
    """By reason."""


class Ended(_OfChannel):
    """Everything is said; the connection is closed with 1000."""

    type: Literal["ended"]
    seconds: float
    """Of audio that were heard."""
    account: Account


Frame: TypeAlias = Partial | Final | Revised | WasReset | Error | Ended
"""What names its channel where there are several."""

MESSAGES = Messages(
    query=Query,
    client=(Commit, Reset, End, Ping),
    server=(Partial, Final, Revised, WasReset, Pong, Error, Ended),
    audio="Audio as the query announces it, cut anywhere; `opus`: one packet in each message.",
)
