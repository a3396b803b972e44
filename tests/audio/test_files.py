"""Audio files: every container gives the same speech; damage is repaired or refused in one clear line; memory is bounded."""

from __future__ import annotations

import io
import os
import random
import resource
import struct
import tempfile
import wave
import zipfile
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from stenod.audio.convert import Converter
from stenod.audio.files import open_audio
from stenod.errors import BadAudio, BadRequest
from stenod.options import AudioFormat, Encoding

CONTAINERS = Path(__file__).parent / "containers"
NAMES = sorted(path.name for path in CONTAINERS.iterdir())
BUNDLES = {"river.m4a", "river.mp4"}  # their index comes last: without it there is nothing to be had


def content(name):
    return (CONTAINERS / name).read_bytes()


def read(source, **how):
    """Everything a source holds: its reader, and the samples, shape (moments, channels)."""
    with open_audio(source, **how) as reader:
        assert reader.format.encoding is Encoding.F32LE
        assert 8_000 <= reader.format.rate <= 48_000
        chunks = list(reader.chunks())
    second = reader.format.rate * reader.format.channels * 4
    assert all(len(chunk) == second for chunk in chunks[:-1])
    assert 0 < len(chunks[-1]) <= second
    return reader, np.frombuffer(b"".join(chunks), "<f4").reshape(-1, reader.format.channels)


def seconds(source, **how):
    reader, samples = read(source, **how)
    return len(samples) / reader.format.rate


