"""Raw formats: every encoding against its definition, cut anywhere; repairs; what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.audio.convert import Converter
from stenod.audio.formats import WIDTH, Unpacker, bytes_per_second, check
from stenod.errors import BadRequest
from stenod.options import AudioFormat, Encoding

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("encoding", "data", "values"),
    [
        ("s16le", struct.pack("<4h", 0, 16384, -32768, 32767), [0, 0.5, -1, 32767 / 32768]),
        ("f32le", struct.pack("<4f", 0, 0.25, -1, 1), [0, 0.25, -1, 1]),
        ("f32le", struct.pack("<3f", 7, -7, 1e30), [1, -1, 1]),
        ("f32le", struct.pack("<4f", NAN, 0.5, INF, -INF), [0, 0.5, 0, 0]),
        ("s24le", b"\0\0\0\0\0\x40\0\0\x80\xff\xff\x7f", [0, 0.5, -1, 1 - 2**-23]),
        ("u8", bytes([128, 192, 0, 255]), [0, 0.5, -1, 127 / 128]),
        # G.711 tables 1 and 2, decoder output values, against full scale (8192 and 4096)
        ("mulaw", bytes([0xFF, 0x7F, 0x80, 0x00, 0xEF]), [0, 0, 8031 / 8192, -8031 / 8192, 33 / 8192]),
        ("alaw", bytes([0xD5, 0x55, 0xAA, 0x2A]), [1 / 4096, -1 / 4096, 4032 / 4096, -4032 / 4096]),
    ],
)
def test_values(encoding, data, values):
    samples = Unpacker(AudioFormat(encoding=Encoding(encoding))).unpack(data)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples[:, 0], values, atol=1e-7)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_g711_rises_through_its_codes(encoding):
    """All 256 codes, in the order of their values, are symmetric; companding steps only ever grow."""
    samples = np.sort(Unpacker(AudioFormat(encoding=Encoding(encoding))).unpack(bytes(range(256)))[:, 0])
    np.testing.assert_array_equal(samples, -samples[::-1])
    assert (np.diff(samples[128:], n=2) >= -1e-7).all()


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("encoding", list(WIDTH))
@given(data=st.data())
def test_any_slicing_gives_the_same(encoding, channels, data):
    audio = data.draw(st.binary(max_size=200))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(audio)), max_size=10)))
    format_ = AudioFormat(encoding=encoding, channels=channels)
    whole, sliced = Unpacker(format_), Unpacker(format_)
    expected = whole.unpack(audio)
    pieces = [sliced.unpack(audio[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(audio)], strict=True)]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
    assert sliced.waiting == whole.waiting == len(audio) % (WIDTH[encoding] * channels)
    assert sliced.repaired == whole.repaired
    assert np.isfinite(expected).all()
    assert (np.abs(expected) <= 1).all()


def test_repairs_are_counted():
    unpacker = Unpacker(AudioFormat(encoding=Encoding.F32LE, channels=2))
    unpacker.unpack(struct.pack("<4f", NAN, 0, INF, 9))
    unpacker.unpack(struct.pack("<2f", 0, -INF))
    assert unpacker.repaired == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 7_999}, "sample rate 7999 is out of range: 8000 to 48000 Hz"),
        ({"rate": 48_001}, "sample rate 48001 is out of range"),
        ({"rate": 0}, "sample rate 0"),
        ({"rate": -16_000}, "sample rate -16000"),
        ({"channels": 0}, "0 channels are out of range: 1 to 64"),
        ({"channels": 65}, "65 channels"),
    ],
)
def test_what_cannot_be_heard_is_refused(changes, message):
    with pytest.raises(BadRequest, match=message) as caught:
        check(AudioFormat(**changes))
    assert caught.value.code == "bad_format"


@pytest.mark.parametrize("changes", [{}, {"rate": 8_000}, {"rate": 48_000, "channels": 64}])
def test_what_can_be_heard_is_not(changes):
    check(AudioFormat(**changes))


def test_bytes_per_second():
    assert bytes_per_second(AudioFormat(encoding=Encoding.S24LE, rate=44_100, channels=2)) == 44_100 * 6


STEREO = np.stack([np.full(100, 16384, "<i2"), np.full(100, -8192, "<i2")], axis=1).tobytes()


@pytest.mark.parametrize(("split", "values"), [(False, [0.125]), (True, [0.5, -0.25])])
def test_channels_are_mixed_or_split(split, values):
    out = Converter(AudioFormat(channels=2, split=split)).convert(STEREO)
    assert [channel.tolist() for channel in out] == [[value] * 100 for value in values]


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_conversion_goes_on_after_a_flush(rate):
    audio = np.zeros(rate, "<i2").tobytes()
    converter = Converter(AudioFormat(rate=rate))
    half = rate | 1  # an odd byte: half a sample waits
    first = len(converter.convert(audio[:half])[0]) + len(converter.flush()[0])
    assert converter.waiting == 1
    second = len(converter.convert(audio[half:])[0]) + len(converter.flush()[0])
    assert (first, second) == (rate // 2 * 16_000 // rate, 16_000 - rate // 2 * 16_000 // rate)
