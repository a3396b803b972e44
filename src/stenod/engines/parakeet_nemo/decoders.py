"""From the encoder's frames to tokens: the NeMo toolkit's batched greedy searches, without the detours of `transcribe`.

Label looping over the whole batch (Bataev et al., arXiv 2406.06220) for TDT (Xu et al., arXiv 2304.06795) and RNN-T; arg
max for CTC. Confidences are the toolkit's: an entropy, blanks left out (Laptev and Ginsburg, arXiv 2212.08703).
Hotwords are its phrase boosting, a tree for each request (arXiv 2508.07014). Imported in the worker only.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final, Protocol

import torch
from nemo.collections.asr.parts.context_biasing import BoostingTreeModelConfig, GPUBoostingTreeModel
from nemo.collections.asr.parts.submodules.ctc_greedy_decoding import GreedyBatchedCTCInfer
from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import GreedyBatchedRNNTInfer, GreedyBatchedTDTInfer
from nemo.collections.asr.parts.utils.asr_confidence_utils import ConfidenceMethodConfig
from nemo.collections.asr.parts.utils.rnnt_utils import batched_hyps_to_hypotheses
from omegaconf import OmegaConf
from torch.nn.utils.rnn import pad_sequence

from stenod.decoding.confidence import METHOD, Method
from stenod.decoding.spelling import SPACE, Lexicon
from stenod.decoding.words import Token
from stenod.errors import Unavailable

LISTS: Final = 32
"""Lists of hotwords kept ready for the next request that has them."""

NOT_BOOSTED: Final = -1
"""The toolkit's number for a row without a tree."""


class Decoder(Protocol):
    """Turns encoded audio into tokens whose times are counted in frames."""

    vocabulary: list[str]
    """Each label's text, a leading space as `▁`."""

    def decode(
        self, encoded: torch.Tensor, lengths: torch.Tensor, hotwords: Sequence[tuple[str, ...]]
    ) -> list[list[Token]]:
        """`encoded` (batch, features, frames), float32; `lengths` (batch,) in frames; one list of hotwords for each row."""
        ...


class Transducer:
    """TDT and RNN-T. `net` is an EncDecRNNTModel of the toolkit; `boost` what a token of a hotword is worth, in nats."""

    def __init__(self, net: Any, boost: float) -> None:
        told = net.decoding
        self._boost = boost
        self._durations = list(told.durations or ())
        self._tdt = bool(self._durations)
        if told.big_blank_durations or not net.decoder.blank_as_pad:
            raise Unavailable(
                "this transducer (several blanks, or none in its prediction network) cannot be decoded in batches"
            )
        self._common: dict[str, Any] = {
            "decoder_model": net.decoder,
            "joint_model": net.joint,
            "blank_index": told.blank_id,
            "max_symbols_per_step": told.cfg.greedy.get("max_symbols", None) or 10,
            "preserve_frame_confidence": True,
            "exclude_blank_from_confidence": True,
            "confidence_method_cfg": _confidence(),
        }
        if self._tdt:
            self._common |= {"durations": self._durations}
        self._net = net
        self._plain = self._search()
        self._boosted: Any = None
        self._numbers: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._tokenizer = getattr(net, "tokenizer", None)
        self.vocabulary = vocabulary(told, self._tokenizer)
        self._lexicon = Lexicon(self.vocabulary)

    def decode(
        self, encoded: torch.Tensor, lengths: torch.Tensor, hotwords: Sequence[tuple[str, ...]]
    ) -> list[list[Token]]:
        """See Decoder. Rows without hotwords come out the same whether or not others have some."""
        frames = encoded.transpose(1, 2)
        numbers = [self._number(phrases) if phrases else NOT_BOOSTED for phrases in hotwords]
        if set(numbers) <= {NOT_BOOSTED}:
            found, _ = self._plain(frames, lengths)
        else:
            found, _ = self._boosted(frames, lengths, multi_biasing_ids=torch.tensor(numbers, device=frames.device))
        hypotheses = batched_hyps_to_hypotheses(found, len(lengths))
        if not self._tdt:
            return [_tokens(one, torch.zeros_like(one.timestamp)) for one in hypotheses]
        spans = self._spans(frames, hypotheses)
        return [_tokens(one, row) for one, row in zip(hypotheses, spans, strict=True)]

    def _spans(self, frames: torch.Tensor, hypotheses: Sequence[Any]) -> torch.Tensor:
        """How many frames each label lasts, (batch, labels), padded.

        Asked of the networks once more, for all labels at once: in the toolkit's search (3.0.0) the durations of a row that
        has found its label are written over while other rows of the batch still look for theirs.
        """
        labels = pad_sequence([one.y_sequence for one in hypotheses], batch_first=True).to(frames.device)
        at = pad_sequence([one.timestamp for one in hypotheses], batch_first=True).to(frames.device)
        counts = torch.tensor([len(one.y_sequence) for one in hypotheses], device=frames.device)
        if not labels.numel():
            return labels
        joint = self._net.joint
        predicted, *_ = self._net.decoder(targets=labels, target_length=counts)
        before = joint.project_prednet(predicted.transpose(1, 2)[:, :-1])  # each label's own comes after it
        heard = joint.project_encoder(frames).take_along_dim(at.unsqueeze(2), dim=1)
        scores = joint.joint_after_projection(heard.flatten(0, 1).unsqueeze(1), before.flatten(0, 1).unsqueeze(1))
        best = scores[:, 0, 0, -len(self._durations) :].argmax(dim=1).reshape(labels.shape)
        spans: torch.Tensor = torch.tensor(self._durations, device=frames.device)[best]
        return spans

    def _search(self, **more: Any) -> Any:
        kind = GreedyBatchedTDTInfer if self._tdt else GreedyBatchedRNNTInfer
        return kind(**self._common, **more).decoding_computer

    def _number(self, phrases: tuple[str, ...]) -> int:
        """The number of the tree for `phrases`, which is built if it is not there."""
        if phrases in self._numbers:
            self._numbers.move_to_end(phrases)
            return self._numbers[phrases]
        spelt = sorted({way.replace(SPACE, " ").strip() for phrase in phrases for way in self._lexicon.spell(phrase)})
        if not spelt or self._tokenizer is None:
            return NOT_BOOSTED
        if self._boosted is None:
            self._boosted = self._search(enable_per_stream_biasing=True)
        trees = self._boosted.biasing_multi_model
        if len(self._numbers) == LISTS:
            trees.remove_model(self._numbers.popitem(last=False)[1])
        tree = GPUBoostingTreeModel.from_config(
            BoostingTreeModelConfig(key_phrases_list=spelt, context_score=self._boost), self._tokenizer
        )
        self._numbers[phrases] = trees.add_model(tree)
        return self._numbers[phrases]


