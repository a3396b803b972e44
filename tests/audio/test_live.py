"""Compressed audio live: the same samples whatever the slicing, at once, in bounded memory; reasons for what is none."""

from __future__ import annotations

import io
import random
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stenod.audio.convert import Converter
from stenod.audio.files import open_audio
from stenod.audio.formats import check
from stenod.audio.live import kind_of
from stenod.errors import BadAudio, BadRequest
from stenod.options import AudioFormat, Encoding
from support.compressed import RATE, growing, opus

CONTAINERS = Path(__file__).parent / "containers"
BUNDLES = {"river.m4a", "river.mp4"}  # their index comes last: they can be read only when they are whole
NAMES = sorted({path.name for path in CONTAINERS.iterdir()} - BUNDLES)
CONTAINER = AudioFormat(encoding=Encoding.CONTAINER)


def content(name):
    return (CONTAINERS / name).read_bytes()


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def threads():
    return sum(thread.name == "stenod-growing" for thread in threading.enumerate())


@contextmanager
def listening(audio_format=CONTAINER):
    """A converter that is closed in the end, and leaves no thread."""
    before = threads()
    converter = Converter(audio_format)
    try:
        yield converter
    finally:
        converter.close()
        assert threads() <= before


def heard(messages, audio_format=CONTAINER):
    """Everything that comes of these messages, shape (outputs, samples), 16 kHz."""
    with listening(audio_format) as converter:
        parts = []
        for message in messages:
            parts.append(converter.convert(message))
            while converter.more:
                parts.append(converter.convert(b""))
        parts.append(converter.finish())
    return np.stack([np.concatenate(output) for output in zip(*parts, strict=True)])


def tone(seconds, channels=1):
    moments = np.arange(round(seconds * RATE)) / RATE
    return np.stack([3000 * np.sin(2 * np.pi * 300 * (1 + channel) * moments) for channel in range(channels)], axis=1)


def pitch(samples):
    """The strongest frequency of 16 kHz samples."""
    return int(np.argmax(np.abs(np.fft.rfft(samples)))) * 16_000 / len(samples)


# ---------------------------------------------------------------------------------------------------------- containers


@pytest.mark.parametrize("size", [1, 97, 1_000, 1 << 30])
@pytest.mark.parametrize("name", NAMES)
def test_a_live_container_is_heard_like_the_file(name, size):
    data = content(name)
    with open_audio(data) as reader:
        whole = heard(reader.chunks(), reader.format)
    live = heard(cut(data, size))
    shared = min(live.shape[1], whole.shape[1])
    assert live.shape[1] == pytest.approx(whole.shape[1], abs=0.03 * 16_000)  # mp3: the length is in no header
    np.testing.assert_allclose(live[0, :shared], whole[0, :shared], atol=1e-6)


@pytest.mark.parametrize(
    ("container", "codec", "behind", "options"),
    [
        ("webm", "libopus", 0.35, {"live": "1"}),
        ("ogg", "libopus", 0.6, {"page_duration": "200000"}),
        ("mp4", "aac", 0.6, {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "250000"}),
        ("adts", "aac", 0.4, {}),
        ("mp3", "libmp3lame", 0.6, {"write_xing": "0"}),
        ("flac", "flac", 1.6, {}),
    ],
)
def test_sound_comes_while_the_container_grows(container, codec, behind, options):
    """Never more seconds behind what has been sent than packets, pages and fragments are long."""
    data = growing(container, codec, tone(4.0), **options)
    with listening() as converter:
        given = 0
        for number, part in enumerate(cut(data, len(data) // 40), start=1):
            given += len(converter.convert(part)[0])
            assert given / 16_000 > 0.1 * number - behind
        given += len(converter.finish()[0])
        assert given / 16_000 == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("ogg", "libopus"), ("flac", "flac")])
def test_files_in_a_row_are_one_stream(container, codec):
    data = growing(container, codec, tone(1.0))
    assert heard(cut(data + data, 500)).shape[1] == pytest.approx(32_000, abs=200)


