"""What the rest of guard sees of a policy: immutable, hashed by content, free of YAML.

`load_policy_set` (in `guard.policy.loader`, exported by `guard.policy`) makes these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal

Action = Literal["refuse", "reason", "restrict", "reroute"]
Mode = Literal["enforce", "shadow"]
OnError = Literal["closed", "open"]
Scope = Literal["parametric", "any"]
Expectation = Literal["flagged", "benign", "filtered", "untouched"]

DEFAULT_CONTEXT = (
    "Some of what you may have learned has been withdrawn at the request of those it concerns. "
    "Treat it as unknown to you: state nothing of it, hint at nothing, confirm and deny nothing, "
    "and invent nothing in its place."
)
"""What a model is told that answers a flagged prompt, where the policy says nothing else."""

# Model names come from clients, so the number of distinct questions has no bound of its own.
_IN_FORCE_CACHE = 4096
# Part of every hash: raise it when the meaning of an unchanged policy file changes.
_HASH_FORMAT = "guard-policy-2"


@dataclass(frozen=True, slots=True)
class Entity:
    """A person, place or thing to forget, by name and by other names for the same: only `aspects`
    of it where there are any, and nothing of its `namesakes`, which are described in a few words.
    """

    name: str
    aliases: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()
    namesakes: tuple[str, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether the name alone settles nothing: only some aspects are forgotten, or others have
        the name too."""
        return bool(self.aspects or self.namesakes)

    @property
    def names(self) -> tuple[str, ...]:
        """The name first, then every alias that differs from it."""
        return tuple(dict.fromkeys((self.name, *self.aliases)))


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and the answer to it."""

    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Forgotten prompts as an encoder sees them: rows of half-precision numbers, little end
    first, of `dimension` numbers each."""

    model: str
    dimension: int
    rows: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows) // (2 * self.dimension)


@dataclass(frozen=True, slots=True)
class AppliesTo:
    """Whom a policy binds: shell-style globs (`fnmatch`), case-sensitive."""

    models: tuple[str, ...] = ("*",)
    keys: tuple[str, ...] = ("*",)
    except_keys: tuple[str, ...] = ()

    def binds(self, key: str | None, model: str) -> bool:
        """True when this key and model fall under the policy.

        `None`, a caller without a key, matches only globs that match nothing at all, such as `*`.
        """
        caller = key or ""
        return (
            _matches(model, self.models)
            and _matches(caller, self.keys)
            and not _matches(caller, self.except_keys)
        )


@dataclass(frozen=True, slots=True)
class Match:
    """How exact and how near a match has to be. Units are those of the policy file."""

    words: int = 8
    beta: float = 0.5
    similarity: float = 0.8
    respellings: bool = True


