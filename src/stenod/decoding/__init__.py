"""What recognisers compute around their networks: features, search, confidence, word times. NumPy and nothing heavier."""