@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("name", ["river.webm", "river.ogg", "river.aac", "river.mp3"])
def test_a_stream_may_break_off_anywhere(name, part):
    data = content(name)[: len(content(name)) * part // 20]
    assert heard(cut(data, 400)).shape[1] <= (3.1 * part / 20 + 0.4) * 16_000


@pytest.mark.parametrize("length", [0, 1, 11, 12, 60])
def test_a_stream_of_nothing_but_headers_is_silence(length):
    assert heard([content("river.webm")[:length]]).shape == (1, 0)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_in_the_middle_is_skipped(seed):
    dice, data = random.Random(seed), bytearray(content("river.webm"))
    data[4_000:4_100] = dice.randbytes(100)
    assert 16_000 < heard(cut(bytes(data), 300)).shape[1] <= 2.95 * 16_000


@pytest.mark.parametrize("kind", ["text", "raw", "noise", "html"])
def test_garbage_is_refused_at_once(kind):
    data = {
        "text": b"this is not audio at all",
        "raw": tone(1.0).astype("<i2").tobytes()[2_000:],
        "noise": random.Random(7).randbytes(20_000),
        "html": b"<!doctype html><html><body>not found</body></html>",
    }[kind]
    with listening() as converter, pytest.raises(BadAudio, match="no audio in a container"):
        converter.convert(data)


@pytest.mark.parametrize("name", ["river.webm", "river.ogg", "river.wma"])
def test_no_more_is_expected_after_a_megabyte_of_garbage(name):
    dice = random.Random(3)
    with listening() as converter:
        converter.convert(content(name))
        reason = None
        for _ in range(40):
            try:
                converter.convert(dice.randbytes(50_000))
            except BadAudio as error:
                reason = str(error)
        assert reason is not None


def test_an_index_that_comes_last_is_too_late():
    with pytest.raises(BadAudio, match="no audio that can be decoded"):
        heard(cut(content("river.m4a"), 1_000))


def test_an_hour_in_one_message_comes_in_portions():
    minute = growing("flac", "flac", np.zeros((60 * RATE, 1)))
    with listening() as converter:
        given = [len(converter.convert(minute * 10)[0])]
        while converter.more:
            given.append(len(converter.convert(b"")[0]))
        given.append(len(converter.finish()[0]))
        assert max(given) < 12 * 16_000
        assert sum(given) / 16_000 == pytest.approx(600, abs=2)


@pytest.mark.parametrize("sent", [0, 5, 100, 5_000, 9_979])
def test_whoever_goes_leaves_no_thread(sent):
    with listening() as converter:
        converter.convert(content("river.webm")[:sent])


def test_whoever_goes_while_more_is_to_come_leaves_no_thread():
    with listening() as converter:
        converter.convert(growing("flac", "flac", np.zeros((30 * RATE, 1))))
        assert converter.more


def test_channels_of_a_container_are_mixed_or_heard_apart():
    data = growing("webm", "libopus", tone(1.0, channels=2))
    assert heard([data]).shape[0] == 1
    apart = heard([data], AudioFormat(encoding=Encoding.CONTAINER, channels=2, split=True))
    assert [pitch(channel) for channel in apart] == pytest.approx([300, 600], abs=5)
    with pytest.raises(BadAudio, match="has 2 channels, not 3"):
        heard([data], AudioFormat(encoding=Encoding.CONTAINER, channels=3, split=True))


@pytest.mark.parametrize("name", [path.name for path in CONTAINERS.iterdir()])
def test_what_a_container_is_shows_in_its_head(name):
    assert kind_of(content(name)[:12]) is not None


# ------------------------------------------------------------------------------------------------------------- packets


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_packets(channels):
    packets = opus(tone(1.0, channels))
    mixed = heard(packets, AudioFormat(encoding=Encoding.OPUS, channels=channels))
    assert mixed.shape == (1, len(packets) * 320)  # 20 ms each: that, and nothing else, is accounted for
    assert pitch(mixed[0]) == pytest.approx(300 * channels, abs=5)


def test_opus_channels_apart_or_made_one_by_the_decoder():
    packets = opus(tone(1.0, 2))
    apart = heard(packets, AudioFormat(encoding=Encoding.OPUS, channels=2, split=True))
    assert [pitch(channel) for channel in apart] == pytest.approx([300, 600], abs=5)
    assert heard(packets, AudioFormat(encoding=Encoding.OPUS)).shape == (1, len(packets) * 320)


def test_a_bad_packet_is_left_out():
    packets = opus(tone(1.0))
    packets[10] = b"\xff" * 5
    packets[20] = b""
    with listening(AudioFormat(encoding=Encoding.OPUS)) as converter:
        given = sum(len(converter.convert(packet)[0]) for packet in packets) + len(converter.finish()[0])
        assert given == (len(packets) - 2) * 320
        assert converter.skipped == 1


def test_packets_that_are_none_are_refused():
    with pytest.raises(BadAudio, match="is it a container"):
        heard(cut(content("river.ogg") * 4, 3_000), AudioFormat(encoding=Encoding.OPUS))


def test_three_channels_are_no_opus():
    with pytest.raises(BadRequest, match="one or two"):
        check(AudioFormat(encoding=Encoding.OPUS, channels=3))


@pytest.mark.parametrize("encoding", [Encoding.OPUS, Encoding.CONTAINER])
def test_compressed_audio_is_no_raw_file(encoding):
    with pytest.raises(BadRequest, match="no encoding of raw audio"):
        open_audio(io.BytesIO(b"123"), raw=AudioFormat(encoding=encoding))
