"""Real parts for tests: a scripted model server and the bodies that vLLM sends."""
