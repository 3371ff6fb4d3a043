"""Anything a scheduler may do, in any order: the rows are what the host's walk says."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.restrict.test_token_guard import PLAIN, VOCABULARY
from tests.restrict.vllm_plugin.running import LENGTH, asked
from tests.restrict.vllm_plugin.test_v2 import runner

SLOTS = 3
DRAFTS = 2
WORDS = list(range(257, VOCABULARY.tokens))
TOKENS = st.one_of(st.sampled_from(WORDS), st.sampled_from(PLAIN), st.sampled_from([0, -1]))
SETS = st.sampled_from([("all",), ("two",), ("none",), ("all", "two"), ("gone",)])


class Scheduler(RuleBasedStateMachine):
    """Requests come, go, are preempted and come back elsewhere; drafts are taken or rejected."""

    def __init__(self) -> None:
        super().__init__()
        self.made = runner(slots=SLOTS, drafts=DRAFTS)

    @rule(slot=st.integers(0, SLOTS - 1), sets=SETS, lead=st.booleans(), prompt=st.lists(TOKENS))
    def begin(self, slot: int, sets: tuple[str, ...], lead: bool, prompt: list[int]) -> None:
        self.made.admit(slot, asked(*sets, lead=lead), prompt or [1])

    @rule(slot=st.integers(0, SLOTS - 1))
    def begin_without(self, slot: int) -> None:
        self.made.admit(slot, None)

    @precondition(lambda self: self.made.slots)
    @rule(data=st.data(), there=st.integers(0, SLOTS - 1))
    def resume(self, data: st.DataObject, there: int) -> None:
        request = self.made.slots.pop(data.draw(st.sampled_from(sorted(self.made.slots))))
        self.made.admit(there, request.asked, request.prompt, request.output)

    @precondition(lambda self: self.made.slots)
    @rule(data=st.data(), chunked=st.booleans())
    def step(self, data: st.DataObject, chunked: bool) -> None:
        made = self.made
        order = data.draw(st.permutations(sorted(made.slots)))
        chosen = order[: data.draw(st.integers(1, len(order)))]
        batch: list[tuple[int, Sequence[int]]] = [
            (slot, data.draw(st.lists(TOKENS, max_size=DRAFTS)))
            for slot in chosen
            if made.total[slot] < LENGTH - 8
        ]
        if not batch:
            return
        if chunked:
            for one in batch:
                made.check([one])
        made.check(batch)
        for slot, drafts in batch:
            accepted = data.draw(st.integers(-1, len(drafts)))
            if accepted >= 0:  # else part of a prefill: what was sampled is thrown away
                made.commit(slot, [*drafts[:accepted], data.draw(TOKENS)])


Scheduler.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestScheduler = Scheduler.TestCase