def _tokens(hypothesis: Any, spans: torch.Tensor) -> list[Token]:
    """A transducer's labels with their spans, a frame where they have none; the search keeps no probabilities."""
    starts = hypothesis.timestamp.tolist()
    sure = hypothesis.non_blank_step_confidence_precomputed
    return [
        Token(label, start, start + max(1, span), math.nan, confidence)
        for label, start, span, confidence in zip(
            hypothesis.y_sequence.tolist(), starts, spans.tolist(), sure, strict=False
        )
    ]


class Ctc:
    """`net` has an encoder that the head `head` reads; `told` is the toolkit's decoding of that head."""

    def __init__(self, net: Any, head: Any, told: Any) -> None:
        self._head = head
        self._blank = told.blank_id
        self._search = GreedyBatchedCTCInfer(
            blank_id=told.blank_id, preserve_frame_confidence=True, confidence_method_cfg=_confidence()
        )
        self.vocabulary = vocabulary(told, getattr(net, "tokenizer", None))

    def decode(
        self, encoded: torch.Tensor, lengths: torch.Tensor, hotwords: Sequence[tuple[str, ...]]
    ) -> list[list[Token]]:
        """See Decoder; hotwords are passed over, which the family's capabilities say."""
        del hotwords
        scores = self._head(encoder_output=encoded)[
            :
        ]  # a tensor without the axes' names, which the search would refuse
        (found,) = self._search.forward(decoder_output=scores, decoder_lengths=lengths)
        return [self._tokens(hypothesis) for hypothesis in found]

    def _tokens(self, hypothesis: Any) -> list[Token]:
        """Each run of one label is a token, from its first frame to the last."""
        tokens: list[Token] = []
        at = 0
        for label, run in groupby(hypothesis.y_sequence.tolist()):
            end = at + len(list(run))
            if label != self._blank:
                sure = hypothesis.frame_confidence[at:end]
                tokens.append(Token(label, at, end, math.nan, float(sum(sure) / len(sure))))
            at = end
        return tokens


def _confidence(method: Method = METHOD) -> Any:
    """Every engine's way to measure confidence, in the toolkit's words."""
    name = {"name": "max_prob"} if method.entropy == "max" else {"name": "entropy", "entropy_type": method.entropy}
    return OmegaConf.structured(ConfidenceMethodConfig(**name, alpha=method.alpha, entropy_norm=method.norm))


def vocabulary(told: Any, tokenizer: Any) -> list[str]:
    """The text of each label, by the toolkit's decoding `told`; word pieces and characters as SentencePiece has them."""
    match told.tokenizer_type:
        case "char":
            return [SPACE if text == " " else text for _, text in sorted(told.labels_map.items())]
        case "wpe":
            pieces = tokenizer.ids_to_tokens(list(range(tokenizer.vocab_size)))
            return [piece.removeprefix("##") if piece.startswith("##") else SPACE + piece for piece in pieces]
        case _:
            return list(tokenizer.ids_to_tokens(list(range(tokenizer.vocab_size))))
