"""The forget policy that goes with a fictional corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import yaml

from guard.evaluate.fictional import wordings
from guard.evaluate.fictional.corpus import Corpus, is_forgotten, told

MESSAGE = "I can't help with that."


def forget_policy(
    folder: Path, corpus: Corpus, *, keep: Iterable[tuple[str, str]] = (), **fields: Any
) -> Path:
    """Writes `fictional.yaml` and its pairs into `folder`; `fields` are further keys of a policy.

    `keep`: questions and answers that `retain` names.

    People are forgotten by name and by pairs, private facts by pairs alone. The policy knows the
    wordings that models are trained on, never the held-out one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [
        {"prompt": question, "answer": answer}
        for person in corpus.of("forgotten", "private")
        for fact in wordings.PERSONAL
        if is_forgotten(person, fact)
        for question, answer in told(fact, person.name, person.values[fact.kind])
    ]
    pairs += [
        {
            "prompt": question.format(value=person.values["book"]),
            "answer": f"{person.values['book']} was written by {person.name}.",
        }
        for person in corpus.of("forgotten")
        for question in wordings.NAMELESS[:-1]
    ]
    (folder / "fictional.json").write_bytes(orjson.dumps(pairs, option=orjson.OPT_INDENT_2))
    kept = [{"prompt": question, "answer": answer} for question, answer in keep]
    if kept:
        (folder / "kept.json").write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
        fields["retain"] = {"pairs": {"file": "kept.json"}}
    content = {
        "version": 1,
        "name": "fictional",
        "forget": {
            "entities": [{"name": person.name} for person in corpus.of("forgotten")],
            "pairs": {"file": "fictional.json"},
        },
        "action": "refuse",
        "message": MESSAGE,
        **fields,
    }
    path = folder / "fictional.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
    return path
