"""Soft penalties: distinctive words and those near, never common ones; whole-word tokens alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guard.policy import Restrict
from guard.restrict import lint_patterns
from guard.restrict.shelf import Shelf
from guard.restrict.soft import (
    MOST_WORDS,
    candidate_words,
    distinctive_words,
    soft_penalties,
    token_penalties,
)
from guard.restrict.vocabulary import build_vocabulary
from tests.support.policies import policy

TEXT = "She was born in Kuwait, the daughter of a lighthouse keeper, in 1956."


def restricted(*names: str, **fields: object) -> object:
    return policy(*names, action="restrict", **fields)  # type: ignore[arg-type]


def test_distinctive_words_are_those_of_names_then_the_rarest_of_texts() -> None:
    words = distinctive_words(policy("Will Varga", texts=(TEXT,)))
    assert words[0] == "varga"
    assert words[1] == "lighthouse"
    assert {"kuwait", "keeper", "daughter"} < set(words)
    assert not {"will", "she", "was", "the", "1956", "a", "in"} & set(words)


def test_near_words_lose_by_their_cosine_and_distinctive_ones_all() -> None:
    made = policy(texts=(TEXT,), action="restrict", restrict=Restrict(delta=0.5, penalty=4.0))
    soft = soft_penalties(made, {"bahrain": 0.75, "harbour": 0.49, "kuwait": 0.99})
    assert soft is not None
    assert soft.words["kuwait"] == 4.0
    assert soft.words["bahrain"] == 3.0
    assert "harbour" not in soft.words


@pytest.mark.parametrize(
    "fields",
    [
        {"texts": (TEXT,), "action": "refuse"},
        {"texts": (TEXT,), "action": "restrict", "restrict": Restrict(penalty=0.0)},
        {"texts": ("It was in the house.",), "action": "restrict"},
    ],
)
def test_who_has_no_penalties(fields: dict[str, object]) -> None:
    assert soft_penalties(policy(**fields)) is None  # type: ignore[arg-type]


def test_the_id_is_that_of_the_content() -> None:
    made = policy(texts=(TEXT,), action="restrict")
    again = policy(texts=(TEXT,), action="restrict", name="another")
    soft, other, more = (
        soft_penalties(made), soft_penalties(again), soft_penalties(made, {"bahrain": 0.75})
    )  # fmt: skip
    assert soft is not None and other is not None and more is not None
    assert soft.id == other.id != more.id


def test_a_policy_has_at_most_so_many_words_and_lint_says_so() -> None:
    words = " ".join(
        f"zq{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}x" for i in range(5000)
    )
    made = policy(texts=(words,), action="restrict")
    soft = soft_penalties(made, {"bahrain": 0.9})
    assert soft is not None
    assert len(soft.words) == MOST_WORDS
    assert any("penalised" in problem.message for problem in lint_patterns(made))


def test_candidates_are_general_words_that_are_not_common() -> None:
    words = set(candidate_words())
    assert {"kuwait", "lighthouse", "engineer"} < words
    assert not {"the", "will", "and", "was", "1956", "don't"} & words


def test_only_whole_words_lose_in_any_case_and_with_a_space_or_without() -> None:
    tokens = [
        b"Kuwait", b" kuwait", b" KUWAIT", b"kuwaiti", b" kuwait,", b"  kuwait", b"kuw", None,
        b" K\xc3\xbawait", b"\xc3", b" Zo\xc3\xab", b"", b" the", b"kuwait ",
    ]  # fmt: skip
    ids, values = token_penalties({"kuwait": 4.0, "zoe": 2.5}, build_vocabulary(tokens))
    assert (ids.dtype, values.dtype) == (np.int32, np.float32)
    assert ids.tolist() == [0, 1, 2, 8, 10]
    assert values.tolist() == [4.0, 4.0, 4.0, 4.0, 2.5]


def test_the_shelf_keeps_them_by_content(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    soft = soft_penalties(policy(texts=(TEXT,), action="restrict"), {"bahrain": 0.7})
    assert soft is not None
    assert shelf.publish_soft(soft) == shelf.publish_soft(soft) == soft.id
    assert shelf.soft(soft.id) == dict(soft.words)
    assert shelf.soft("unknown") is None
