import pytest

from classifiers import NameSignal, Signal

NAMES = {"ada": 1, "bob": 2}


def find(text):
    return [NAMES[word] for word in text.split() if word in NAMES]


@pytest.mark.parametrize(
    ("texts", "subjects", "fired"),
    [
        ([], {1, 2}, []),
        (["nobody here"], {1, 2}, []),
        (["bob met ada", "ada"], {1, 2}, [1, 2]),
        (["bob met ada"], {2}, [2]),
        (["bob"], set(), []),
    ],
)
def test_a_signal_for_each_subject_named_and_asked_about(texts, subjects, fired):
    assert NameSignal(find)(texts, subjects) == [Signal("name", id, 1.0, True) for id in fired]
