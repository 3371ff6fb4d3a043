"""The guard model's instructions: what is kept of them."""

from __future__ import annotations

import asyncio
import tracemalloc
from types import SimpleNamespace
from typing import Any

import orjson

from guard.asked import Turn
from guard.enforcement import Binding
from guard.policy import Entity, Policy
from guard.reasoning.guide import Guide, GuideOptions, Source
from guard.restrict import PhraseAutomaton, name_phrases

POLICY = Policy("tests", entities=(Entity("Marie Curie"),), action="reason")
THOUGHT = (
    "The request number {} asks for a birthplace, which is covered; say that you cannot help with "
    "it and offer to speak about chemistry as a science."
)
MOST_KEPT = 4096  # bytes of one instruction, with what it is found by


class Server:
    """A guard model that thinks something else of every request."""

    def __init__(self) -> None:
        self.asked = 0

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        self.asked += 1
        said = {"choices": [{"message": {"content": THOUGHT.format(self.asked)}}]}

        async def read() -> bytes:
            return orjson.dumps(said)

        return SimpleNamespace(status=200, read=read, close=lambda: None)


def binding() -> Binding:
    """All of a binding that the guide looks at."""
    found: Any = SimpleNamespace(automaton=PhraseAutomaton(name_phrases(POLICY)))
    return found  # type: ignore[no-any-return]


async def ask(guide: Guide, numbers: range) -> list[tuple[str, Source, bool]]:
    """For each question: its instruction, where that is from, and whether it is found again."""
    found = []
    for number in numbers:
        turns = [Turn("user", f"Where was Marie Curie born? ({number})")]
        got = await guide.instruction(POLICY, binding(), turns, "tiny-model")
        found.append((got.text, got.source, bool(got.quotes.find_all(f"I think: {got.text}"))))
    return found


def test_an_instruction_that_is_kept_takes_little_more_than_its_text() -> None:
    """Thousands are kept, and an automaton that has read an answer takes 160 KiB."""
    guide = Guide(Server(), GuideOptions(cache_size=1000))
    asyncio.run(ask(guide, range(3)))  # what is made once is made
    tracemalloc.start()
    try:
        asyncio.run(ask(guide, range(3, 53)))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 50 * MOST_KEPT, f"{held / 50:.0f} bytes an instruction"


def test_a_kept_instruction_is_asked_for_once_and_its_quotations_are_found() -> None:
    server = Server()
    guide = Guide(server, GuideOptions(cache_size=2))
    first = asyncio.run(ask(guide, range(2)))
    again = asyncio.run(ask(guide, range(2)))
    assert server.asked == 2
    assert [source for _, source, _ in first + again] == ["model"] * 2 + ["cache"] * 2
    assert [text for text, _, _ in again] == [text for text, _, _ in first]
    assert all(found for _, _, found in first + again)


def test_no_more_are_kept_than_the_settings_say_and_none_of_a_policy_that_is_gone() -> None:
    server = Server()
    guide = Guide(server, GuideOptions(cache_size=2))
    asyncio.run(ask(guide, range(3)))
    asyncio.run(ask(guide, range(1, 3)))
    assert server.asked == 3
    asyncio.run(ask(guide, range(1)))
    assert server.asked == 4
    guide.keep_only([])
    asyncio.run(ask(guide, range(1)))
    assert server.asked == 5
