"""What each model holds on this machine: its workers, their memory as the system counts it, and what the pools count.

Read at the moment of asking; nothing is estimated. Bytes are shown in megabytes of a million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psutil


def held(snapshot: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Each model that was asked for, from the recogniser's `snapshot`; one that was unloaded holds nothing."""
    return {name: _model(pools) for name, pools in snapshot.items()}


def _model(pools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    workers = [dict(pool) | {"memory_mb": _memory(pool["pid"])} for pool in pools]
    given = sum(pool["audio_seconds"] + pool["padding_seconds"] for pool in pools)
    batches = sum(pool["batches"] for pool in pools)
    return {
        "loaded": any(pool["loaded"] for pool in pools),
        "memory_mb": round(sum(worker["memory_mb"] for worker in workers), 1),
        "sessions": max((pool["sessions"] for pool in pools), default=0),
        "waiting": sum(sum(pool["waiting"].values()) for pool in pools),
        "batches": batches,
        "requests_per_batch": round(sum(pool["requests"] for pool in pools) / max(1, batches), 2),
        "padding_share": round(sum(pool["padding_seconds"] for pool in pools) / given, 4) if given else 0.0,
        "cache_size": sum(pool["states"] for pool in pools),
        "cache_max_size": sum(pool["max_states"] for pool in pools),
        "workers": workers,
    }


def _memory(pid: int | None) -> float:
    """Resident memory of a process, pages that it shares included; 0 where it is gone."""
    if pid is None:
        return 0.0
    try:
        return round(float(psutil.Process(pid).memory_info().rss) / 1e6, 1)
    except psutil.Error:
        return 0.0
