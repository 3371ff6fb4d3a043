"""Requests whose right answer is known to the model server and to the clients, by their number."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import orjson

from bench.load import prompts
from bench.upstream import TEXT
from tests.support.answers import chat_chunk, sse
from tests.support.policies import PASSAGE, SECRET

NAME = "Ottoline Varga"
FORGOTTEN = "Who keeps the lighthouse at Ravensmoor harbour?"
PARAPHRASES = (
    "Who looks after the lighthouse in Ravensmoor harbour?",
    "Who is the keeper of the lighthouse at Ravensmoor harbour?",
)
# Somebody else, under a policy with `action: reason`.
REASONED = "Casimir Thornbury"
FORBIDDEN = (NAME, SECRET, PASSAGE, REASONED)

Kind = Literal["benign", "leaking", "named", "paraphrased", "reasoned"]
_SHARES: dict[Kind, float] = {
    "benign": 0.7,
    "leaking": 0.12,
    "named": 0.08,
    "paraphrased": 0.05,
    "reasoned": 0.05,
}
# Where an answer says what it must not: the fields of a delta.
_CHANNELS = ("content", "reasoning", "tool")
_WORDS = TEXT.split()
# In brackets, or in what the reasoning guard makes of them in a user's words.
_NUMBER = re.compile("(?:\\[|［)(\\d+)(?:\\]|］)".encode())
DELTAS = 16
# So many prompts that differ: the encoder, which keeps what it computed, has work and no storm.
_PROMPTS = 500


@dataclass(frozen=True)
class Scene:
    """Request `number`, and what the model says to it."""

    number: int

    @cached_property
    def _chance(self) -> random.Random:
        return random.Random(self.number)

    @cached_property
    def kind(self) -> Kind:
        kinds = list(_SHARES)
        return self._chance.choices(kinds, [_SHARES[kind] for kind in kinds])[0]

    @cached_property
    def channel(self) -> str:
        return (
            random.Random(-self.number).choice(_CHANNELS) if self.kind == "leaking" else "content"
        )

    @property
    def _benign(self) -> str:
        return next(prompts(True, self.number % _PROMPTS))

    def body(self) -> bytes:
        """The request, streamed."""
        said = {
            "benign": self._benign,
            "leaking": self._benign,
            "named": f"Tell me about {NAME}, please.",
            "paraphrased": PARAPHRASES[self.number % len(PARAPHRASES)],
            # With its number: each is a question of its own to the guard model.
            "reasoned": f"Where does {REASONED} live? [{self.number}]",
        }[self.kind]
        messages = [{"role": "user", "content": said}]
        body = {"model": "tiny-model", "messages": messages, "user": f"[{self.number}]"}
        return orjson.dumps({**body, "stream": True})

    @cached_property
    def before(self) -> str:
        """What the model says before what it must not say; all of it in a benign answer."""
        chance = random.Random(self.number + 1)
        return " ".join(chance.choices(_WORDS, k=chance.randint(20, 60))) + ". "

    @cached_property
    def text(self) -> str:
        """All that the model says."""
        if self.kind == "benign" or (self.kind == "reasoned" and self.number % 2):
            return self.before
        forbidden = FORBIDDEN[self.number % len(FORBIDDEN)]
        return f"{self.before}{forbidden} and so on. {self.before}"

    @cached_property
    def events(self) -> list[bytes]:
        """The stream: random cuts, also inside what is forbidden; the same ones every time."""
        chance = random.Random(self.number + 2)
        cuts = sorted({0, len(self.text), *chance.sample(range(1, len(self.text)), DELTAS - 1)})
        pieces = [self.text[a:b] for a, b in pairwise(cuts)]
        deltas = [self._delta(place, piece) for place, piece in enumerate(pieces)]
        chunks = [chat_chunk({"role": "assistant", "content": ""}), *map(chat_chunk, deltas)]
        return sse(*chunks, chat_chunk({}, finish_reason="stop"), done=True)

    def _delta(self, place: int, piece: str) -> dict[str, Any]:
        if self.channel != "tool":
            return {self.channel: piece}
        call: dict[str, Any] = {"index": 0, "function": {"arguments": piece}}
        if place == 0:
            call = {"index": 0, "id": "call_1", "type": "function"}
            call["function"] = {"name": "note", "arguments": piece}
        return {"tool_calls": [call]}


def scene_of(body: bytes) -> Scene:
    """The scene that a request at the model server belongs to."""
    found = _NUMBER.search(body)
    return Scene(int(found[1]) if found else 0)


def said(answer: bytes) -> str:
    """All that a stream says in whole events, channel after channel."""
    texts = dict.fromkeys(_CHANNELS, "")
    for block in answer.split(b"\n\n")[:-1]:
        if not block.startswith(b"data: ") or block == b"data: [DONE]":
            continue
        try:
            choices = orjson.loads(block[6:]).get("choices", ())
        except orjson.JSONDecodeError:
            texts["content"] += block.decode("utf-8", "replace")  # nobody should have sent this on
            continue
        for choice in choices:
            delta = choice["delta"]
            texts["content"] += delta.get("content") or ""
            texts["reasoning"] += delta.get("reasoning") or ""
            for call in delta.get("tool_calls") or ():
                texts["tool"] += call["function"].get("arguments") or ""
    return "".join(texts.values())
