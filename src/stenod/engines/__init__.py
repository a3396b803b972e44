"""Recognisers, and how the work reaches them: registry, worker processes, pools, lanes.

`base` says what an engine is; each engine is one file and comes in by the entry-point group `stenod.engines`. Strangers to
the session and the protocols; what both sides speak is `stenod.jobs`.
"""
