"""The model store: which checkpoints are known, where they lie, how they are fetched. Loads no model, knows no engine."""
