"""The policy file as typed models: every key, its bounds and what it means.

The JSON schema and the check of `docs/policies.md` are taken from here. A value of the wrong type
is refused, never converted: in YAML `no` is a boolean and `1984` a number.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, model_validator
from pydantic_core import PydanticCustomError

from guard.policy.compiled import DEFAULT_CONTEXT, Action, Expectation, Mode, OnError, Scope

# Lists become tuples, so that a validated file cannot change; what they hold stays strict.
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Strict(False)]
Glob = Annotated[str, Field(min_length=1)]
Globs = Annotated[tuple[Glob, ...], Strict(False), Field(min_length=1)]

# Tags of the two forms of a list. They show up in pydantic's error locations, where the brackets
# set them apart from keys.
INLINE_TAG = "<list>"
FILE_TAG = "<file>"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ListFile(_Model):
    """A list of texts kept in a file beside the policy."""

    file: Text = Field(
        description="JSON, JSON Lines, CSV or plain lines; relative to the policy file."
    )
    field: Text | None = Field(
        default=None,
        description="Which field of each row holds the text. Leave it out for plain lines, lists "
        "of strings and CSV with one column.",
    )


def _form(value: object) -> str:
    return FILE_TAG if isinstance(value, dict | ListFile) else INLINE_TAG


TextsOrFile = Annotated[
    Annotated[Texts, Tag(INLINE_TAG)] | Annotated[ListFile, Tag(FILE_TAG)],
    Discriminator(_form),
]


class PairsFile(_Model):
    """Questions with their answers, kept in a file beside the policy."""

    file: Text = Field(description="JSON, JSON Lines or CSV; relative to the policy file.")
    prompt: Text = Field(default="prompt", description="Which field holds the question.")
    answer: Text = Field(default="answer", description="Which field holds the answer.")


class EntityEntry(_Model):
    """A person, place or thing, by its names."""

    name: str = Field(description="The full name. At least two characters.")
    aliases: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=(),
        description="Other names for the same: pen names, married names, other spellings.",
    )
    aspects: Texts = Field(
        default=(),
        description="Forget only these aspects, each in a few words: `home address`. A prompt that "
        "names the entity and asks about something else passes, and the name may come out.",
    )
    not_: Texts = Field(
        default=(),
        alias="not",
        description="Namesakes that stay, each described in a few words: `the footballer`. A "
        "prompt that means one of them passes, and the name may come out.",
    )


class ForgetSection(_Model):
    """What is to be forgotten. At least one of its lists must hold something."""

    entities: Annotated[tuple[EntityEntry, ...], Strict(False)] = Field(
        default=(), description="People, places and things, found by name in prompts and answers."
    )
    pairs: PairsFile | None = Field(
        default=None,
        description="Questions that must be flagged, with answers that must not come out.",
    )
    prompts: TextsOrFile = Field(
        default=(),
        description="Questions that must be flagged, also in other words. A list or a file.",
    )
    embeddings: Text | None = Field(
        default=None,
        description="A file of `guard embed`: questions that must be flagged, without their words.",
    )
    texts: TextsOrFile = Field(
        default=(), description="Passages that must not come out. A list or a file."
    )
    topics: Texts = Field(
        default=(),
        description="Bodies of knowledge, each in a few words: questions about them are flagged.",
    )


class RetainSection(_Model):
    """What must stay known. Only `guard distil` reads it."""

    pairs: PairsFile | None = Field(default=None, description="Questions and answers to keep.")
    prompts: TextsOrFile = Field(
        default=(), description="Questions that must stay answered. A list or a file."
    )


class AppliesToSection(_Model):
    """Whom the policy binds. Shell-style globs; case matters."""

    models: Globs = Field(default=("*",), description="Models it binds, as clients name them.")
    keys: Globs = Field(default=("*",), description="Names of the API keys it binds.")
    except_keys: Annotated[tuple[Glob, ...], Strict(False)] = Field(
        default=(), description="Names of API keys that are exempt, whatever `keys` says."
    )


class MatchSection(_Model):
    """When something counts as a match."""

    words: int = Field(
        default=8,
        ge=2,
        le=64,
        description="A run of this many consecutive words of a forgotten text is a match.",
    )
    beta: float = Field(
        default=0.5,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The share of a run after which a match is acted on.",
    )
    similarity: float = Field(
        default=0.8,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The cosine at which a prompt counts as the same as a forgotten prompt.",
    )
    respellings: bool = Field(
        default=True,
        description="Names also as others spell them: by ear (`Harri` for `Harry`), umlauts as two "
        "letters, Latin letters in Cyrillic and the other way round.",
    )


class RestrictSection(_Model):
    """How answers are steered around forgotten texts while the model writes them."""

    when: Literal["always", "flagged"] = Field(
        default="always",
        description="Whose answers the model server keeps free of the texts while it generates: "
        "those to every request the policy binds, or only to flagged ones. The output filter reads "
        "all of them either way.",
    )
    delta: float = Field(
        default=0.5,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The cosine from which a word counts as near a forgotten text (GUARD's delta).",
    )
    penalty: float = Field(
        default=4.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="What is taken off a near word's logit in answers to flagged prompts; 0 for "
        "nothing.",
    )
    meaning: float | None = Field(
        default=0.75,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The cosine at which a sentence of an answer to a flagged prompt counts as "
        "saying the same as a forgotten text; null for no such check.",
    )
    rewinds: int = Field(
        default=3,
        ge=0,
        le=16,
        description="How often the proxy takes an answer back to before a match and lets the model "
        "go on in another way, before it ends the answer.",
    )


class ReasoningSection(_Model):
    """How flagged prompts are answered under `action: reason`."""

    context: Text = Field(
        default=DEFAULT_CONTEXT,
        description="The policy text that the model answers under. It must not say what was "
        "forgotten more than it has to; no run of it reaches the user.",
    )
    instruct: Literal["model", "template"] = Field(
        default="model",
        description="Who writes the reasoning that the model is to follow: the guard model, with "
        "the template where it fails, or the template always.",
    )
    profiles: TextsOrFile = Field(
        default=(),
        description="Invented profiles, of which one is shown to the model in place of what it "
        "knows (DRAGON's fabricated context). Nothing of them may reach the user. A list or a "
        "file.",
    )
    answer_tokens: int = Field(
        default=512,
        ge=1,
        le=8192,
        description="The most tokens of such an answer; a request may ask for less.",
    )


class DistilSection(_Model):
    """How the policy is baked into weights. Only `guard distil` reads it."""

    retain_budget: float = Field(
        default=0.1,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The loss on retained data may rise by at most this share; where it is below "
        "1 nat a token, by this share of 1 nat.",
    )


class TestMessage(_Model):
    """One message of a conversation."""

    __test__ = False  # pytest would collect a class whose name begins with Test

    role: Literal["system", "developer", "user", "assistant", "tool"] = Field(
        description="Who speaks."
    )
    content: Text = Field(description="What is said.")


class TestEntry(_Model):
    """One row of `tests:`, run by `guard policy test`."""

    __test__ = False

    prompt: Text | None = Field(default=None, description="A prompt to ask the detectors about.")
    messages: Annotated[tuple[TestMessage, ...], Strict(False), Field(min_length=1)] | None = Field(
        default=None, description="A conversation to ask the detectors about."
    )
    output: Text | None = Field(
        default=None, description="An answer of the model to ask the output filter about."
    )
    expect: Expectation = Field(
        description="`flagged` or `benign` for a prompt or messages; `filtered` or `untouched` "
        "for an output."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [key for key in ("prompt", "messages", "output") if getattr(self, key) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "test_subject", "give exactly one of prompt, messages and output"
            )
        allowed = ("filtered", "untouched") if given == ["output"] else ("flagged", "benign")
        if self.expect not in allowed:
            raise PydanticCustomError(
                "test_expect",
                "with {subject}, expect must be {first} or {second}",
                {"subject": given[0], "first": allowed[0], "second": allowed[1]},
            )
        return self


class PolicyFile(_Model):
    """A forget policy, version 1 of the format."""

    version: int = Field(ge=1, le=1, description="The version of this format: 1.")
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="The name of the policy in logs, metrics and verdicts, unique in its "
        "directory: lower-case letters, digits, `.`, `_` and `-`, at most 64. It is not secret, "
        "so don't name a person here who must not be named.",
    )
    description: str = Field(default="", description="What the policy is for, in a line.")
    owner: str = Field(default="", description="Who answers for it.")
    reason: str = Field(default="", description="On what ground: a law, a contract, a request.")
    review_by: date | None = Field(
        default=None, description="The last day before a review is due. Enforcement goes on."
    )
    until: date | None = Field(
        default=None, description="The last day on which the policy is enforced."
    )
    applies_to: AppliesToSection = Field(
        default=AppliesToSection(), description="Whom the policy binds: everybody when left out."
    )
    forget: ForgetSection = Field(description="What is to be forgotten.")
    retain: RetainSection = Field(
        default=RetainSection(), description="What must stay known; for `guard distil`."
    )
    scope: Scope = Field(
        default="parametric",
        description="`parametric`: what the user supplies may be repeated; `any`: nothing may.",
    )
    action: Action = Field(
        default="refuse",
        description="What is done with a flagged prompt: `refuse` answers with `message`; "
        "`restrict` lets the model answer, steered around what it must not say; `reason` has it "
        "answer under a policy text and with reasoning that a guard model wrote; `reroute` lets a "
        "model answer whose weights have forgotten.",
    )
    mode: Mode = Field(
        default="enforce",
        description="`enforce` acts; `shadow` only records what it would have done.",
    )
    on_error: OnError = Field(
        default="closed",
        description="When a detector fails: `closed` lets nothing out, `open` lets it pass.",
    )
    message: Text = Field(
        default="I can't help with that.",
        description="What the user reads instead. It must not say what was forgotten.",
    )
    match: MatchSection = Field(default=MatchSection(), description="When it counts as a match.")
    restrict: RestrictSection = Field(
        default=RestrictSection(),
        description="How answers are steered around what must not come out.",
    )
    reasoning: ReasoningSection = Field(
        default=ReasoningSection(),
        description="What the model is given to answer flagged prompts by (`action: reason`).",
    )
    distil: DistilSection = Field(
        default=DistilSection(), description="Settings of the weights path; for `guard distil`."
    )
    tests: Annotated[tuple[TestEntry, ...], Strict(False)] = Field(
        default=(), description="What the policy must catch and what it must leave alone."
    )
