"""Decode-time forgetting on the accelerator: the rules of the host, without a stop in a step."""
