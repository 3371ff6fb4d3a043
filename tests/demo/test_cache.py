"""What is cached is whole, and made anew when what it was made from changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.demo.cache import cache_dir, made_once


class Maker:
    """Writes two files, counting how often; fails between them when told to."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "first").write_text(str(self.runs))
        if self.fails:
            raise RuntimeError("interrupted")
        (folder / "second").write_text(str(self.runs))


def test_the_same_stamp_is_made_once(tmp_path: Path) -> None:
    make = Maker()
    folder = made_once(tmp_path / "deep" / "model", "v1", make)
    assert made_once(folder, "v1", make) == folder
    assert make.runs == 1
    assert (folder / "second").read_text() == "1"


def test_another_stamp_replaces_everything(tmp_path: Path) -> None:
    make = Maker()
    folder = made_once(tmp_path / "model", "v1", make)
    (folder / "stale").touch()
    made_once(folder, "v2", make)
    assert (folder / "second").read_text() == "2"
    assert not (folder / "stale").exists()


def test_an_interrupted_run_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="interrupted"):
        made_once(tmp_path / "model", "v1", Maker(fails=True))
    assert list(tmp_path.iterdir()) == []
    folder = made_once(tmp_path / "model", "v1", Maker())
    with pytest.raises(RuntimeError, match="interrupted"):
        made_once(folder, "v2", Maker(fails=True))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (folder / "second").read_text() == "1"


def test_a_half_written_folder_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "first").write_text("half")
    make = Maker()
    made_once(folder, "v1", make)
    assert (folder / "first").read_text() == "1"


def test_a_folder_that_another_process_finished_meanwhile_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def slow(scratch: Path) -> None:
        made_once(folder, "v1", Maker())
        (folder / "theirs").touch()

    made_once(folder, "v1", slow)
    assert (folder / "theirs").exists()


def test_the_place_is_configured_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("GUARD_CACHE_DIR")
    assert cache_dir() == Path.home() / ".cache" / "guard-forget"
