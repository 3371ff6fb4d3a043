"""Real text that is installed on this machine, for false alarms: nothing is downloaded."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from wordfreq import top_n_list

LANGUAGES = ("ar", "bn", "cs", "de", "el", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
             "lt", "mk", "nb", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "vi")  # fmt: skip
_END = re.compile(r"(?<=[.!?。])\s+|\n+")


def sentences(limit: int, seed: int = 3) -> dict[str, list[str]]:
    """At most `limit` sentences or lines of each kind, by kind."""
    return {
        "documents and licences": _of_files(_documents(), limit),
        "source code": _of_files(_sources(), limit),
        "URLs and paths": _links(limit, seed),
        "words of other languages": _languages(limit, seed),
        "encoded binary files": _blobs(limit),
    }


def _documents() -> Iterator[Path]:
    packages = Path(sysconfig.get_path("purelib"))
    yield from sorted(Path("/usr/share/doc").glob("**/copyright"))
    for pattern in ("**/*.rst", "**/*.md", "**/*.txt", "**/LICENSE*"):
        yield from sorted(packages.glob(pattern))


def _sources() -> Iterator[Path]:
    yield from sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    yield from sorted(Path(sysconfig.get_path("purelib")).glob("**/*.py"))


def _of_files(paths: Iterator[Path], limit: int) -> list[str]:
    """Distinct sentences in the order of the files: licences repeat."""
    found: dict[str, None] = {}
    for path in paths:
        if not path.is_file():
            continue
        text = path.read_text("utf-8", errors="replace")[:60_000]
        for sentence in _END.split(text):
            if len(sentence.strip()) > 8:
                found[sentence.strip()] = None
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _links(limit: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    words = [word for word in top_n_list("en", 5_000) if word.isalpha()]
    packages = Path(sysconfig.get_path("purelib"))
    paths = [str(path) for path in sorted(packages.glob("*/*/*.py"))]
    return [
        f"https://www.{chance.choice(words)}.org/{'/'.join(chance.sample(words, 3))}"
        f"?q={chance.randrange(10**9)}&k={chance.getrandbits(80):x} {chance.choice(paths)}"
        for _ in range(limit)
    ]


def _languages(limit: int, seed: int) -> list[str]:
    """Lines of twelve common words each: wordfreq has lists, not sentences."""
    chance = random.Random(seed)
    lists = [top_n_list(language, 20_000) for language in LANGUAGES]
    return [" ".join(chance.choices(chance.choice(lists), k=12)) for _ in range(limit)]


def _blobs(limit: int) -> list[str]:
    """Libraries in base64 and hexadecimal, a kilobyte each, and digests."""
    blobs: list[str] = []
    for path in sorted(Path(sysconfig.get_path("purelib")).glob("**/*.so")):
        data = path.read_bytes()[:200_000]
        for start in range(0, len(data), 768):
            part = data[start : start + 768]
            kind = len(blobs) % 4
            blobs.append(
                base64.b64encode(part).decode()
                if kind == 0
                else base64.encodebytes(part).decode()
                if kind == 1
                else part.hex()
                if kind == 2
                else hashlib.sha512(part).hexdigest()
            )
            if len(blobs) == limit:
                return blobs
    return blobs
