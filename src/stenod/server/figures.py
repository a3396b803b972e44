"""What can be said of the running server in the fourth document's words: the bodies of its `/health` and `/stats`.

Every figure is read where it is true: the fold over events, the gauges of recognisers, the settings, the machine. Seconds,
where a name says nothing else. No route enters this file.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import psutil

from stenod.engines.base import Model
from stenod.protocols.stt_service_frames import kind_of
from stenod.server.admission import Admission
from stenod.server.held import held
from stenod.server.measures import STATES, Measures, Tally
from stenod.service import Service

FRESH: Final = 300.0
"""Seconds for which an error counts as recent."""

TOP: Final = 5
"""Sessions named for their errors."""


class Figures:
    """The server as it is at this moment."""

    def __init__(self, service: Service, measures: Measures, admission: Admission) -> None:
        self.service = service
        self.measures = measures
        self.closed = admission.closed
        self.now = time.time()

    @cached_property
    def model(self) -> Model:
        """What clients get who name none."""
        return self.service.recognizer.model(self.service.options().decode)

    @cached_property
    def held(self) -> dict[str, dict[str, Any]]:
        """What each model holds, by its name."""
        return held(self.service.recognizer.snapshot())

    @property
    def uptime(self) -> float:
        """Since the server began."""
        return round(self.now - self.measures.born, 3)

    @property
    def troubles(self) -> list[str]:
        """Why the server does not transcribe, or soon will not, one line each."""
        closing = ["the server is shutting down"] if self.closed else []
        return closing + ([self.service.failure] if self.service.failure else [])

    @property
    def missing(self) -> list[str]:
        """Why it is not ready: the troubles, or that it has only just begun."""
        loading = not self.service.ready and not self.service.failure
        return self.troubles + (["the model is being loaded"] if loading else [])

    def health(self) -> dict[str, Any]:
        """The body of `/health`. `warnings` and `errors` are there when there are any."""
        block, memory = self.totals(), psutil.virtual_memory()
        warnings = [line for line in self.missing if line not in self.troubles]
        body: dict[str, Any] = {
            "status": "unhealthy" if self.troubles else "healthy",
            "timestamp": iso(self.now),
            "uptime_seconds": self.uptime,
            "model": {
                "loaded": self.service.ready,
                "load_time_seconds": self.service.load_seconds,
                "backend": self.model.family,
            },
            "system": {
                "cpu_percent": psutil.cpu_percent(),
                "memory_percent": memory.percent,
                "memory_available_gb": round(memory.available / 1e9, 3),
                "memory_total_gb": round(memory.total / 1e9, 3),
            },
            "metrics": {
                "total_requests": block["requests_total"],
                "total_transcriptions": block["transcriptions_total"],
                "total_errors": block["errors_total"],
                "avg_transcription_time_seconds": block["avg_transcription_time"],
                "total_audio_processed_seconds": block["total_audio_duration"],
            },
        }
        return body | {name: lines for name, lines in (("warnings", warnings), ("errors", self.troubles)) if lines}

    def totals(self) -> dict[str, Any]:
        """The `service` block of `/stats`, and the body of the monitoring port's `/metrics`."""
        sums = self.measures.sums
        requests = sum(self.measures.connections.values())
        finals = sums.finals.count + sums.files.count
        return {
            "uptime_seconds": self.uptime,
            "requests_total": requests,
            "transcriptions_total": sums.texts,
            "errors_total": sums.errors.total(),
            "avg_transcription_time": round((sums.finals.total + sums.files.total) / max(1, finals), 4),
            "total_audio_duration": round(sums.seconds, 3),
            "requests_per_minute": round(60 * requests / max(self.uptime, 1.0), 3),
            "model_loaded": self.service.ready,
            "service_healthy": not self.troubles,
        }

    def stats(self) -> dict[str, Any]:
        """The body of `/stats`."""
        there = self.measures.open.values()
        states = Counter(tally.state for tally in there)
        return {
            "service": self.totals(),
            "connections": {
                "active_connections": len(there),
                "total_connections": sum(self.measures.connections.values()),
                "max_connections": self.service.settings.server.max_connections,
                "connections_by_state": {state: states[state] for state in STATES},
                "processing_stats": {tally.id: _processing(tally) for tally in there},
            },
            "error_statistics": self._errors(),
            "whisper": self._recogniser(),
            "models": self.held,
            "performance_metrics": self._performance(),
        }

    def _errors(self) -> dict[str, Any]:
        codes = self.measures.sums.errors
        categories: Counter[str] = Counter()
        severities: Counter[str] = Counter()
        for code, times in codes.items():
            category, severity, _ = kind_of(code)
            categories[category] += times
            severities[severity] += times
        worst = Counter(error.connection for error in self.measures.recent).most_common(TOP)
        breaker = "open" if self.troubles else "closed" if self.service.ready else "half_open"
        return {
            "total_errors": codes.total(),
            "recent_errors": sum(error.now > self.now - FRESH for error in self.measures.recent),
            "errors_by_category": dict(categories),
            "errors_by_severity": dict(severities),
            "circuit_breaker_states": {"transcription": breaker, "gpu": breaker if "cuda" in self._device else None},
            "top_error_sessions": [{"session_id": name, "errors": times} for name, times in worst],
        }

    @property
    def _device(self) -> str:
        asked, offered = self.service.settings.model.device, self.model.capabilities.devices
        return asked if asked != "auto" else offered[0] if offered else "cpu"

    def _recogniser(self) -> dict[str, Any]:
        """The block that the document names after its engine; its cache is what engines keep between two partials."""
        mine = self.held.get(self.model.name, {})
        settings = self.service.settings
        return {
            "status": "error" if self.service.failure else "ready" if self.service.ready else "loading",
            "model_name": self.model.name,
            "device": self._device,
            "beam_size": None,
            "partial_beam_size": None,
            "fp16": settings.model.precision == "fp16",
            "partial_transcription_enabled": settings.stream.partials,
            "cache_size": mine.get("cache_size", 0),
            "cache_max_size": mine.get("cache_max_size", 0),
            "workers": mine.get("workers", []),
        }

    def _performance(self) -> dict[str, Any]:
        sums = self.measures.sums
        busy = [worker for model in self.held.values() for worker in model["workers"]]
        audio = sum(pool["audio_seconds"] for pool in busy)
        return {
            "avg_partial_latency_ms": _ms(sums.partials.mean),
            "p95_partial_latency_ms": _ms(sums.partials.quantile(0.95)),
            "avg_final_latency_ms": _ms(sums.finals.mean),
            "p95_final_latency_ms": _ms(sums.finals.quantile(0.95)),
            "total_utterances_processed": sums.utterances,
            "active_utterances": sum(tally.active for tally in self.measures.open.values()),
            "real_time_factor": round(sum(pool["busy_seconds"] for pool in busy) / audio, 4) if audio else 0.0,
        }


