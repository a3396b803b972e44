"""Voice activity detection: how likely each frame is speech. Knows nothing of sessions or sockets."""
