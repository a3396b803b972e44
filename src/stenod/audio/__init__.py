"""Audio: formats, resampling, containers, sample buffers. Knows nothing of speech, sessions or sockets."""
