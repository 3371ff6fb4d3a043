"""A policy set made ready to enforce: for each caller the policies in force and their automata."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property

from guard.policy import Policy, PolicySet
from guard.restrict import (
    Phrase,
    PhraseAutomaton,
    SoftPenalties,
    forgotten_sentences,
    mention_phrases,
    name_phrases,
    soft_penalties,
    text_phrases,
    value_phrases,
)
from guard.restrict.soft import distinctive_words

NearWords = Callable[[Sequence[str], float], Awaitable[Mapping[str, float]]]
"""Words near some others, from a cosine on, with their largest."""


def utc_today() -> date:
    """The day by which dates of policies are judged, the same on every machine."""
    return datetime.now(UTC).date()


# Callers with the same policies share a binding; these are kept, the rest are built again.
_BINDINGS_KEPT = 64


class PhraseCache:
    """Phrases by policy hash, so that a swap compiles only what changed."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[Phrase, ...]] = {}
        self._texts: dict[str, tuple[Phrase, ...]] = {}
        self._soft: dict[str, SoftPenalties | None] = {}
        self._values: dict[str, PhraseAutomaton] = {}
        self._sentences: dict[str, bool] = {}

    def names(self, policy: Policy) -> tuple[Phrase, ...]:
        """The name phrases of a policy."""
        if policy.hash not in self._names:
            self._names[policy.hash] = tuple(name_phrases(policy))
        return self._names[policy.hash]

    def texts(self, policy: Policy) -> tuple[Phrase, ...]:
        """The text phrases of a policy."""
        if policy.hash not in self._texts:
            self._texts[policy.hash] = tuple(text_phrases(policy))
        return self._texts[policy.hash]

    def soft(self, policy: Policy) -> SoftPenalties | None:
        """The soft penalties of a policy: of its distinctive words alone until `soften`."""
        if policy.hash not in self._soft:
            self._soft[policy.hash] = soft_penalties(policy)
        return self._soft[policy.hash]

    def soften(self, policy: Policy, near: Mapping[str, float]) -> None:
        """Penalise the words near a policy's too."""
        self._soft[policy.hash] = soft_penalties(policy, near)

    def values(self, policy: Policy) -> PhraseAutomaton:
        """What the short answers of a policy say, for answers to flagged prompts."""
        if policy.hash not in self._values:
            self._values[policy.hash] = PhraseAutomaton(value_phrases(policy))
        return self._values[policy.hash]

    def has_sentences(self, policy: Policy) -> bool:
        """Whether a policy has sentences for the encoder to compare with."""
        if policy.hash not in self._sentences:
            self._sentences[policy.hash] = bool(forgotten_sentences(policy))
        return self._sentences[policy.hash]

    def is_judged(self, policy: Policy) -> bool:
        """Whether answers to what fell under a policy leave a sentence at a time."""
        return self.has_sentences(policy) or bool(self.values(policy))

    def keep_only(self, policies: Iterable[Policy]) -> None:
        """Forget the phrases of policies that are gone: nothing withdrawn stays in memory."""
        hashes = {policy.hash for policy in policies}
        self._names = {key: value for key, value in self._names.items() if key in hashes}
        self._texts = {key: value for key, value in self._texts.items() if key in hashes}
        self._soft = {key: value for key, value in self._soft.items() if key in hashes}
        self._values = {key: value for key, value in self._values.items() if key in hashes}
        self._sentences = {key: value for key, value in self._sentences.items() if key in hashes}


@dataclass(frozen=True)
class Binding:
    """The policies in force for one caller and model, ready to use."""

    policies: tuple[Policy, ...]
    cache: PhraseCache = field(repr=False, compare=False)
    numbers: frozenset[int] = frozenset()  # the policies' subject ids for the detectors
    encoded_numbers: frozenset[int] = frozenset()  # of those that ask the encoder

    @cached_property
    def enforced(self) -> tuple[Policy, ...]:
        """The policies that act."""
        return tuple(policy for policy in self.policies if policy.enforced)

    @cached_property
    def shadows(self) -> tuple[Policy, ...]:
        """The policies that only record what they would do."""
        return tuple(policy for policy in self.policies if not policy.enforced)

    @cached_property
    def asks_encoder(self) -> bool:
        """Whether any policy has forgotten prompts to compare with."""
        return any(policy.asks_encoder for policy in self.policies)

    @cached_property
    def rewinds(self) -> dict[str, int]:
        """How often each policy that acts lets an answer be taken back, where it does at all."""
        rewinds = {policy.name: policy.restrict.rewinds for policy in self.enforced}
        return {name: times for name, times in rewinds.items() if times}

    @cached_property
    def automaton(self) -> PhraseAutomaton:
        """What must not come out."""
        return self._automaton(self.enforced)

    @cached_property
    def shadow_automaton(self) -> PhraseAutomaton:
        """What shadow policies would have kept from coming out."""
        return self._automaton(self.shadows)

    @property
    def is_compiled(self) -> bool:
        """Whether the automata are there; building them can take seconds."""
        return "automaton" in self.__dict__ and "shadow_automaton" in self.__dict__

    def compile(self) -> None:
        """Build the automata now, off the event loop."""
        assert self.automaton is not None and self.shadow_automaton is not None

    def _automaton(self, policies: Sequence[Policy]) -> PhraseAutomaton:
        return PhraseAutomaton(
            phrase
            for policy in policies
            for phrase in (*self.cache.names(policy), *self.cache.texts(policy))
        )


