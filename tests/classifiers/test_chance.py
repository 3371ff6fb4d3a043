"""What the number of subjects tells."""

import pytest

from classifiers.chance import FEW, chance_bits


@pytest.mark.parametrize(
    ("subjects", "bits"), [(0, 0.0), (1, 0.0), (FEW, 0.0), (2 * FEW, 1.0), (1024 * FEW, 10.0)]
)
def test_each_doubling_of_many_is_a_bit(subjects: int, bits: float) -> None:
    assert chance_bits(subjects) == bits
