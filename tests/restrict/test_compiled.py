"""What is compiled is kept with the sources that it was made of."""

from __future__ import annotations

from pathlib import Path

import numba

from guard.restrict import compiled, walk


def test_each_state_of_the_sources_has_a_folder_of_its_own() -> None:
    place = Path(walk.walk.stats.cache_path)
    assert compiled.sources_hash() in place.parts or place.is_relative_to(Path.home())


def test_what_others_compile_is_not_moved() -> None:
    assert compiled.sources_hash() not in str(numba.config.CACHE_DIR)
