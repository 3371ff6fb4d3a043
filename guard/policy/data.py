"""Data files of a policy: rows of text or of question and answer, each with its line.

`.json`, `.jsonl` and `.ndjson` hold a JSON list or one JSON value a line, whichever the content
is (TOFU's `.json` files are the latter); `.csv` has a header; anything else is plain lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from guard.errors import PolicyError, Problem
from guard.policy.compiled import Pair
from guard.policy.files import is_speakable, is_storable, read_text

Progress = Callable[[str, int, int], None]
"""Called with a label, characters done, and characters in all."""

MAX_BYTES = 512_000_000
# A file of the wrong kind is wrong on every line: this many say so.
_MAX_PROBLEMS = 20
_ROWS_PER_REPORT = 2_000
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_SPACE = " \t\r\n"

_Item = TypeVar("_Item")
# A row's line, its value (text, or a mapping of fields), and the characters read so far.
_Row = tuple[int, object, int]


def load_texts(
    path: Path, field: str | None, *, progress: Progress | None = None
) -> tuple[str, ...]:
    """The texts of a data file, in order.

    `field` names the field of each row; None takes rows that are texts themselves, and the only
    column of a CSV. Raises PolicyError naming file and line.
    """
    reader = _Reader(path, progress)
    if field is not None and reader.is_plain:
        raise reader.error(0, "plain lines have no fields; leave `field` out")
    texts: list[str] = []
    for line, row in reader.rows():
        text = row if field is None else reader.field_of(row, field, line)
        if isinstance(text, dict):
            if len(text) == 1 and reader.is_csv:
                (text,) = text.values()
            else:
                keys = "columns" if reader.is_csv else "fields"
                reader.refuse(line, f"the row has {keys}; name one with `field`")
                continue
        if text is not None and reader.check_text(text, line, field or ""):
            texts.append(str(text))
    return tuple(reader.finish(texts))


def load_pairs(
    path: Path, prompt: str, answer: str, *, progress: Progress | None = None
) -> tuple[Pair, ...]:
    """The questions and answers of a data file, in order.

    Raises PolicyError naming file and line.
    """
    reader = _Reader(path, progress)
    if reader.is_plain:
        raise reader.error(0, "pairs need a JSON, JSON Lines or CSV file (by its ending)")
    pairs: list[Pair] = []
    for line, row in reader.rows():
        if not isinstance(row, dict):
            reader.refuse(line, "must be an object with fields")
            continue
        values = [reader.field_of(row, name, line) for name in (prompt, answer)]
        if all(
            value is not None and reader.check_text(value, line, name)
            for value, name in zip(values, (prompt, answer), strict=True)
        ):
            pairs.append(Pair(str(values[0]), str(values[1])))
    return tuple(reader.finish(pairs))


class _Reader:
    """Walks the rows of one file, collects its problems and reports progress."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._problems: list[Problem] = []
        self._text = read_text(path, limit=MAX_BYTES)
        suffix = path.suffix.lower()
        self.is_csv = suffix == ".csv"
        self.is_plain = not self.is_csv and suffix not in _JSON_SUFFIXES

    def error(self, line: int, message: str) -> PolicyError:
        return PolicyError([Problem(str(self._path), line, "", message)])

    def refuse(self, line: int, message: str) -> None:
        """Adds a problem; raises all of them once there are many."""
        self._problems.append(Problem(str(self._path), line, "", message))
        if len(self._problems) >= _MAX_PROBLEMS:
            raise PolicyError(self._problems)

    def finish(self, items: list[_Item]) -> list[_Item]:
        """The items, unless there were problems or no items at all."""
        if self._problems:
            raise PolicyError(self._problems)
        if not items:
            raise self.error(0, "holds no rows")
        return items

    def field_of(self, row: object, name: str, line: int) -> object:
        """The value of a field, or None after adding a problem."""
        if not isinstance(row, dict):
            self.refuse(line, f"must be an object with the field {name}")
        elif row.get(name) is None:
            self.refuse(line, f"has no field {name}")
        else:
            return row[name]
        return None

    def check_text(self, value: object, line: int, name: str) -> bool:
        """True for text that can be matched; adds a problem otherwise."""
        subject = f"field {name} " if name else ""
        if not isinstance(value, str):
            self.refuse(line, f"{subject}must be text")
        elif not is_storable(value):
            self.refuse(line, f"{subject}holds half a surrogate pair, which is not text")
        elif not is_speakable(value):
            self.refuse(line, f"{subject}holds no letter and no digit: it could never match")
        else:
            return True
        return False

    def rows(self) -> Iterator[tuple[int, object]]:
        """Each row with its 1-based line."""
        total = len(self._text)
        for count, (line, row, done) in enumerate(self._format(), start=1):
            yield line, row
            if self._progress and count % _ROWS_PER_REPORT == 0:
                self._progress(self._path.name, min(done, total), total)
        if self._progress:
            self._progress(self._path.name, total, total)

    def _format(self) -> Iterator[_Row]:
        if self.is_csv:
            return self._csv()
        if self.is_plain:
            return self._plain()
        return self._json_list() if self._text.lstrip()[:1] == "[" else self._json_lines()

    def _plain(self) -> Iterator[_Row]:
        done = 0
        for line, raw in enumerate(self._text.split("\n"), start=1):
            done += len(raw) + 1
            text = raw.strip()
            # Blank lines and rules such as `* * *` set passages apart; they match nothing.
            if is_speakable(text):
                yield line, text, done

    def _json_lines(self) -> Iterator[_Row]:
        done = 0
        # Only \n ends a line: JSON text may hold the other separators that splitlines() knows.
        for line, raw in enumerate(self._text.split("\n"), start=1):
            done += len(raw) + 1
            if not raw.strip():
                continue
            try:
                yield line, json.loads(raw), done
            except (ValueError, RecursionError):
                self.refuse(line, "is not a JSON value (neither a JSON list nor JSON Lines)")

    def _json_list(self) -> Iterator[_Row]:
        text, decode = self._text, json.JSONDecoder().raw_decode
        at = self._skip_space(text.index("[") + 1)
        line, counted = 1, 0
        while text[at : at + 1] != "]":
            line, counted = line + text.count("\n", counted, at), at
            try:
                row, at = decode(text, at)
            except (ValueError, RecursionError) as error:
                where = error.lineno if isinstance(error, json.JSONDecodeError) else line
                self.refuse(where, "is not JSON from here on")
                return
            yield line, row, at
            at = self._skip_space(at)
            comma = text[at : at + 1] == ","
            if comma:
                at = self._skip_space(at + 1)
            if comma == (text[at : at + 1] == "]"):
                self.refuse(text.count("\n", 0, at) + 1, "is not JSON: expected a comma or the end")
                return
        end = self._skip_space(at + 1)
        if end != len(text):
            self.refuse(text.count("\n", 0, end) + 1, "holds more after the end of the list")

    def _skip_space(self, at: int) -> int:
        while self._text[at : at + 1] and self._text[at] in _SPACE:
            at += 1
        return at

    def _csv(self) -> Iterator[_Row]:
        done, line = 0, 1

        def lines() -> Iterator[str]:
            nonlocal done
            for raw in io.StringIO(self._text, newline=""):
                done += len(raw)
                yield raw

        reader = csv.reader(lines(), strict=True)
        header: list[str] | None = None
        try:
            for cells in reader:
                start, line = line, reader.line_num + 1
                if not cells:
                    continue
                if header is None:
                    header = cells
                    if len(set(header)) != len(header):
                        self.refuse(start, "the header names a column twice")
                elif len(cells) != len(header):
                    self.refuse(start, f"has {len(cells)} cells; the header has {len(header)}")
                else:
                    yield start, dict(zip(header, cells, strict=True)), done
        except csv.Error:
            self.refuse(line, "is not CSV: a quote is not closed, or a cell is too long")
