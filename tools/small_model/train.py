"""Trains the small model: `python tools/small_model/train.py FOLDER [--steps N]`, after `corpus.py` and `features.py`.

The whole recipe, on two CPU cores in under three hours (needs flite, torch and nemo_toolkit[asr]):

    python tools/small_model/corpus.py /tmp/small        # about 10 minutes: speech, with word times
    python tools/small_model/features.py /tmp/small      # about 2 minutes: noise, echo, log-mel
    python tools/small_model/train.py /tmp/small --stop 2500 --out first.pt
    python tools/small_model/train.py /tmp/small --start first.pt --steps 1400 --out second.pt
    python tools/small_model/train.py /tmp/small --start second.pt --steps 4000
    python tools/small_model/evaluate.py /tmp/small      # WER and word times on held-out phrases
    python tools/small_model/export.py /tmp/small tests/models/small
    python tools/small_model/heldout.py tests/models/small/speech

A step is about a third of a second, so that all of it takes about an hour and a quarter. These are the three goes in
which the weights in git were trained.

Loss: the alignment-restricted TDT loss of `tdt.py`, and cross-entropy of a frame classifier on the encoder, which is
thrown away afterwards. What is written is a moving average of the weights. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # large pages for torch on Linux: a third less time

import numpy as np
import sentencepiece
import torch
from model import FRAME, SmallModel, parameters
from tdt import Schedule, tdt_loss
from text import piece_times, train_pieces
from torch import Tensor

STEPS: Final = 9000
PEAK: Final = 2.5e-3
AGAIN: Final = 1.8e-3
"""Learning rates, at most: of a fresh model, and of one that goes on from a checkpoint."""
WARMUP: Final = 250
FRAMES_PER_BATCH: Final = 4800
"""Padded frames of 10 ms that one step hears: 48 s."""

Item = dict[str, Any]


def items(folder: Path, pieces: sentencepiece.SentencePieceProcessor) -> list[Item]:
    """Every take with its features (on disk until used), its tokens and when they are."""
    found: list[Item] = []
    for path in sorted(folder.glob("mel-*.json")):
        index = json.loads(path.read_text(encoding="utf-8"))
        mel = np.load(path.with_suffix(".npy"), mmap_mode="r")
        at = 0
        for frames, text, times in zip(index["frames"], index["texts"], index["times"], strict=True):
            ids, starts, ends, first = piece_times(pieces, text, times)
            found.append(
                {"mel": mel[at : at + frames], "ids": ids, "starts": starts, "ends": ends, "first": first, "text": text}
            )
            at += frames
    return found


def batches(found: list[Item], random: np.random.Generator) -> Iterator[list[Item]]:
    """Takes of about the same length together, in random order, for ever."""
    while True:
        order = sorted(range(len(found)), key=lambda n: len(found[n]["mel"]) * random.uniform(0.9, 1.1))
        groups: list[list[Item]] = [[]]
        longest = 0
        for n in order:
            longest = max(longest, len(found[n]["mel"]))
            if longest * (len(groups[-1]) + 1) > FRAMES_PER_BATCH:
                groups.append([])
                longest = len(found[n]["mel"])
            groups[-1].append(found[n])
        for n in random.permutation(len(groups)):
            yield groups[n]


def collate(group: list[Item], random: np.random.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor, Schedule]:
    """Features (B, 128, T) with their lengths, tokens (B, U) with theirs, and when these are. `random`: masks bands."""
    lengths = torch.tensor([len(item["mel"]) for item in group])
    mel = torch.zeros(len(group), 128, int(lengths.max()))
    counts = torch.tensor([len(item["ids"]) for item in group])
    width = max(1, int(counts.max()))
    ids = torch.zeros(len(group), width, dtype=torch.long)
    starts, ends, slack = (torch.zeros(len(group), width) for _ in range(3))
    for row, item in enumerate(group):
        one = np.array(item["mel"], np.float32).T
        if random is not None:
            for _ in range(2):
                low, wide = random.integers(0, 128), random.integers(0, 21)
                one[low : low + wide] = 0
                start, long = random.integers(0, one.shape[1]), random.integers(0, 9)
                one[:, start : start + long] = 0
        mel[row, :, : one.shape[1]] = torch.from_numpy(one)
        size = len(item["ids"])
        ids[row, :size] = torch.tensor(item["ids"], dtype=torch.long)
        starts[row, :size] = torch.tensor(item["starts"]) / FRAME
        ends[row, :size] = torch.tensor(item["ends"]) / FRAME
        slack[row, :size] = torch.where(torch.tensor(item["first"], dtype=torch.bool), 0.6, 1.2)
    return mel, lengths, ids, counts, Schedule(starts, ends, slack)


def frame_labels(schedule: Schedule, ids: Tensor, counts: Tensor, frames: int, blank: int) -> Tensor:
    """The token that is being said at each encoder frame, or blank, (B, T')."""
    t = torch.arange(frames)[None, :, None]
    there = torch.arange(ids.shape[1])[None, None] < counts[:, None, None]
    inside = (schedule.starts[:, None] <= t) & (t < schedule.ends[:, None]) & there
    which = inside.float().argmax(-1)
    return torch.where(inside.any(-1), ids.gather(1, which), blank)


def rate(step: int, steps: int, again: bool) -> float:
    """The learning rate: up in a line, down in half a cosine; `again`: from a checkpoint, down in a line."""
    if again:
        return AGAIN * min((step + 1) / 50, 1 - step / steps)
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    return PEAK * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / max(1, steps - WARMUP))))


