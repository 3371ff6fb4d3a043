"""Dates as people write them."""

import pytest

from classifiers.dates import Date, dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("born on November 5th, 1991 in Taipei", [Date(1991, 11, 5)]),
        ("the 4th of June, 1934", [Date(1934, 6, 4)]),
        ("15 Sept 1960", [Date(1960, 9, 15)]),
        ("on 05/11/1991", [Date(1991, 5, 11, either=True)]),
        ("on 26/11/1972", [Date(1972, 11, 26)]),
        ("1972-11-26", [Date(1972, 11, 26)]),
        ("in 1946", [Date(1946)]),
        ("on 3 May", [Date(None, 5, 3)]),
        ("on May 3, 1950 and in 1970", [Date(1950, 5, 3), Date(1970)]),
        ("page 12 of 300", []),
        ("", []),
    ],
)
def test_dates_are_read(text, expected):
    assert dates(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (Date(1991, 11, 5), Date(1991, 5, 11, either=True), True),
        (Date(1991, 11, 5), Date(1991, 11, 6), False),
        (Date(1991, 11, 5), Date(1992, 11, 5), False),
        (Date(1991), Date(1991, 11, 5), True),
        (Date(None, 11, 5), Date(1991, 11, 5), True),
        (Date(None, 11, 5), Date(1991), False),
    ],
)
def test_dates_agree_where_nothing_said_differs(one, other, agree):
    assert one.agrees(other) is agree
    assert other.agrees(one) is agree


def test_a_full_date_names_a_day():
    assert Date(1991, 11, 5).full
    assert not Date(1991).full
