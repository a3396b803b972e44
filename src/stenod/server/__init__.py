"""The doors: sockets and HTTP, and nothing about speech. `app` puts everything together."""
