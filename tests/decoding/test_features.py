"""The log-mel front-end, against its definition and against NeMo's."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from conftest import missing
from stenod.decoding.features import LogMel, normalised, slaney


def sound(samples, seed=0):
    rng = np.random.default_rng(seed)
    swell = np.abs(np.sin(np.arange(samples) / 3000))
    return (rng.standard_normal(samples) * swell * 0.1).astype(np.float32)


def by_definition(samples, bands, window):
    """The same in double precision, a frame at a time, with the transform written out."""
    width = round(window * 16000)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / (width - 1))
    emphasised = np.append(samples[0], samples[1:].astype(np.float64) - 0.97 * samples[:-1])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(512)) / 512)
    frames = []
    for centre in range(0, len(samples) // 160 * 160, 160):
        heard = np.zeros(512)
        for place in range(512):
            at = centre - 256 + place
            if 0 <= at < len(samples):
                heard[place] = emphasised[at]
        heard[(512 - width) // 2 : (512 - width) // 2 + width] *= hann
        heard[: (512 - width) // 2] = heard[(512 - width) // 2 + width :] = 0
        frames.append(np.log(slaney(bands) @ np.abs(turns @ heard) ** 2 + 2**-24))
    found = np.array(frames).T
    return (found - found.mean(1, keepdims=True)) / (found.std(1, ddof=1, keepdims=True) + 1e-5)


@pytest.mark.parametrize(("bands", "window"), [(64, 0.02), (80, 0.025), (128, 0.025)])
@pytest.mark.parametrize("samples", [320, 1600, 4837])
def test_it_is_what_its_definition_says(bands, window, samples):
    features, lengths = LogMel(bands, window)([sound(samples)])
    assert lengths.tolist() == [samples // 160]
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[0], by_definition(sound(samples), bands, window), atol=2e-3)


@pytest.mark.parametrize("multiple", [1, 16])
def test_an_item_gets_what_it_gets_alone(multiple):
    batch = [sound(count, seed) for seed, count in enumerate((16000, 100, 5555, 160, 48123, 0))]
    front = LogMel(80)
    features, lengths = front(batch, multiple)
    assert lengths.tolist() == [100, 0, 34, 1, 300, 0]
    assert features.shape == (6, 80, 300 if multiple == 1 else 304)
    for item, samples in enumerate(batch):
        alone, _ = front([samples])
        np.testing.assert_array_equal(features[item, :, : lengths[item]], alone[0])
        assert not features[item, :, lengths[item] :].any()


def test_nothing_at_all_and_one_frame():
    assert LogMel(80)([])[0].shape == (0, 80, 0)
    assert not LogMel(80)([sound(161)])[0].any(), "one frame has no variance"


def test_silence_is_finite():
    features, _ = LogMel(80)([np.zeros(16000, np.float32)])
    np.testing.assert_array_equal(features, 0)


def test_bands_have_mean_0_and_variance_1():
    found = normalised(np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32) * 7 + 3)
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(1, ddof=1), 1, atol=1e-4)


@pytest.mark.parametrize("bands", [64, 80, 128])
def test_mel_filters_have_area_1(bands):
    """As far as bins 31 Hz apart can show it; no filter hears the first bin nor the last, which the front-end leaves out."""
    filters = slaney(bands)
    assert filters.shape == (bands, 257)
    assert not filters[:, [0, -1]].any()
    wide = filters[bands // 2 :]
    np.testing.assert_allclose(wide.sum(1) * 31.25, 1, atol=0.12)


@pytest.mark.filterwarnings("ignore")  # the toolkit's dependencies deprecate each other
@pytest.mark.parametrize(("bands", "window"), [(64, 0.02), (80, 0.025), (128, 0.025)])
def test_it_is_nemos(bands, window):
    if find_spec("nemo") is None:
        missing("the NeMo toolkit")
    import torch  # noqa: PLC0415 heavy
    from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor  # noqa: PLC0415 heavy

    counts = (16000, 5555, 320, 48000)
    batch = [sound(count, seed) for seed, count in enumerate(counts)]
    padded = np.zeros((len(counts), max(counts)), np.float32)
    for row, samples in zip(padded, batch, strict=True):
        row[: len(samples)] = samples
    nemos = AudioToMelSpectrogramPreprocessor(
        sample_rate=16000, window_size=window, window_stride=0.01, features=bands, n_fft=512, dither=0.0, pad_to=0
    ).eval()
    expected, lengths = nemos(input_signal=torch.from_numpy(padded), length=torch.tensor(counts))
    found, ours = LogMel(bands, window)(batch)
    assert ours.tolist() == lengths.tolist()
    np.testing.assert_allclose(found, expected.numpy()[:, :, : found.shape[2]], atol=1e-3)


def test_it_is_onnx_asrs():
    if find_spec("onnx_asr") is None:
        missing("the package onnx-asr")
    from onnx_asr.preprocessors.numpy_preprocessor import NemoPreprocessorNumpy  # noqa: PLC0415 heavy

    samples = sound(30000)
    expected, _ = NemoPreprocessorNumpy("nemo128")(samples[None], np.array([len(samples)]))
    found, _ = LogMel(128)([samples])
    np.testing.assert_allclose(found, expected[:, :, : found.shape[2]], atol=1e-3)
