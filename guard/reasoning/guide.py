"""The guard model: asked in a bounded time for the instruction that a request is answered by."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from guard import metrics
from guard.asked import Turn
from guard.enforcement import Binding
from guard.errors import UpstreamError
from guard.policy import Policy
from guard.reasoning.prompts import INSTRUCTION_CHARACTERS, TEMPLATE, guide_prompt
from guard.reasoning.quoting import flat
from guard.reasoning.secrets import quotes
from guard.restrict import PhraseAutomaton
from guard.upstream import Reply

log = logging.getLogger("guard.reasoning")

Source = Literal["model", "cache", "template", "fallback"]

_PATH = "/v1/chat/completions"
_LEAST_CHARACTERS = 20
# What a guard model writes that was talked round. Our own words come after its, and the output
# filter after both: this is one fence more, and what it refuses by mistake is the template's.
_TALKED_ROUND = re.compile(
    r"\b(?:ignor|disregard|overrid|bypass|circumvent)\w*|n[o']t (?:apply|covered)|no policy\b",
    re.IGNORECASE,
)


class Post(Protocol):
    """A client of the server that has the guard model: an `Upstream`."""

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Reply: ...


@dataclass(frozen=True, slots=True)
class GuideOptions:
    """`model`: None for the one that the client asked for. `timeout`: seconds for one instruction,
    waiting included; `waiting`: calls at once; `cache_size`: instructions kept."""

    model: str | None = None
    timeout: float = 10.0
    max_tokens: int = 200
    waiting: int = 16
    cache_size: int = 1024


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the model is to think, where it came from, and how quotations of it are found."""

    text: str
    source: Source
    quotes: PhraseAutomaton


class Guide:
    """Gives an instruction always: the guard model's, or the template."""

    def __init__(self, server: Post, options: GuideOptions | None = None) -> None:
        self._server = server
        self._options = options or GuideOptions()
        self._free = asyncio.Semaphore(self._options.waiting)
        # Texts alone: what finds quotations takes a hundred times their memory, and a millisecond
        # or two to make again.
        self._kept: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self._template = Instruction(TEMPLATE, "template", quotes([TEMPLATE]))

    async def instruction(
        self, policy: Policy, binding: Binding, turns: Sequence[Turn], model: str
    ) -> Instruction:
        """The instruction for a conversation that fell under a policy; counted by its source."""
        found = await self._found(policy, binding, turns, model)
        metrics.INSTRUCTIONS.labels(policy.name, found.source).inc()
        return found

    def keep_only(self, policies: Collection[Policy]) -> None:
        """Drop the instructions for policies that are gone."""
        hashes = {policy.hash for policy in policies}
        for key in [key for key in self._kept if key[0] not in hashes]:
            del self._kept[key]

    async def _found(
        self, policy: Policy, binding: Binding, turns: Sequence[Turn], model: str
    ) -> Instruction:
        if policy.reasoning.instruct == "template":
            return self._template
        prompt = guide_prompt(policy.reasoning.context, turns)
        model = self._options.model or model
        # The digest stands for the conversation, which must not outlive its request.
        key = policy.hash, hashlib.blake2b(f"{model}\n{prompt}".encode()).digest()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return Instruction(kept, "cache", await asyncio.to_thread(quotes, [kept]))
        try:
            async with asyncio.timeout(self._options.timeout), self._free:
                text = screened(await self._asked(prompt, model), binding, turns)
        except (TimeoutError, UpstreamError) as error:
            log.warning("the guard model gave no instruction: %s", type(error).__name__)
            text = None
        if text is None:
            return Instruction(TEMPLATE, "fallback", self._template.quotes)
        self._keep(key, text)
        return Instruction(text, "model", await asyncio.to_thread(quotes, [text]))

    def _keep(self, key: tuple[str, bytes], instruction: str) -> None:
        self._kept[key] = instruction
        while len(self._kept) > self._options.cache_size:
            self._kept.popitem(last=False)

    async def _asked(self, prompt: str, model: str) -> str:
        """What the guard model says; empty when that is not an answer. Raises UpstreamError."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self._options.max_tokens,
            "temperature": 0,
        }
        reply = await self._server.post(_PATH, orjson.dumps(body), {})
        try:
            answer = await reply.read()
        finally:
            reply.close()
        return _content(answer) if reply.status == 200 else ""


def screened(text: str, binding: Binding, turns: Sequence[Turn]) -> str | None:
    """What a guard model wrote, on one line; None when it must not be followed.

    It read the user's words and may have been talked round by them, or have told what is to be
    forgotten: no name that the conversation does not hold, and no forbidden text at all.
    """
    line = flat(text.rpartition("</think>")[2], INSTRUCTION_CHARACTERS)
    if len(line) < _LEAST_CHARACTERS or "<think>" in text.rpartition("</think>")[2]:
        return None
    bare = line.strip("\"' ")
    echo = any(bare in flat(turn.text, len(turn.text)) for turn in turns)  # small models repeat
    if echo or _TALKED_ROUND.search(line):
        return None
    said = {phrase for match in binding.automaton.find_all(line) for phrase in match.phrases}
    if any(phrase.kind != "name" for phrase in said):
        return None
    if said:
        supplied = {
            phrase
            for turn in turns
            for match in binding.automaton.find_all(turn.text)
            for phrase in match.phrases
        }
        if not said <= supplied:
            return None
    return line


def _content(answer: bytes) -> str:
    try:
        parsed: Any = orjson.loads(answer)
        content = parsed["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""
