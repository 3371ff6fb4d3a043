"""Rewind, don't chop: an answer goes back to before a match, and the model goes on in another way.

    watch.py    beside the output filter: what was said, and which lanes were cut and may go on
    fields.py   which requests can be continued, and the bodies that ask for it
    plan.py     back to which token, and which token not to take again
    vllm.py     /tokenize, /detokenize, and token ids in and out of /v1/completions
    lane.py     one lane: find the place, one step under the ban, the rest; again if need be
    answer.py   all lanes of an answer, then its usage and end mark
    splice.py   continuations in the shape of the answer that they continue

See docs/decisions/0009-rewind.md.
"""