class Enforcement:
    """One policy set with its bindings. Built off the event loop, swapped as a whole."""

    def __init__(self, policies: PolicySet, cache: PhraseCache | None = None) -> None:
        self.policies = policies
        self._cache = cache or PhraseCache()
        self._bindings: OrderedDict[tuple[str, ...], Binding] = OrderedDict()
        self._index = {policy.name: number for number, policy in enumerate(policies.policies)}
        # Entities whose name settles nothing are subjects of their own, after the policies.
        self.limited: dict[tuple[str, int], int] = {}
        for policy in policies.policies:
            for place, entity in enumerate(policy.entities):
                if entity.limited:
                    self.limited[policy.name, place] = len(self._index) + len(self.limited)
        self._owned = {name: frozenset({number}) for name, number in self._index.items()}
        for (name, _), number in self.limited.items():
            self._owned[name] |= {number}
        # Names are looked for in prompts once, whoever they bind.
        self._names = PhraseAutomaton(
            phrase for policy in policies.policies for phrase in self._in_prompts(policy)
        )
        self._labels = {
            **self._index,
            **{_label(*key): number for key, number in self.limited.items()},
        }

    @property
    def hash(self) -> str:
        """The manifest's hash: the name of this set in logs, metrics and audit."""
        return self.policies.hash

    def binding(self, key: str | None, model: str, today: date | None = None) -> Binding:
        """The binding of a caller and a model on a day (today by default)."""
        in_force = self.policies.in_force(key, model, today or utc_today())
        names = tuple(policy.name for policy in in_force)
        found = self._bindings.get(names)
        if found is None:
            found = self._bindings[names] = Binding(
                in_force,
                self._cache,
                frozenset().union(*map(self.numbers, in_force)),
                frozenset().union(*(self.numbers(p) for p in in_force if p.asks_encoder)),
            )
            if len(self._bindings) > _BINDINGS_KEPT:
                self._bindings.popitem(last=False)
        else:
            self._bindings.move_to_end(names)
        return found

    def soft_for(self, policy: Policy) -> SoftPenalties | None:
        """The soft penalties for answers to requests that fell under a policy; None without any.

        They grow once, in the background, by the words that are near: then they have another id.
        """
        return self._cache.soft(policy)

    async def soften(self, near_words: NearWords) -> None:
        """Ask for the words near each policy's and penalise them too. Raises what that raises."""
        for policy in self.policies.policies:
            if await asyncio.to_thread(self.soft_for, policy) is not None:
                words = distinctive_words(policy)
                near = await near_words(words, policy.restrict.delta)
                await asyncio.to_thread(self._cache.soften, policy, near)

    def prepare(self, keys: Iterable[str | None]) -> None:
        """Compile the bindings of known keys, and the walk, ahead of the first request. CPU-bound:
        seconds where the compiled walk is not in numba's cache yet."""
        self._names.find_all("ready SGVsbG8sIHdvcmxk")  # in base64 too: all of it gets compiled
        for policy in self.policies.policies:
            self.soft_for(policy)
            self._cache.is_judged(policy)
        for key in keys:
            self.binding(key, "").compile()

    def number(self, policy: Policy) -> int:
        """The policy's place in the set: its own subject id for the detectors."""
        return self._index[policy.name]

    def numbers(self, policy: Policy) -> frozenset[int]:
        """The subject ids of a policy: its own, and those of its limited entities."""
        return self._owned[policy.name]

    def _in_prompts(self, policy: Policy) -> Iterable[Phrase]:
        yield from self._cache.names(policy)
        for place, phrase in mention_phrases(policy):
            yield replace(phrase, policy=_label(policy.name, place))

    def named_in(self, text: str) -> set[int]:
        """The subject ids that a text names."""
        return {
            self._labels[phrase.policy]
            for match in self._names.find_all(text)
            for phrase in match.phrases
        }


def _label(policy: str, place: int) -> str:
    """What a limited entity's phrases say in place of their policy. No policy is called so."""
    return f"{policy}#{place}"
