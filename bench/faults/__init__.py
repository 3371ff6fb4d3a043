"""A thousand streams through the guard while everything around it fails, one thing after another.

    python -m bench.faults [--streams 1000] [--out FILE]

`scenes` makes requests whose right answer is known, `model` is the model server that gives it,
`load` the clients that compare, `kinds` what goes wrong, `watch` the measuring of processes.
"""
