"""Where a client's audio has got to: arithmetic over changes of format, and the scroll that is read on from anywhere."""

from __future__ import annotations

import pytest

from stenod.options import AudioFormat, Encoding
from stenod.server.scroll import KEPT, Scroll
from stenod.server.tokens import Claim, Tokens
from stenod.server.track import Track

S16 = AudioFormat()
F32 = AudioFormat(encoding=Encoding.F32LE)
STEREO_8K = AudioFormat(rate=8_000, channels=2)
OPUS = AudioFormat(encoding=Encoding.OPUS)


def track(*steps: AudioFormat | int) -> Track:
    made = Track()
    for step in steps:
        if isinstance(step, int):
            made.taken += step
        else:
            made.heed(step)
    return made


@pytest.mark.parametrize(
    ("steps", "offset", "second"),
    [
        ([], 0, 0),
        ([S16, 64_000], 32_000, 16_000),
        ([F32, 64_000], 16_000, 16_000),
        ([S16, 20_001], 10_000, 10_000),  # a cut inside a sample; only what is there can be settled
        ([STEREO_8K, 64_000], 16_000, 8_000),
        ([F32, 64_000, S16, 32_000], 32_000, 16_000),
        ([S16, 16_000, STEREO_8K, 32_000], 16_000, 12_000),  # half a second at 16 kHz, half a second at 8 kHz
        ([OPUS, 500], 500, 0),
    ],
)
def test_offsets_and_seconds(steps: list[AudioFormat | int], offset: int, second: int) -> None:
    made = track(*steps)
    assert made.offset == offset
    assert made.sample_at(1.0) == second
    assert made.sample_at(0.0) == 0


@pytest.mark.parametrize(
    ("steps", "sample", "again"),
    [
        ([S16, 20_001], 10_000, 1),  # the half of the sample that is here
        ([S16, 20_001], 9_999, 3),
        ([S16, 20_001], 0, 20_001),
        ([S16, 20_001], 10_001, None),
        ([F32, 64_000, S16, 32_000], 16_000, 32_000),
        ([F32, 64_000, S16, 32_000], 15_999, 32_004),
        ([F32, 64_000, S16, 32_000], 32_000, 0),
    ],
)
def test_what_is_sent_again(steps: list[AudioFormat | int], sample: int, again: int | None) -> None:
    assert track(*steps).again(sample) == again


@pytest.mark.parametrize(("rate", "seconds"), [(8_000, 10.0), (None, 5.0)])
def test_a_session_that_goes_on_elsewhere(rate: int | None, seconds: float) -> None:
    """The token knows the rate; a client's own word does not, so the format that comes decides."""
    made = Track()
    made.begin(80_000, rate)
    made.heed(S16)
    assert made.place() == seconds
    made.taken += 32_000
    assert made.offset == 96_000
    assert made.sample_at(seconds + 0.5) == 88_000
    assert made.again(79_999) is None


def test_a_scroll_is_read_on_from_anywhere_it_still_holds() -> None:
    scroll = Scroll(10)
    for number in range(3):
        scroll.add(f"partial {number}", passing=True)
    scroll.add("final", passing=False)
    assert (scroll.last, scroll.holds(0), scroll.holds(4), scroll.holds(5)) == (4, True, True, False)


@pytest.mark.anyio
async def test_a_scroll_forgets_what_was_read_long_ago() -> None:
    scroll = Scroll(10)
    for number in range(KEPT + 5):
        assert scroll.add(str(number), passing=False)
        async for _ in scroll.follow(scroll.last - 1):
            break
    assert not scroll.holds(0)
    assert scroll.holds(10)
    assert [scroll.add("unread", passing=False) for _ in range(KEPT + 20)][-1] is False


def test_tokens_say_what_they_were_given_and_cannot_be_forged() -> None:
    tokens, claim = Tokens("secret"), Claim("abc", 123, 8_000)
    token = tokens.issue(claim)
    assert tokens.read(token) == Tokens("secret").read(token) == claim
    assert Tokens().read(token) is None
    body, _, signature = token.partition(".")
    for bad in ("", ".", body, f"{body}.", f"{body[:-1]}.{signature}", f"{body}.{signature[:-1]}x", "é.é"):
        assert tokens.read(bad) is None
