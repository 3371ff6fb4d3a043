"""What the policy format knows and guard does not do yet.

Such a key is refused at load, never ignored: a policy that is not carried out is worse than none.
When a part is built, its entry here is all that has to go.
"""

from __future__ import annotations

from guard.errors import Problem
from guard.policy.source import Source
from guard.policy.yaml_tree import Location

BUILT_ACTIONS = frozenset({"refuse", "restrict"})


def not_built(source: Source) -> list[Problem]:
    """An error for every known key or value that guard does not carry out yet."""
    content = source.content
    unbuilt: list[tuple[Location, object]] = [(("forget", "topics"), content.forget.topics)]
    for i, entity in enumerate(content.forget.entities):
        unbuilt.append((("forget", "entities", i, "aspects"), entity.aspects))
        unbuilt.append((("forget", "entities", i, "not"), entity.not_))
    problems = [
        source.problem(location, "not built yet; leave it out or empty")
        for location, value in unbuilt
        if value
    ]
    if content.action not in BUILT_ACTIONS:
        built = ", ".join(sorted(BUILT_ACTIONS))
        message = f"{content.action} is not built yet; use one of: {built}"
        problems.append(source.problem(("action",), message))
    return problems
