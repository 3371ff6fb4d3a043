"""The demo: a real small model behind vLLM, and a scripted talk with it, direct and guarded."""