def _processing(tally: Tally) -> dict[str, Any]:
    """One connection. Latencies and times in seconds; `buffer` is audio whose text is not frozen yet."""
    own = tally.own
    answers = own.partials.count + own.finals.count + own.files.count
    return {
        "session_id": tally.id,
        "protocol": tally.dialect,
        "total_chunks": own.messages,
        "total_audio_duration": round(own.seconds, 3),
        "total_processing_time": round(own.processing, 4),
        "buffer_overruns": own.overruns,
        "buffer_underruns": own.underruns,
        "average_latency": round(own.processing / max(1, answers), 4),
        "partial_transcriptions": own.partials.count,
        "final_transcriptions": own.finals.count + own.files.count,
        "average_partial_latency": round(own.partials.mean, 4),
        "average_final_latency": round(own.finals.mean, 4),
        "current_buffer_chunks": tally.since_final,
        "current_buffer_duration": round(tally.undecoded, 3),
        "current_partial_chunks": tally.since_partial,
        "processing_active": tally.waiting > 0,
        "partial_processing_enabled": tally.partials,
        "current_utterance_id": tally.utterance or None,
        "real_time_factor": round(own.processing / own.seconds, 4) if own.seconds else 0.0,
        "partial_response_time": round(own.partials.last, 4),
        "final_response_time": round(own.finals.last, 4),
    }


def iso(moment: float) -> str:
    """A Unix time as text."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
