"""The token-and-duration transducer loss (Xu et al. 2023, arXiv 2304.06795), in plain torch, without loops over items.

Alignment restriction (after Mahadeokar et al. 2020, arXiv 2011.03072): since the synthesiser says when each word is,
emitting a token far from its time costs extra, and so does a duration that misses its end. That keeps word times honest
and lets training start from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

DURATIONS: Final = (0, 1, 2, 3, 4)
FAR: Final = -1e4
"""A log-probability that is as good as never, and still finite."""


@dataclass(frozen=True)
class Schedule:
    """When each token should be, in encoder frames: (B, U) each, floats. `slack`: how far off is free, (B, U)."""

    starts: Tensor
    ends: Tensor
    slack: Tensor
    weight: float = 4.0


def tdt_loss(  # noqa: PLR0913, PLR0917 - the usual arguments of a transducer loss, and two
    logits: Tensor,
    targets: Tensor,
    frames: Tensor,
    lengths: Tensor,
    schedule: Schedule | None = None,
    sigma: float = 0.0,
) -> Tensor:
    """Negative log-likelihood of each target, (B,).

    `logits` (B, T, U+1, V+1+5): scores of the V tokens, of blank and of the five durations at each node; `targets`
    (B, U) int64; `frames` (B,) and `lengths` (B,): how many frames and tokens each item has; `sigma`: logit
    under-normalisation, taken off each token's log-probability.

    alpha(t, u) sums over a blank from (t-d, u), d > 0, and token u from (t-d, u-1), d >= 0. All of these are on earlier
    anti-diagonals n = t + u, so that one step computes a whole diagonal of all items.
    """
    batch, time, nodes, _ = logits.shape
    scores, spans = logits.split([logits.shape[-1] - len(DURATIONS), len(DURATIONS)], -1)
    spans = spans.log_softmax(-1)
    index = torch.nn.functional.pad(targets, (0, 1))  # the last node has no token; what is picked there is never used
    index = torch.stack([index, torch.full_like(index, scores.shape[-1] - 1)], -1)  # (B, U+1, 2): token and blank
    picked = scores.gather(-1, index[:, None].expand(batch, time, nodes, 2))
    label, blank = (picked - scores.logsumexp(-1, keepdim=True) - sigma).unbind(-1)
    label = (label[..., None] + spans)[:, :, :-1]  # (B, T, U, D)
    blank = blank[..., None] + spans  # (B, T, U+1, D)
    if schedule is not None:
        label = label - _lateness(schedule, frames, time, label.device)
    blank, label = _Diagonals(blank), _Diagonals(torch.nn.functional.pad(label, (0, 0, 0, 1), value=FAR))
    never = logits.new_full((batch, nodes), FAR)
    first = never.clone()
    first[:, 0] = 0.0
    alphas = [first]
    steps = time + nodes - 1
    node = torch.arange(nodes, device=logits.device)
    for n in range(1, steps):
        ways = []
        for d, span in enumerate(DURATIONS):
            if span and n >= span:
                ways.append(alphas[n - span] + blank[n - span, d])
            if n >= span + 1:
                come = alphas[n - span - 1] + label[n - span - 1, d]
                ways.append(torch.nn.functional.pad(come[:, :-1], (1, 0), value=FAR))
        alpha = torch.logsumexp(torch.stack(ways), 0) if ways else never
        alphas.append(torch.where(((n - node >= 0) & (n - node < time))[None], alpha, never))
    every = torch.stack(alphas, 1)  # (B, N, U+1)
    row = torch.arange(batch, device=logits.device)
    ends = []
    for d, span in enumerate(DURATIONS):
        if span:
            n = (frames - span + lengths).clamp(min=0)
            last = every[row, n, lengths] + blank.stacked[n, d, row, lengths]
            ends.append(torch.where(frames >= span, last, torch.full_like(last, FAR)))
    return -torch.logsumexp(torch.stack(ends), 0)


class _Diagonals:
    """(B, T, U, D) by anti-diagonals: item n, d is (B, U), whose column u is from time n - u."""

    def __init__(self, grid: Tensor) -> None:
        _, time, nodes, width = grid.shape
        steps = time + nodes - 1
        n = torch.arange(steps, device=grid.device)[:, None] - torch.arange(nodes, device=grid.device)[None]
        inside = (n >= 0) & (n < time)
        picked = grid[:, n.clamp(0, time - 1), torch.arange(nodes, device=grid.device)[None]]  # (B, N, U, D)
        picked = picked.masked_fill(~inside[None, :, :, None], FAR)
        self.stacked = picked.permute(1, 3, 0, 2).contiguous()  # (N, D, B, U)
        self._width = width
        self._rows = self.stacked.flatten(0, 1).unbind(0)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return self._rows[key[0] * self._width + key[1]]


def _lateness(schedule: Schedule, frames: Tensor, time: int, device: torch.device) -> Tensor:
    """What emitting each token at each frame for each duration costs, (B, T, U, D)."""
    last = (frames - 1)[:, None].float()
    starts, ends = torch.minimum(schedule.starts, last), torch.minimum(schedule.ends, last)
    t = torch.arange(time, device=device).float()[None, :, None]
    spans = torch.tensor(DURATIONS, device=device).float()
    off = ((t - starts[:, None]).abs() - schedule.slack[:, None]).clamp(min=0)
    reach = torch.minimum(ends[:, None].expand_as(off), t + DURATIONS[-1])
    miss = ((t[..., None] + spans - reach[..., None]).abs() - 0.6).clamp(min=0)
    return schedule.weight * (off[..., None] + miss)