def average(shown: dict[str, Tensor], model: SmallModel, step: int, again: bool) -> None:
    """Move `shown` towards the model's weights and statistics, faster at first."""
    keep = min(0.998 if again else 0.999, (step + 1) / (step + 20))
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            shown[name].lerp_(value, 1 - keep)
        else:
            shown[name].copy_(value)


def main() -> None:
    """Train, and write `model.pt` and `tokenizer.model` into the corpus's folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument(
        "--start", help="a checkpoint in the folder to go on from, with a learning rate that falls to 0"
    )
    parser.add_argument("--stop", type=int, help="leave after so many steps of the schedule")
    parser.add_argument("--threads", type=int, default=2, help="one is faster where the other core is busy")
    parser.add_argument("--out", default="model.pt")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    random = np.random.default_rng(2 if options.start else 1)
    (options.folder / "tokenizer.model").write_bytes(train_pieces())
    pieces = sentencepiece.SentencePieceProcessor(str(options.folder / "tokenizer.model"))
    found = items(options.folder, pieces)
    print(f"{len(found)} takes, {sum(len(item['mel']) for item in found) / 360000:.1f} hours", flush=True)
    model = SmallModel(pieces.get_piece_size()).train()
    if options.start:
        model.load_state_dict(torch.load(options.folder / options.start, weights_only=True))
    print(f"{parameters(model)} parameters", flush=True)
    shown = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=1e-3)
    sums, began = [0.0, 0.0], time.monotonic()
    for step, group in zip(range(options.stop or options.steps), batches(found, random), strict=False):
        for part in optimizer.param_groups:
            part["lr"] = rate(step, options.steps, options.start is not None)
        mel, lengths, ids, counts, schedule = collate(group, random)
        encoded, frames = model.encode(mel, lengths)
        labels = frame_labels(schedule, ids, counts, encoded.shape[1], model.blank)
        labels = labels.masked_fill(torch.arange(encoded.shape[1])[None] >= frames[:, None], -100)
        guide = torch.nn.functional.cross_entropy(model.frames(encoded).transpose(1, 2), labels, ignore_index=-100)
        logits = model.score(encoded, ids, counts)
        loss = tdt_loss(logits, ids, frames, counts, schedule, sigma=0.02).sum() / (counts.sum() + len(group))
        optimizer.zero_grad()
        (loss + 0.5 * guide).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        average(shown, model, step, options.start is not None)
        sums = [sums[0] + loss.item(), sums[1] + guide.item()]
        if step % 50 == 49:
            spent = time.monotonic() - began
            print(f"{step + 1} {spent:.0f} s: tdt {sums[0] / 50:.3f}, frames {sums[1] / 50:.3f}", flush=True)
            sums = [0.0, 0.0]
        if step % options.save_every == options.save_every - 1 or step == (options.stop or options.steps) - 1:
            torch.save(shown, options.folder / (options.out + ".part"))
            (options.folder / (options.out + ".part")).rename(options.folder / options.out)


if __name__ == "__main__":
    main()
