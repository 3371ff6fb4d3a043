from pathlib import Path

import pytest

from classifiers import (
    ClassifierError,
    Closed,
    EncoderUnavailable,
    OtherHead,
    QueueFull,
    TooManyTokens,
    UnsupportedModel,
)
from classifiers.optional import optional


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (EncoderUnavailable("no faiss"), "pip install 'guard-forget[detect]'"),
        (QueueFull(9, 8), "at most 8"),
        (TooManyTokens(513, 512), "513 tokens"),
        (Closed(), "closed"),
        (UnsupportedModel(Path("m/config.json"), "is missing"), "m/config.json is missing"),
        (OtherHead("the head", "a@1", "b@2"), "the encoder a@1, not with b@2"),
    ],
)
def test_every_error_is_of_the_tree_and_says_what_an_operator_needs(error, says):
    assert isinstance(error, ClassifierError)
    assert says in str(error)


def test_a_missing_library_names_itself_and_the_way_to_install_it():
    with pytest.raises(EncoderUnavailable, match=r"no_such_library.*guard-forget\[detect\]"):
        optional("no_such_library")
