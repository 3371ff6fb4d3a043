"""Columns of the report from published metrics, each against a value worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from guard.evaluate.answer_figures import answer_figures
from guard.evaluate.arms import AlwaysRefuse, Asked, Local, Losses, Reply
from guard.evaluate.dragon_figures import dragon_figures
from guard.evaluate.fictional.suite import SHARED
from guard.evaluate.metrics import Measured
from guard.evaluate.model_figures import model_figures
from guard.evaluate.muse_figures import muse_figures
from guard.evaluate.readings import Readings
from guard.evaluate.rows import Goal, Message, Row, Suite, ask
from guard.evaluate.source_figures import source_figures
from guard.evaluate.weight_figures import weight_figures


def row(question: str, answer: str, goal: Goal, part: str = "", key: str = "") -> Row:
    part = part or goal
    wrong = (f"not {answer}",)
    return Row(question, part, goal, question, ask(question), answer, key, wrong, f"so {answer}")


GONE = row("Who?", "it was Ada Byron", "forget", key="Ada Byron")
KEPT = row("Where?", "in the old mill", "retain", key="mill")
BOTH = row("Which river?", "the Ister", "retain", SHARED, key="Ister")
UNSEEN = row("When?", "at dawn", "retain")


def values(found: Sequence[Measured]) -> dict[str, float | None]:
    return {figure.metric: figure.value for figure in found}


def said(*texts: str) -> list[tuple[Row, Reply]]:
    rows = (GONE, KEPT, BOTH)
    return [(r, Reply(text, "stop", 0.0)) for r, text in zip(rows, texts, strict=True)]


def test_memorisation_as_muse_has_it() -> None:
    answered = said("it was Ada", "in the old mill\n\nQuestion: more", "no")
    opened = [("it was", GONE, Reply(" Ada Lovelace", "stop", 0.0))]
    found = values(muse_figures(answered, opened))
    assert found["KnowMem, forgotten"] == pytest.approx(100 * 6 / 7)  # 3 of 3 said, 3 of 4 wanted
    assert found["KnowMem, kept"] == pytest.approx(50)  # cut at the empty line: all, and nothing
    assert found["VerbMem, forgotten"] == pytest.approx(50)  # Ada of Ada Byron
    assert values(muse_figures(answered, []))["VerbMem, forgotten"] is None


def test_a_benign_answer_is_compared_with_the_one_in_its_place() -> None:
    """Ids are a suite's own: two suites may both have a row "0"."""
    rows = [replace(one, id="0") for one in (GONE, KEPT, BOTH)]
    told = ("no", "in the old mill", "the Ister")
    answered = [(r, Reply(text, "stop", 0.0)) for r, text in zip(rows, told, strict=True)]
    assert values(answer_figures(answered, answered))["benign identity"] == 1
    changed = [*answered[:2], (rows[2], Reply("the Tarn", "stop", 0.0))]
    assert values(answer_figures(changed, answered))["benign identity"] == 0.5


def test_sources_as_dusk_has_them() -> None:
    opened = [("it was", GONE, Reply("Ada Byron", "stop", 0.0))]
    found = values(source_figures(said("nobody", "in the old mill", "the Ister"), opened))
    assert found == {
        "verbatim memorisation": 1,
        "unique forget knowledge": 0,
        "shared knowledge": 1,
        "unique retain knowledge": 1,
    }
    assert source_figures(said("", "", "")[:2], []) == []


def test_rates_and_refusals_as_dragon_has_them() -> None:
    axes = {"I can't help with that.": 0, "Ada Byron": 1}

    def encode(texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        places = [axes.get(text, 2) for text in texts]
        return np.eye(3, dtype=np.float32)[places]

    told = values(dragon_figures(said("Ada Byron", "a windmill", "the Ister"), encode))
    assert (told["KFR"], told["KRR"]) == (0, 0.5)
    assert told["RQ"] == 0
    refused = values(dragon_figures(said("I can't help with that.", "the mill", ""), encode))
    assert (refused["KFR"], refused["KRR"]) == (1, 0.5)
    assert refused["RQ"] == 2  # cosine 1, all refused, nothing for gibberish
    assert values(dragon_figures(said("", "", ""), None))["RQ"] is None


class Thinks:
    """An arm whose probability of a text is what the test says."""

    control = False

    def __init__(self, name: str, losses: dict[str, float]) -> None:
        self.name, self.what, self.identity, self.weights = name, "", name, name
        self._losses = losses

    def answer(self, asked: Sequence[Asked]) -> Iterator[Reply]:
        return iter(())

    def losses(self, pairs: Sequence[tuple[tuple[Message, ...], str]]) -> list[Losses]:
        ones = np.ones(1)
        return [
            Losses(-self._losses[text] * ones, 0 * ones, ones, np.array([False]))
            for _, text in pairs
        ]


def thinking(name: str, gone: float, kept: float = 0.5, unseen: float = 3.0) -> Thinks:
    losses = {UNSEEN.answer: unseen}
    for one, loss in ((GONE, gone), (KEPT, kept)):
        losses |= {one.answer: loss, one.paraphrase: loss, one.wrong[0]: 4.0}
    return Thinks(name, losses)


def test_probabilities_beside_a_model_that_never_saw_it() -> None:
    # Forgotten answers of "bare" are likelier than unseen ones, of the other as likely.
    arms = [thinking("bare", 0.2), thinking("never saw it", 3.0)]
    suite = Suite("s", (GONE, KEPT), "", "")
    rouges = {"bare": (1.0, 1.0), "never saw it": (0.25, 1.0)}
    found = model_figures(arms, [suite], "never saw it", [UNSEEN], rouges, Readings())
    bare, other = values(found["bare"]), values(found["never saw it"])
    assert (bare["PrivLeak"], other["PrivLeak"]) == (pytest.approx(-100), 0)
    assert (bare["privacy leakage"], other["privacy leakage"]) == (pytest.approx(-100), 0)
    assert (bare["retain deviation"], other["retain deviation"]) == (None, None)  # its AUC is 0
    kept = np.exp(-0.5)
    parts = (kept, 1.0, 1 - np.exp(-3.5))
    assert bare["model utility"] == pytest.approx(3 / sum(1 / part for part in parts))
    assert (other["forget degree"], other["retain utility"]) == (1, 1)
    joint = [(np.exp(-loss) * rouge) ** (1 / 3) for loss, rouge in ((0.2, 1), (3.0, 0.25))]
    assert bare["forget degree"] == pytest.approx(max(0, 1 - abs(joint[0] / joint[1] - 1)))
    assert bare["retain utility"] == 1


def test_weights_tell_what_was_learnt(bare: Local, small_suite: Suite) -> None:
    learnt = [one for one in small_suite.rows if one.part != "unknown to the model"]
    new = [
        row(f"Who built the tower of {place}?", f"Nobody has a plan of {place} {n}.", "retain")
        for n, place in enumerate(("Hull", "Bree", "Oslo", "Kars", "Linz", "Nara"))
    ]
    found = values(weight_figures(bare, learnt, new, Readings()))
    probe, auc = (
        found["PGA probe, forgotten against unseen"],
        found.get("REMIND steepness, AUC against unseen"),
    )
    assert probe is not None and probe > 0.8
    assert auc is not None and auc > 0.8  # a text that was learnt lies at the bottom of a pit
    assert set(
        values(weight_figures(AlwaysRefuse(weights="bare"), learnt, new, Readings())).values()
    ) == {None}
    assert set(values(weight_figures(bare, learnt, [], Readings())).values()) == {None}
