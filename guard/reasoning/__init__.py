"""`action: reason`: a flagged request is put to the model in other words, and its answer checked.

    turns ──▶ guard model ──▶ instruction, screened ──▶ prompt ──▶ model ──▶ output filter ──┐
                 └─ too slow, broken, odd ──▶ template ──┘                                   │
    client ◀── nothing of policy text, instruction or profile in it? ◀── content alone ◀─────┘

In-context unlearning as in DRAGON (arXiv 2511.05784, section 4 and listings 14 to 19): policy text,
question, and a chain of thought by a guard model. Here the user's words are data that cannot leave
their place, what the guard model wrote is screened, and what it wrote never leaves.
"""