def waved(samples, rate=16_000):
    """A wav file of 16 bit samples, shape (moments, channels)."""
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setparams((samples.shape[1], 2, rate, 0, "NONE", ""))
        writer.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def encoded(container, codec, rate, channels, length):
    """A tone of `length` seconds in a container."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as writer:
        stream = writer.add_stream(codec, rate=rate)
        stream.layout = "mono" if channels == 1 else "stereo"
        moment = np.arange(int(length * rate))
        tone = (3000 * np.sin(2 * np.pi * 440 * moment / rate)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, channels)[np.newaxis], format="s16", layout=stream.layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, stream.layout, rate, frame_size=stream.codec_context.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            writer.mux(stream.encode(part))
        writer.mux(stream.encode())
    return target.getvalue()


# ---------------------------------------------------------------------------------------------------------- what is good


@pytest.fixture(scope="module")
def river(samples):
    with wave.open(str(samples / "river.wav")) as source:
        return np.frombuffer(source.readframes(source.getnframes()), "<i2") / np.float32(32768)


@pytest.mark.parametrize("name", NAMES)
def test_every_container_holds_the_same_speech(name, river):
    reader, samples = read(content(name))
    converter = Converter(reader.format)
    heard = np.concatenate([*converter.convert(samples.tobytes()), *converter.flush()])
    size = 1 << 17
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(river, size)))
    lag = int(correlation.argmax())
    assert min(lag, size - lag) < 0.07 * 16_000  # what a codec adds before the first sample, or leaves out
    assert correlation[lag] / np.sqrt(np.sum(heard**2) * np.sum(river**2)) > 0.9
    assert reader.skipped == 0
    assert reader.duration == pytest.approx(2.93, abs=0.1)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "length"),
    [
        ("8_channel_id.m4a", 48_000, 8, 8.06),
        ("LDC93S1.ogg", 8_000, 1, 2.92),
        ("LDC93S1.opus", 48_000, 1, 2.92),
        ("LDC93S1_stereo_44k.wav", 44_100, 2, 2.92),
        ("cold_corpus_24bit.wav", 16_000, 1, 25.72),
        ("cold_corpus_32bit_float.wav", 16_000, 1, 25.72),
        ("jfk_441khz.m4a", 44_100, 1, 11.0),
        ("jfk_44k_stereo.flac", 44_100, 2, 11.0),
        ("junk_chunk_riff.wav", 16_000, 1, 8.22),
        ("multichannel_3ch.wav", 16_000, 3, 9.46),
        ("watson_weather_vorbis.webm", 44_100, 1, 7.1),
    ],
)
def test_recordings_of_the_world(shared_speech, name, rate, channels, length):
    reader, samples = read(shared_speech / "formats" / name)
    assert (reader.format.rate, reader.format.channels, reader.skipped) == (rate, channels, 0)
    assert len(samples) / rate == pytest.approx(length, abs=0.05)
    assert np.abs(samples).max() > 0.02


@pytest.mark.parametrize(
    ("held", "given"), [(4_000, 8_000), (8_000, 8_000), (48_000, 48_000), (96_000, 48_000), (192_000, 48_000)]
)
def test_rates_that_nobody_hears_are_brought_into_range(held, given):
    reader, samples = read(waved(np.full((held, 2), 1000), held))
    assert (reader.format.rate, reader.format.channels) == (given, 2)
    assert len(samples) == pytest.approx(given, rel=0.01)


@pytest.mark.parametrize("channels", [1, 3, 5, 16, 64])
def test_channels_stay_apart(channels):
    levels = 100 * (1 + np.arange(channels))
    _, samples = read(waved(np.tile(levels, (16_000, 1))))
    np.testing.assert_allclose(samples[8_000], levels / 32768, atol=1e-6)


@pytest.mark.parametrize("kind", ["bytes", "path", "text", "file", "spooled", "pipe"])
def test_every_kind_of_source(kind, tmp_path):
    data = content("river_mulaw.wav")
    path = tmp_path / "river.wav"
    path.write_bytes(data)
    if kind == "pipe":
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb") as source, os.fdopen(theirs, "wb") as target:
            target.write(data)  # fits into the pipe
            target.close()
            assert seconds(source) == pytest.approx(2.927)
        return
    with tempfile.SpooledTemporaryFile() as spooled, path.open("rb") as file:
        spooled.write(data)
        file.seek(99)  # wherever it stands, it is read from its beginning
        sources = {"bytes": data, "path": path, "text": str(path), "file": file, "spooled": spooled}
        assert seconds(sources[kind]) == pytest.approx(2.927)
        assert not file.closed
        assert not spooled.closed


@pytest.mark.parametrize("name", ["song.mp3", "page.html", "list.m3u8", "concat:a|b", "http:x", "pipe:0", "%d.png"])
def test_names_are_not_believed(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content("river_mulaw.wav"))
    assert seconds(path) == pytest.approx(2.927)


@pytest.mark.parametrize(
    ("raw", "data", "length", "left"),
    [
        (AudioFormat(), bytes(32_000), 1.0, 0),
        (AudioFormat(), bytes(33), 0.001, 1),
        (AudioFormat(encoding=Encoding.MULAW, rate=8_000), bytes(20_000), 2.5, 0),
        (AudioFormat(encoding=Encoding.S24LE, rate=44_100, channels=2), bytes(44_100 * 6 + 5), 1.0, 5),
    ],
)
def test_raw_files(raw, data, length, left):
    reader, samples = read(data, raw=raw)
    assert (reader.format.rate, reader.format.channels) == (raw.rate, raw.channels)
    assert len(samples) / raw.rate == pytest.approx(length)
    assert reader.duration == pytest.approx(length, abs=1e-3)
    assert reader.skipped == left


def test_a_raw_format_that_cannot_be_heard_is_refused():
    with pytest.raises(BadRequest, match="sample rate 4"):
        open_audio(bytes(100), raw=AudioFormat(rate=4))


@pytest.mark.parametrize(("first", "second"), [((16_000, 1), (44_100, 2)), ((44_100, 2), (16_000, 1))])
def test_a_format_that_changes_in_the_middle_is_changed_back(first, second):
    data = encoded("adts", "aac", *first, 2.0) + encoded("adts", "aac", *second, 3.0)
    reader, samples = read(data)
    assert (reader.format.rate, reader.format.channels) == first
    assert len(samples) / first[0] == pytest.approx(5, abs=0.3)
    pitch = np.abs(np.fft.rfft(samples[-first[0] - first[0] // 2 : -first[0] // 2, 0])).argmax()
    assert pitch == pytest.approx(440, abs=2)


# -------------------------------------------------------------------------------------------------------- what is broken


def refused(source):
    """The one line that says why; it tells nothing of this machine."""
    with pytest.raises(BadAudio) as caught:
        read(source)
    message = caught.value.message
    assert message
    assert not any(secret in message for secret in ("/", "\n", "Errno", "Traceback", "none>", "0x"))
    return message


def png():
    body = b"IHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + bytes(500)


def zipped():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("river.wav", content("river_mulaw.wav"))
    return target.getvalue()


HEADER = waved(np.zeros((0, 1)))
GARBAGE = {
    "one byte": b"R",
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "text": b"The old man walked slowly down to the river.\n" * 500,
    "html": b"<!DOCTYPE html><html><body>" + b"<p>No audio</p>" * 1000,
    "json": b'{"audio": "AAAA"}' * 100,
    "zip": zipped(),
    "png": png(),
    "pdf": b"%PDF-1.7\n" + bytes(1000),
    "only a wav header": HEADER,
    "half a wav header": HEADER[:20],
    "only a flac marker": b"fLaC",
    "only an ogg marker": b"OggS" * 100,
    "only an mp3 tag": b"ID3\x04\0\0\0\0\x01\0" + bytes(128),
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n"
    + str(CONTAINERS / "river.aac").encode()
    + b"\n#EXT-X-ENDLIST\n",
    "playlist": b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n",
    "concat": b"ffconcat version 1.0\nfile '" + str(CONTAINERS / "river.flac").encode() + b"'\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>' + bytes(100),
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "film without sound": None,
}


def silent_film():
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as writer:
        stream = writer.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        writer.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        writer.mux(stream.encode())
    return target.getvalue()


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused(kind):
    refused(GARBAGE[kind] or silent_film())


@pytest.mark.parametrize("seed", range(60))
def test_noise_is_refused(seed):
    dice = random.Random(seed)
    refused(dice.randbytes(dice.choice((1, 44, 1000, 30_000, 300_000))))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "the file is empty"),
        (HEADER, "the file holds no audio that can be decoded"),
        (GARBAGE["text"], "no audio file"),
        (silent_film(), "none of its streams is sound"),
        ("no/such/file", "cannot be opened: No such file"),
        (".", "cannot be opened: Is a directory"),
        (waved(np.zeros((100, 65))), ""),
    ],
)
def test_the_reason_is_clear(source, message):
    assert message in refused(source)


@pytest.mark.parametrize("part", range(1, 20))
@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_gives_what_is_there_or_is_refused(name, part):
    data = content(name)
    try:
        length = seconds(data[: len(data) * part // 20])
    except BadAudio:
        # nothing decodes yet: an index at the end, a first page, a first block
        assert name in BUNDLES or part < 9
    else:
        assert length <= 3.05 * part / 20 + 0.5  # not all of a file is audio


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_survived(name, seed):
    """Forty bytes overwritten in ten places and more: speech, or a reason."""
    dice = random.Random(seed)
    data = bytearray(content(name))
    for _ in range(10 * (1 + seed)):
        at = dice.randrange(len(data) - 40)
        data[at : at + 40] = dice.randbytes(40)
    try:
        length = seconds(bytes(data))
    except BadAudio:
        refused(bytes(data))
    else:
        assert length < 60


@pytest.mark.parametrize("name", ["river.mp3", "river.aac"])
def test_a_hole_in_the_middle_is_skipped_and_counted(name):
    data = bytearray(content(name))
    data[5_000:6_000] = random.Random(0).randbytes(1_000)
    reader, samples = read(bytes(data))
    assert reader.skipped > 0
    assert 2 < len(samples) / reader.format.rate < 3


@pytest.mark.parametrize("claim", [0, 0x7FFFFFFF, 0xF0000000, 0xFFFFFFFF])
def test_a_wav_header_that_lies_about_its_length(claim):
    """Recorders that stream write 0 or the largest number; whatever they write, the audio is what is there."""
    data = bytearray(waved(np.full((16_000, 1), 1000)))
    data[4:8] = data[40:44] = struct.pack("<I", claim)
    reader, samples = read(bytes(data))
    assert len(samples) == 16_000
    assert reader.duration is None or reader.duration < 2


# ------------------------------------------------------------------------------------------------------------- how much


def test_an_hour_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "hour.mp3"
    minute = encoded("mp3", "libmp3lame", 16_000, 1, 60.0)  # mp3 files can be put one behind the other
    path.write_bytes(minute * 60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_audio(path) as reader:
        total = sum(map(len, reader.chunks()))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB
    assert total / 4 / 16_000 == pytest.approx(3600, abs=10)
    assert grown < 30_000  # the samples are 230 MB
