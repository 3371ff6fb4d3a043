"""What is compiled is kept with the sources that it was made of."""

from __future__ import annotations

from pathlib import Path

import numba

from guard.restrict import compiled, runs, walk


def test_each_state_of_the_sources_has_a_folder_of_its_own() -> None:
    for function in (walk.walk, runs.read):
        assert compiled.sources_hash() in Path(function.stats.cache_path).parts  # type: ignore[attr-defined]


def test_any_change_of_any_source_is_another_state(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    caller, callee = tmp_path / "caller.py", tmp_path / "below" / "callee.py"
    caller.write_text("one")
    callee.write_text("two")
    states = [compiled.sources_hash(tmp_path)]
    for path, text in ((callee, "three"), (caller, "four")):
        path.write_text(text)
        states.append(compiled.sources_hash(tmp_path))
    callee.rename(tmp_path / "below" / "other.py")
    states.append(compiled.sources_hash(tmp_path))
    assert len(set(states)) == 4


def test_what_others_compile_is_not_moved() -> None:
    assert compiled.sources_hash() not in str(numba.config.CACHE_DIR)
