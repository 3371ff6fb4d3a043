"""A directory of policy files to a `PolicySet`, or every problem of every file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guard.errors import PolicyError, Problem
from guard.policy.compiled import (
    AppliesTo,
    Distil,
    Embeddings,
    Entity,
    Match,
    Pair,
    Policy,
    PolicySet,
    PolicyTest,
    Reasoning,
    Restrict,
)
from guard.policy.data import Progress, load_pairs, load_texts
from guard.policy.embeddings import read_embeddings
from guard.policy.files import is_speakable
from guard.policy.model import ListFile, PairsFile, TestEntry
from guard.policy.source import Source, in_order, read_source
from guard.policy.yaml_tree import Location

MOST_WORDS = 24
"""Of a topic, an aspect or a namesake: longer ones are texts, and near to nothing."""
_WORD = re.compile(r"[^\W_]+")
_NO_DESCRIPTION = frozenset(
    {"a", "an", "the", "of", "same", "name", "namesake", "namesakes", "other", "another", "person"}
)
_SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(slots=True)
class Reading:
    """What reading a directory or a file gave: good policies, and what was wrong with the rest.

    `files` holds every file that was looked for, also those that are missing.
    """

    loaded: list[tuple[Source, Policy]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def policy_set(self) -> PolicySet:
        """The set. Raises PolicyError when there was any problem."""
        if self.problems:
            raise PolicyError(in_order(self.problems))
        return PolicySet(tuple(policy for _, policy in self.loaded), tuple(self.files))


def load_policy_set(
    path: Path, *, allow_empty: bool = False, progress: Progress | None = None
) -> PolicySet:
    """The policies of every `*.yaml` and `*.yml` directly in a directory, or of one file.

    Raises PolicyError with all problems of all files; a directory without policies is one of them
    unless `allow_empty`.
    """
    return read_policies(path, allow_empty=allow_empty, progress=progress).policy_set()


def read_policies(
    path: Path, *, allow_empty: bool = False, progress: Progress | None = None
) -> Reading:
    """Reads all that can be read; problems are in the result, not raised."""
    reading = Reading()
    try:
        files = policy_files(path)
    except PolicyError as error:
        reading.problems.extend(error.problems)
        return reading
    reading.files.extend(files)
    if not files and not allow_empty:
        reading.problems.append(Problem(str(path), 0, "", "holds no policy (*.yaml or *.yml)"))
    names: dict[str, Source] = {}
    for file in files:
        try:
            source = read_source(file)
        except PolicyError as error:
            reading.problems.extend(error.problems)
            continue
        first = names.setdefault(source.content.name, source)
        if first is not source:
            message = f"is also the name of the policy in {first.path.name}"
            reading.problems.append(source.problem(("name",), message))
        compiler = _Compiler(source, progress)
        policy = compiler.policy()
        reading.files.extend(compiler.files)
        reading.problems.extend(compiler.problems)
        if policy is not None:
            reading.loaded.append((source, policy))
    return reading


def policy_files(path: Path) -> list[Path]:
    """The policy files directly in a directory, sorted; a file stands for itself.

    Raises PolicyError when the directory is missing or unreadable.
    """
    if path.is_file():
        return [path]
    try:
        # Names with a dot in front are editors' and Kubernetes' own.
        return sorted(
            entry
            for entry in path.iterdir()
            if entry.suffix in _SUFFIXES and not entry.name.startswith(".")
        )
    except OSError as error:
        message = f"cannot be read: {error.strerror or type(error).__name__}"
        raise PolicyError([Problem(str(path), 0, "", message)]) from error


class _Compiler:
    """Turns one validated file into a Policy, reading its data files."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self._source = source
        self._progress = progress
        self.files: list[Path] = []
        self.problems: list[Problem] = []

    def policy(self) -> Policy | None:
        """The policy, or None with everything that stands against it in `problems`."""
        content = self._source.content
        forget, retain = content.forget, content.retain
        entities = self._entities()
        self._check_message(entities)
        pairs = self._pairs(forget.pairs, ("forget", "pairs"))
        prompts = self._texts(forget.prompts, ("forget", "prompts"))
        texts = self._texts(forget.texts, ("forget", "texts"))
        topics = self._in_few_words(forget.topics, ("forget", "topics"))
        embeddings = self._embeddings(forget.embeddings)
        profiles = self._texts(content.reasoning.profiles, ("reasoning", "profiles"))
        retain_pairs = self._pairs(retain.pairs, ("retain", "pairs"))
        retain_prompts = self._texts(retain.prompts, ("retain", "prompts"))
        given = entities or pairs or prompts or texts or topics or embeddings
        if not given and not self.problems:
            message = "forgets nothing; give entities, pairs, prompts, texts or topics"
            self._refuse(("forget",), message)
        if self.problems:
            return None
        return Policy(
            name=content.name,
            source=self._source.path,
            description=content.description,
            owner=content.owner,
            reason=content.reason,
            review_by=content.review_by,
            until=content.until,
            applies_to=AppliesTo(**content.applies_to.model_dump()),
            entities=entities,
            pairs=pairs,
            prompts=_distinct([*prompts, *(pair.prompt for pair in pairs)]),
            texts=_distinct([*texts, *(pair.answer for pair in pairs)]),
            topics=topics,
            embeddings=embeddings,
            retain_prompts=_distinct([*retain_prompts, *(pair.prompt for pair in retain_pairs)]),
            retain_pairs=retain_pairs,
            scope=content.scope,
            action=content.action,
            mode=content.mode,
            on_error=content.on_error,
            message=content.message,
            match=Match(**content.match.model_dump()),
            restrict=Restrict(**content.restrict.model_dump()),
            reasoning=Reasoning(**{**content.reasoning.model_dump(), "profiles": profiles}),
            distil=Distil(**content.distil.model_dump()),
            tests=tuple(_test(entry) for entry in content.tests),
        )

    def _refuse(self, location: Location, message: str) -> None:
        self.problems.append(self._source.problem(location, message))

    def _entities(self) -> tuple[Entity, ...]:
        entities = []
        for i, entry in enumerate(self._source.content.forget.entities):
            here: Location = ("forget", "entities", i)
            self._check_name((*here, "name"), entry.name)
            for j, alias in enumerate(entry.aliases):
                self._check_name((*here, "aliases", j), alias)
            name = entry.name.strip()
            aliases = (alias.strip() for alias in entry.aliases)
            aspects = self._in_few_words(entry.aspects, (*here, "aspects"))
            namesakes = self._in_few_words(entry.not_, (*here, "not"))
            known = _distinct(a for a in aliases if a != name)
            self._check_namesakes((*here, "not"), (name, *known), namesakes)
            entities.append(Entity(name, known, aspects, namesakes))
        return tuple(entities)

    def _check_name(self, location: Location, name: str) -> None:
        if not name.strip():
            self._refuse(location, "is empty")
        elif len(name.strip()) == 1:
            self._refuse(location, "is a single character, which would match everywhere")
        elif not is_speakable(name):
            self._refuse(location, "holds no letter and no digit: it could never match")

    def _in_few_words(self, value: Sequence[str], location: Location) -> tuple[str, ...]:
        for i, text in enumerate(value):
            if not is_speakable(text):
                self._refuse((*location, i), "holds no letter and no digit: it says nothing")
            elif len(text.split()) > MOST_WORDS:
                self._refuse((*location, i), f"has more than {MOST_WORDS} words: say it in a few")
        return _distinct(" ".join(text.split()) for text in value)

    def _check_namesakes(
        self, location: Location, names: Sequence[str], namesakes: Sequence[str]
    ) -> None:
        """A description that is nothing but the name tells nobody apart."""
        own = {word for name in names for word in _WORD.findall(name.casefold())}
        for i, text in enumerate(namesakes):
            if not set(_WORD.findall(text.casefold())) - own - _NO_DESCRIPTION:
                self._refuse((*location, i), "does not say how the namesake differs")

    def _check_message(self, entities: tuple[Entity, ...]) -> None:
        message = self._source.content.message
        names = (re.escape(name) for entity in entities for name in entity.names if name)
        if any(re.search(rf"(?<!\w){name}(?!\w)", message, re.IGNORECASE) for name in names):
            self._refuse(("message",), "names what is to be forgotten: a refusal must not tell")

    def _texts(self, value: Sequence[str] | ListFile, location: Location) -> tuple[str, ...]:
        if isinstance(value, ListFile):
            path = self._data_path(value.file)
            try:
                return load_texts(path, value.field, progress=self._progress)
            except PolicyError as error:
                self._data_problems(error, (*location, "file"))
                return ()
        for i, text in enumerate(value):
            if not is_speakable(text):
                self._refuse((*location, i), "holds no letter and no digit: it could never match")
        return tuple(value)

    def _embeddings(self, file: str | None) -> Embeddings | None:
        if file is None:
            return None
        try:
            return read_embeddings(self._data_path(file))
        except PolicyError as error:
            self._data_problems(error, ("forget", "embeddings"))
            return None

    def _pairs(self, value: PairsFile | None, location: Location) -> tuple[Pair, ...]:
        if value is None:
            return ()
        path = self._data_path(value.file)
        try:
            return load_pairs(path, value.prompt, value.answer, progress=self._progress)
        except PolicyError as error:
            self._data_problems(error, (*location, "file"))
            return ()

    def _data_path(self, file: str) -> Path:
        path = self._source.path.parent / file
        self.files.append(path)
        return path

    def _data_problems(self, error: PolicyError, location: Location) -> None:
        """Problems in rows keep their place; those of the file as a whole point at its key."""
        for problem in error.problems:
            if problem.line:
                self.problems.append(problem)
            else:
                self._refuse(location, f"{problem.file}: {problem.message}")


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _test(entry: TestEntry) -> PolicyTest:
    messages = None
    if entry.messages is not None:
        messages = tuple((message.role, message.content) for message in entry.messages)
    return PolicyTest(entry.expect, entry.prompt, messages, entry.output)
