"""Decode-time forgetting on the accelerator: the same rules on tensors, without a stop in a step."""
