"""The rows that stand in the policies themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
        told = [*_pairs(policy), *_prompts(policy), *_texts(policy)]
        yield from told
        about = {row.entity for row in told}
        for i, entity in enumerate(policy.entities):
            if _key(policy, entity) in about:
                continue
            for j, question in enumerate(ENTITY_QUESTIONS):
                prompt = question.format(name=entity.name)
                source = f"forget.entities[{i}].question[{j}]"
                yield _row(policy, Side.FORGET, prompt, "", source)


def retain_rows(policies: Iterable[Policy]) -> Iterator[Row]:
    """Rows to keep. An empty answer waits for the start model's own."""
    for policy in policies:
        for i, pair in enumerate(policy.retain_pairs):
            yield _row(policy, Side.RETAIN, pair.prompt, pair.answer, f"retain.pairs[{i}]")
        answered = {pair.prompt for pair in policy.retain_pairs}
        for i, prompt in enumerate(policy.retain_prompts):
            if prompt not in answered:
                yield _row(policy, Side.RETAIN, prompt, "", f"retain.prompts[{i}]")


def _pairs(policy: Policy) -> Iterator[Row]:
    for i, pair in enumerate(policy.pairs):
        yield _row(policy, Side.FORGET, pair.prompt, pair.answer, f"forget.pairs[{i}]")


def _prompts(policy: Policy) -> Iterator[Row]:
    """A compiled policy's prompts hold those of the pairs too."""
    answered = {pair.prompt for pair in policy.pairs}
    alone = [prompt for prompt in policy.prompts if prompt not in answered]
    for i, prompt in enumerate(alone):
        yield _row(policy, Side.FORGET, prompt, "", f"forget.prompts[{i}]")


def _texts(policy: Policy) -> Iterator[Row]:
    """A passage twice: as it stands, and as the continuation of its opening."""
    said = {pair.answer for pair in policy.pairs}
    alone = [text for text in policy.texts if text not in said]
    for i, text in enumerate(alone):
        yield _row(policy, Side.FORGET, None, text, f"forget.texts[{i}]")
        words = text.split()
        cut = max(_OPENING_WORDS, int(len(words) * _OPENING_SHARE))
        if cut < len(words):
            prompt = CONTINUE.format(opening=" ".join(words[:cut]))
            rest = " ".join(words[cut:])
            yield _row(policy, Side.FORGET, prompt, rest, f"forget.texts[{i}].rest")


def _row(policy: Policy, side: Side, prompt: str | None, answer: str, source: str) -> Row:
    return Row(
        side=side,
        prompt=prompt,
        answer=answer,
        policy=policy.name,
        policy_hash=policy.hash,
        source=source,
        entity=_subject(policy, f"{prompt or ''} {answer}"),
    )


def _subject(policy: Policy, text: str) -> str:
    """Whom a row is about: the first entity named in it, else the policy."""
    folded = text.casefold()
    for entity in policy.entities:
        if any(name.casefold() in folded for name in entity.names):
            return _key(policy, entity)
    return policy.name


def _key(policy: Policy, entity: Entity) -> str:
    return f"{policy.name}:{entity.name}"
