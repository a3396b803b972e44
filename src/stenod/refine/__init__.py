"""Pure steps from transcript to transcript, and what can be rendered of one.

No event loop, clock, logger or socket enters this folder.
"""
