"""The command line: one file a command. Flags become settings here; what a command does is done below."""
