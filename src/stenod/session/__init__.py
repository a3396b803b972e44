"""The streaming session: a pure state machine, and the tasks that drive it."""
