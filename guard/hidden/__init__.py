"""The served model's own hidden states as a further prompt detector, one small network a policy.

    policy ─▶ prompts by rule ─┐                                         prompt
    invented people, names ────┴▶ hidden states ─▶ network, threshold ─▶ heads/  ─▶ signal `hidden`
      put in the place of the policy's, general questions

GUARD's prompt classification (arXiv 2505.13312) as an option beside the detectors that ship. It
needs the served model's weights at hand, and a pass of them for every prompt.
"""
