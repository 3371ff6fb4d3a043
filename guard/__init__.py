"""An OpenAI-compatible proxy that makes a deployed language model forget."""

__version__ = "0.1.0"
