"""The dialects that clients speak, each one small pure file. See `base` for what may not enter this folder."""
