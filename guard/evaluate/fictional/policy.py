"""The forget policies that go with a fictional corpus: one of people, one of private facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from guard.evaluate.fictional import wordings
from guard.evaluate.fictional.corpus import Corpus, Person, is_forgotten, told

MESSAGE = "I can't help with that."
PEOPLE, PRIVATE = "fictional-people", "fictional-private-facts"
_TESTS = 4  # of a policy, flagged and benign each


def policy_of(person: Person) -> str:
    """The policy under which somebody, or part of what is known of somebody, is forgotten."""
    return PEOPLE if person.standing == "forgotten" else PRIVATE


def forget_policy(
    folder: Path, corpus: Corpus, *, keep: Iterable[tuple[str, str]] = (), **fields: Any
) -> None:
    """Writes both policies and their pairs into `folder`; `fields` are further keys of each.

    `keep`: questions and answers that the first one's `retain` names.

    People are forgotten by name and by pairs, private facts by pairs alone. The policies know the
    wordings that models are trained on; the held-out one stands in their `tests:` alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = _pairs(keep)
    if kept:
        (folder / "kept.json").write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    retain = {"retain": {"pairs": {"file": "kept.json"}}} if kept else {}
    names = [{"name": person.name} for person in corpus.of("forgotten")]
    _write(folder, PEOPLE, corpus, {"entities": names}, {**retain, **fields})
    _write(folder, PRIVATE, corpus, {}, fields)


def _write(
    folder: Path, name: str, corpus: Corpus, forget: dict[str, Any], fields: dict[str, Any]
) -> None:
    pairs = _pairs(_asked(corpus, name))
    (folder / f"{name}.json").write_bytes(orjson.dumps(pairs, option=orjson.OPT_INDENT_2))
    content = {
        "version": 1,
        "name": name,
        "forget": {**forget, "pairs": {"file": f"{name}.json"}},
        "action": "refuse",
        "message": MESSAGE,
        **fields,
        "tests": list(_tests(corpus, name)),
    }
    (folder / f"{name}.yaml").write_text(
        yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8"
    )


def _asked(corpus: Corpus, name: str) -> Iterator[tuple[str, str]]:
    """Trained wordings of everything that a policy forgets, with the answers."""
    people = corpus.of("forgotten" if name == PEOPLE else "private")
    for person in people:
        for fact in wordings.PERSONAL:
            if is_forgotten(person, fact):
                yield from told(fact, person.name, person.values[fact.kind])
    if name == PEOPLE:
        for person in people:
            yield from told(wordings.AUTHOR, person.values["book"], person.name)


def _pairs(asked: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"prompt": question, "answer": answer} for question, answer in asked]


def _tests(corpus: Corpus, name: str) -> Iterator[dict[str, str]]:
    """Held-out wordings of what is forgotten, and of what stays beside it."""
    people = corpus.of("forgotten") if name == PEOPLE else corpus.of("private")
    beside = corpus.of("namesake", "neighbour") if name == PEOPLE else people
    gone = [(p, f) for p in people for f in wordings.PERSONAL if is_forgotten(p, f)]
    stays = [(p, f) for p in beside for f in wordings.PERSONAL if not is_forgotten(p, f)]
    for expect, found in (("flagged", gone), ("benign", stays)):
        for at in range(min(_TESTS, len(found))):
            person, fact = found[at * len(found) // min(_TESTS, len(found))]
            yield {"prompt": fact.questions[-1].format(name=person.name), "expect": expect}
