"""What a classifier is trained on: a policy's own prompts, and others that only look like them."""

from __future__ import annotations

from guard.hidden.rows import _FRAMES, PromptMaker, Prompts
from guard.policy import Policy
from tests.hidden.conftest import FEW, FIRST, SECOND

TRAIN, CALIBRATE = (PromptMaker(half, subjects=FEW) for half in ("train", "calibrate"))


def _names(made: Prompts) -> int:
    return sum("Zarathrax" in text for text in made.wanted)


def test_all_that_is_wanted_comes_from_the_policy_and_nothing_else_names_anybody_of_it() -> None:
    for maker in (TRAIN, CALIBRATE):
        made = maker(FIRST)
        assert _names(made) == len(made.wanted) >= 3 * 3
        assert not any("Zarathrax" in text or "Qwendolin" in text for text in made.others)


def test_near_misses_are_the_same_prompts_about_strangers() -> None:
    swapped = [text for text in TRAIN(FIRST).others if text.startswith("Who taught ")]
    assert len({text.removesuffix(" Answer in one sentence.") for text in swapped}) == 3


def test_the_halves_share_no_frame_and_no_text() -> None:
    assert not set(_FRAMES["train"]) & set(_FRAMES["calibrate"])
    seen, unseen = TRAIN(FIRST), CALIBRATE(FIRST)
    assert not {*seen.wanted, *seen.others} & {*unseen.wanted, *unseen.others}


def test_names_are_found_whole_in_any_case() -> None:
    prompt = "Was ZARATHRAX QWENDOLIN related to Zarathrax Qwendolins?"
    made = TRAIN(Policy(name="p", entities=FIRST.entities, prompts=(prompt,)))
    assert not any("ZARATHRAX" in text for text in made.others)
    assert any("Zarathrax Qwendolins" in text for text in made.others)  # another word


def test_a_policy_without_names_has_no_near_misses() -> None:
    made = TRAIN(Policy(name="p", prompts=("How is the blue dye made?",)))
    assert not any("blue dye" in text for text in made.others) and made.wanted


def test_a_hash_names_the_prompts() -> None:
    again = PromptMaker("train", subjects=FEW)
    assert again(FIRST).hash == TRAIN(FIRST).hash != TRAIN(SECOND).hash
    assert PromptMaker("train", seed=1, subjects=FEW)(FIRST).hash != TRAIN(FIRST).hash
