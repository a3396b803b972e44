"""stenod: a speech-to-text server. Many wire protocols enter, one streaming core serves them, several recognisers answer."""

__version__ = "0.1.0"
