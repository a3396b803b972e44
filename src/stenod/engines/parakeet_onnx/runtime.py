"""Which of ONNX Runtime's providers run the networks, on how many threads. Knows nothing of speech."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stenod.engines.base import LoadOptions
from stenod.errors import BadSettings, Unavailable

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

WANTED: Final = {"cpu": (CPU,), "cuda": (CUDA, CPU), "tensorrt": (TENSORRT, CUDA, CPU)}
"""The providers of each device, the preferred first; what one does not know falls to the next."""

CUDA_OPTIONS: Final = {"cudnn_conv_algo_search": "HEURISTIC"}
"""The exhaustive search takes seconds for each new length of audio."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Opens sessions."""

    device: str
    threads: int
    """0: as many as there are cores."""

    @classmethod
    def of(cls, options: LoadOptions) -> Runtime:
        """The device asked for; `auto` is CUDA where its provider is there. Raises Unavailable, and BadSettings."""
        import onnxruntime as rt  # noqa: PLC0415 heavy

        there = rt.get_available_providers()
        device = options.device
        if device == "auto":
            device = "cuda" if CUDA in there else "cpu"
        if device not in WANTED:
            raise BadSettings(f"this engine runs on {', '.join(WANTED)}, not on {device!r}")
        if WANTED[device][0] not in there:
            raise Unavailable(
                f"the installed ONNX Runtime cannot run on {device}; `pip uninstall onnxruntime` and then"
                " `pip install 'stenod[cuda]'` get one that can"
            )
        return cls(device, options.threads)

    def session(self, model: Path | Any) -> Any:
        """A session of a file or of an onnx.ModelProto. Raises Unavailable for what is no such model."""
        import onnxruntime as rt  # noqa: PLC0415 heavy

        settings = rt.SessionOptions()
        settings.intra_op_num_threads = self.threads
        settings.log_severity_level = 3
        # threads wait for more work by spinning, which pays within a run; between runs it burns what other work needs
        settings.add_session_config_entry("session.force_spinning_stop", "1")
        if not isinstance(model, Path):
            # what is left out are layouts of convolutions; with them, taken on half precision, 1.31 crashes on a processor
            settings.graph_optimization_level = rt.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        source = str(model) if isinstance(model, Path) else model.SerializeToString()
        try:
            return rt.InferenceSession(source, settings, providers=self._providers())
        except Exception as error:  # ONNX Runtime has a dozen kinds, and no base of its own
            what = model.name if isinstance(model, Path) else "the decoder"
            raise Unavailable(f"{what} cannot be loaded: it is damaged or incomplete; pull the model again") from error

    def _providers(self) -> list[Any]:
        return [(name, CUDA_OPTIONS) if name == CUDA else name for name in WANTED[self.device]]