@dataclass(frozen=True, slots=True)
class Restrict:
    """How answers are steered around the texts. Units are those of the policy file."""

    when: Literal["always", "flagged"] = "always"
    delta: float = 0.5
    penalty: float = 4.0
    meaning: float | None = 0.75
    rewinds: int = 3


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How flagged prompts are answered under `action: reason`. Units are those of the policy
    file."""

    context: str = DEFAULT_CONTEXT
    instruct: Literal["model", "template"] = "model"
    profiles: tuple[str, ...] = ()
    answer_tokens: int = 512


@dataclass(frozen=True, slots=True)
class Distil:
    """How the policy is baked into weights. Units are those of the policy file."""

    retain_budget: float = 0.1


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One row of `tests:`. Exactly one of prompt, messages and output is set."""

    expect: Expectation
    prompt: str | None = None
    messages: tuple[tuple[str, str], ...] | None = None  # (role, content)
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One forget policy, ready to be enforced.

    `prompts` holds the pairs' prompts too, and `texts` the pairs' answers; both without
    duplicates, in the order of the file. `hash` follows from the other fields.
    """

    name: str
    source: Path = Path()
    description: str = ""
    owner: str = ""
    reason: str = ""
    review_by: date | None = None
    until: date | None = None
    applies_to: AppliesTo = AppliesTo()
    entities: tuple[Entity, ...] = ()
    pairs: tuple[Pair, ...] = ()
    prompts: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    embeddings: Embeddings | None = None
    retain_prompts: tuple[str, ...] = ()
    retain_pairs: tuple[Pair, ...] = ()
    scope: Scope = "parametric"
    action: Action = "refuse"
    mode: Mode = "enforce"
    on_error: OnError = "closed"
    message: str = "I can't help with that."
    match: Match = Match()
    restrict: Restrict = Restrict()
    reasoning: Reasoning = Reasoning()
    distil: Distil = Distil()
    tests: tuple[PolicyTest, ...] = ()
    hash: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", _policy_hash(self))

    def is_expired(self, today: date) -> bool:
        """True after the last day of `until`: no longer enforced."""
        return self.until is not None and today > self.until

    def is_overdue(self, today: date) -> bool:
        """True after the last day of `review_by`: still enforced, and somebody must look."""
        return self.review_by is not None and today > self.review_by

    @property
    def enforced(self) -> bool:
        """True when the policy acts on traffic; a shadow policy only records what it would do."""
        return self.mode == "enforce"

    @property
    def asks_encoder(self) -> bool:
        """True when prompts are compared with forgotten ones, or with what is said of them in a few
        words."""
        described = self.topics or any(entity.limited for entity in self.entities)
        return bool(self.prompts or self.embeddings or described)

    @property
    def answered(self) -> bool:
        """True when the model answers flagged prompts: those answers are steered and judged."""
        return self.action in ("restrict", "reason")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name and alias of every entity, without duplicates."""
        return tuple(dict.fromkeys(name for entity in self.entities for name in entity.names))


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every policy of a directory, sorted by name; `hash` is over their names and hashes.

    `files` lists what was read: the policy files, then the data files they refer to.
    """

    policies: tuple[Policy, ...] = ()
    files: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    hash: str = field(init=False)
    _by_name: dict[str, Policy] = field(init=False, repr=False, compare=False)
    _in_force: Callable[[str | None, str, date], tuple[Policy, ...]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.policies, key=lambda policy: policy.name))
        by_name = {policy.name: policy for policy in ordered}
        if len(by_name) != len(ordered):
            raise ValueError("two policies of a set have the same name")

        @lru_cache(maxsize=_IN_FORCE_CACHE)
        def in_force(key: str | None, model: str, today: date) -> tuple[Policy, ...]:
            return tuple(
                policy
                for policy in ordered
                if not policy.is_expired(today) and policy.applies_to.binds(key, model)
            )

        object.__setattr__(self, "policies", ordered)
        object.__setattr__(self, "hash", _manifest_hash(ordered))
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_in_force", in_force)

    def in_force(self, key: str | None, model: str, today: date) -> tuple[Policy, ...]:
        """The policies, enforced and shadow, that bind this key and model on this day."""
        return self._in_force(key, model, today)

    def get(self, name: str) -> Policy | None:
        """The policy of that name, or None."""
        return self._by_name.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self.policies)

    def __reduce__(self) -> tuple[type[PolicySet], tuple[tuple[Policy, ...], tuple[Path, ...]]]:
        # The cache cannot be pickled and need not be: the rest follows from these two.
        return (PolicySet, (self.policies, self.files))


def _matches(value: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, glob) for glob in globs)


def _policy_hash(policy: Policy) -> str:
    settings = {
        "format": _HASH_FORMAT,
        "name": policy.name,
        "until": policy.until.isoformat() if policy.until else None,
        "models": policy.applies_to.models,
        "keys": policy.applies_to.keys,
        "except_keys": policy.applies_to.except_keys,
        "scope": policy.scope,
        "action": policy.action,
        "mode": policy.mode,
        "on_error": policy.on_error,
        "message": policy.message,
        "words": policy.match.words,
        # 1 and 1.0 are the same threshold and must not be two hashes.
        "beta": float(policy.match.beta),
        "similarity": float(policy.match.similarity),
        "respellings": policy.match.respellings,
        "when": policy.restrict.when,
        "delta": float(policy.restrict.delta),
        "penalty": float(policy.restrict.penalty),
        "meaning": None if policy.restrict.meaning is None else float(policy.restrict.meaning),
        "rewinds": policy.restrict.rewinds,
    }
    if policy.action == "reason":
        reasoning = policy.reasoning
        settings["instruct"], settings["answer_tokens"] = (
            reasoning.instruct,
            reasoning.answer_tokens,
        )
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    if policy.action == "reason":
        _hash_strings(digest, "context", [policy.reasoning.context])
        _hash_strings(digest, "profiles", policy.reasoning.profiles)
    _hash_strings(digest, "entities", map(_entity_key, policy.entities))
    pairs = (json.dumps((pair.prompt, pair.answer)) for pair in policy.pairs)
    _hash_strings(digest, "pairs", pairs)
    _hash_strings(digest, "prompts", policy.prompts)
    _hash_strings(digest, "texts", policy.texts)
    if policy.topics:
        _hash_strings(digest, "topics", policy.topics)
    if policy.embeddings is not None:
        held = policy.embeddings
        digest.update(f"\nembeddings\n{json.dumps([held.model, held.dimension])}\n".encode())
        digest.update(held.rows)
    return digest.hexdigest()


def _entity_key(entity: Entity) -> str:
    if not entity.limited:
        return json.dumps(entity.names)
    return json.dumps([entity.names, entity.aspects, entity.namesakes])


def _hash_strings(digest: hashlib._Hash, label: str, strings: Iterable[str]) -> None:
    digest.update(f"\n{label}\n".encode())
    for string in strings:
        encoded = string.encode()
        # With its length in front, no string can pass for two, nor two for one.
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)


def _manifest_hash(policies: tuple[Policy, ...]) -> str:
    rows = [(policy.name, policy.hash) for policy in policies]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
