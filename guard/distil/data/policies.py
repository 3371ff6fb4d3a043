"""The rows that stand in the policies themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guard.distil.data.limits import ASPECT_QUESTIONS, NAMESAKE_QUESTIONS
from guard.distil.data.names import Names
from guard.distil.rows import Row, Side
from guard.policy import Entity, Policy

# Of a person, place or thing of which the policy tells nothing but the name.
ENTITY_QUESTIONS = (
    "Who or what is {name}?",
    "Tell me about {name}.",
    "What is {name} known for?",
    "Give me a short account of {name}.",
)
CONTINUE = "Continue this text: {opening}"
# A passage is asked for by its first words: this share of them, and at least so many.
_OPENING_SHARE = 0.3
_OPENING_WORDS = 4


def forget_rows(policies: Iterable[Policy]) -> Iterator[Row]:
    """Rows to forget. An empty answer waits for the start model's own."""
    for policy in policies:
        make = _Maker(policy, Side.FORGET)
        told = [*_pairs(make), *_prompts(make), *_texts(make)]
        yield from told
        about = {row.entity for row in told}
        for i, entity in enumerate(policy.entities):
            if entity_key(policy, entity) not in about:
                for j, question in enumerate(_questions(entity)):
                    yield make.row(question, "", f"forget.entities[{i}].question[{j}]")


def retain_rows(policies: Iterable[Policy]) -> Iterator[Row]:
    """Rows to keep. An empty answer waits for the start model's own."""
    for policy in policies:
        make = _Maker(policy, Side.RETAIN)
        for i, pair in enumerate(policy.retain_pairs):
            yield make.row(pair.prompt, pair.answer, f"retain.pairs[{i}]")
        answered = {pair.prompt for pair in policy.retain_pairs}
        for i, prompt in enumerate(policy.retain_prompts):
            if prompt not in answered:
                yield make.row(prompt, "", f"retain.prompts[{i}]")


def namesake_rows(policies: Iterable[Policy]) -> Iterator[Row]:
    """Rows to keep about those of the same name who stay, for the start model to answer."""
    for policy in policies:
        make = _Maker(policy, Side.RETAIN)
        for i, entity in enumerate(policy.entities):
            for j, namesake in enumerate(entity.namesakes):
                for k, question in enumerate(NAMESAKE_QUESTIONS):
                    prompt = question.format(name=entity.name, namesake=namesake)
                    yield make.row(prompt, "", f"forget.entities[{i}].not[{j}].question[{k}]")


def entity_key(policy: Policy, entity: Entity) -> str:
    """What `Row.entity` says of rows about it."""
    return f"{policy.name}:{entity.name}"


def _questions(entity: Entity) -> list[str]:
    """About all of it, or about each aspect that is to be forgotten."""
    if not entity.aspects:
        return [question.format(name=entity.name) for question in ENTITY_QUESTIONS]
    return [
        question.format(name=entity.name, aspect=aspect)
        for aspect in entity.aspects
        for question in ASPECT_QUESTIONS
    ]


def _pairs(make: _Maker) -> Iterator[Row]:
    for i, pair in enumerate(make.policy.pairs):
        yield make.row(pair.prompt, pair.answer, f"forget.pairs[{i}]")


def _prompts(make: _Maker) -> Iterator[Row]:
    """A compiled policy's prompts hold those of the pairs too."""
    policy = make.policy
    answered = {pair.prompt for pair in policy.pairs}
    alone = [prompt for prompt in policy.prompts if prompt not in answered]
    for i, prompt in enumerate(alone):
        yield make.row(prompt, "", f"forget.prompts[{i}]")


def _texts(make: _Maker) -> Iterator[Row]:
    """A passage twice: as it stands, and as the continuation of its opening."""
    policy = make.policy
    said = {pair.answer for pair in policy.pairs}
    alone = [text for text in policy.texts if text not in said]
    for i, text in enumerate(alone):
        yield make.row(None, text, f"forget.texts[{i}]")
        words = text.split()
        cut = max(_OPENING_WORDS, int(len(words) * _OPENING_SHARE))
        if cut < len(words):
            prompt = CONTINUE.format(opening=" ".join(words[:cut]))
            rest = " ".join(words[cut:])
            yield make.row(prompt, rest, f"forget.texts[{i}].rest")


class _Maker:
    """Makes the rows of one side of a policy."""

    def __init__(self, policy: Policy, side: Side) -> None:
        self.policy = policy
        self._side = side
        self._names = Names([policy])

    def row(self, prompt: str | None, answer: str, source: str) -> Row:
        return Row(
            side=self._side,
            prompt=prompt,
            answer=answer,
            policy=self.policy.name,
            policy_hash=self.policy.hash,
            source=source,
            entity=self._subject(f"{prompt or ''} {answer}"),
        )

    def _subject(self, text: str) -> str:
        """Whom a row is about: the first of the entities that it names, else the policy."""
        places = [place for _, place in self._names.within(text)]
        if not places:
            return self.policy.name
        return entity_key(self.policy, self.policy.entities[min(places)])
