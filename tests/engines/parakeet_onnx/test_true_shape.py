"""Prediction network and joint in the shape of Parakeet-TDT-0.6B-v3, with random weights: our search, onnx-asr's, NeMo's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from conftest import needs
from stenod.decoding.transducer import Batch, Rules, search
from stenod.engines.parakeet_onnx.networks import Dissected, decoder
from stenod.engines.parakeet_onnx.runtime import Runtime
from support import tiny_onnx
from support.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # the export's own

VOCABULARY, WIDTH, FRAMES, ITEMS = 8192, 1024, 60, 17
RATE = 3.5
"""Labels a second."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The folder in onnx-asr's layout, NeMo's modules, and encodings of unlike lengths: noise that changes slowly."""
    needs("nemo", "torch", "onnx_asr")
    import torch  # noqa: PLC0415 where it is
    from nemo.collections.asr.modules.rnnt import RNNTDecoderJoint  # noqa: PLC0415

    random_parakeet: Any = tool("random_parakeet")
    folder: Path = tmp_path_factory.mktemp("true-shape")
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        torch.manual_seed(7)
        parts = random_parakeet.Parts(VOCABULARY, 1, WIDTH)
        noise = torch.randn(ITEMS, WIDTH, FRAMES + 1)
        encoded = (noise[..., 1:] + noise[..., :-1]) / 2**0.5
        lengths = torch.randint(8, FRAMES + 1, (ITEMS,))
        lengths[0] = FRAMES
        parts.calibrate([encoded[item, :, : lengths[item]].T for item in range(4)], RATE)
        random_parakeet.save(folder / "decoder_joint-model.onnx", RNNTDecoderJoint(parts.decoder, parts.joint))
    finally:
        torch.set_grad_enabled(before)
    onnx.save(tiny_onnx.encoder(outputs=("outputs", "encoded_lengths")), str(folder / "encoder-model.onnx"))
    lines = "".join(f"t{number} {number}\n" for number in range(VOCABULARY))
    (folder / "vocab.txt").write_text(f"{lines}<blk> {VOCABULARY}\n")
    return SimpleNamespace(folder=folder, parts=parts, encoded=encoded.numpy(), lengths=lengths.numpy())


@pytest.fixture(scope="module")
def networks(made: SimpleNamespace) -> Dissected:
    found = decoder(Runtime("cpu", 2), (made.folder / "decoder_joint-model.onnx",))
    assert isinstance(found, Dissected)
    return found


def ours(made: SimpleNamespace, networks: Dissected, order: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Labels and frames of the items in this order, in one batch."""
    batch = Batch(networks.project(made.encoded[order]), made.lengths[order])
    found = search(networks, Rules(blank=VOCABULARY, durations=(0, 1, 2, 3, 4)), batch)
    return [(one.labels.tolist(), one.frames.tolist()) for one in found]


@pytest.fixture(scope="module")
def expected(made: SimpleNamespace) -> list[tuple[list[int], list[int]]]:
    """What onnx-asr decodes of each item, one utterance and one step at a time."""
    import onnx_asr  # noqa: PLC0415 where it is

    theirs: Any = onnx_asr.load_model("nemo-conformer-tdt", made.folder, providers=["CPUExecutionProvider"])
    decoded = theirs.asr._decoding(made.encoded.transpose(0, 2, 1), made.lengths)
    return [(list(map(int, labels)), list(map(int, frames))) for labels, frames, _ in decoded]


@pytest.mark.parametrize("items", [1, 2, 5, 16, 17])
def test_label_for_label_and_frame_for_frame_what_onnx_asr_decodes(made, networks, expected, items) -> None:
    order = np.random.default_rng(items).permutation(ITEMS)[:items]
    assert ours(made, networks, order) == [expected[item] for item in order]


def test_label_for_label_and_frame_for_frame_what_nemo_decodes(made, networks, expected) -> None:
    import torch  # noqa: PLC0415
    from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import (  # noqa: PLC0415
        GreedyBatchedTDTInfer,
    )

    theirs = GreedyBatchedTDTInfer(
        made.parts.decoder,
        made.parts.joint,
        blank_index=VOCABULARY,
        durations=[0, 1, 2, 3, 4],
        max_symbols_per_step=10,
        use_cuda_graph_decoder=False,
    )
    with torch.no_grad():
        (found,) = theirs(encoder_output=torch.from_numpy(made.encoded), encoded_lengths=torch.from_numpy(made.lengths))
    said = [(one.y_sequence.tolist(), [int(frame) for frame in one.timestamp]) for one in found]
    assert said == ours(made, networks, np.arange(ITEMS))
    labels = sum(len(labels) for labels, _ in said)
    assert labels > RATE / 2 * float(made.lengths.sum()) * 0.08, "random weights that say next to nothing prove nothing"
