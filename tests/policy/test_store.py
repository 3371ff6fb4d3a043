"""The store follows real files with the real watcher, and never trades a good set for a bad one."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from guard.errors import DetectorError, GuardError, PolicyError, Problem
from guard.policy import PolicySet, PolicyStore
from tests.policy.conftest import Write

SECRET = "Basil Mahfouz"


def policy(texts: str = "first text", name: str = "sample") -> str:
    return (
        f"version: 1\nname: {name}\nforget:\n  entities: [{{name: {SECRET}}}]\n  texts: [{texts}]\n"
    )


def texts_of(policies: PolicySet) -> list[tuple[str, ...]]:
    return [policy.texts for policy in policies.policies]


class Watched:
    """A store under watch, with what its callbacks were given."""

    def __init__(self, store: PolicyStore) -> None:
        self.store = store
        self.swapped: list[PolicySet] = []
        self.rejected: list[PolicyError] = []
        self._event = asyncio.Event()

    def on_swap(self, policies: PolicySet) -> None:
        self.swapped.append(policies)
        self._event.set()

    def on_reject(self, error: PolicyError) -> None:
        self.rejected.append(error)
        self._event.set()

    async def next(self, reached: Callable[[], bool]) -> None:
        """Waits for callbacks until the condition holds."""
        async with asyncio.timeout(30):
            while not reached():
                await self._event.wait()
                self._event.clear()
            # The callback comes before the swap: let the store finish.
            while self.swapped and self.store.status.swaps < len(self.swapped):
                await asyncio.sleep(0)


@asynccontextmanager
async def watching(directory: Path, poll_seconds: float = 0.5) -> AsyncIterator[Watched]:
    store = PolicyStore(directory, poll_seconds=poll_seconds, settle_seconds=0.05)
    watched = Watched(store)
    stop = asyncio.Event()
    task = asyncio.create_task(
        store.watch(stop, on_swap=watched.on_swap, on_reject=watched.on_reject)
    )
    try:
        yield watched
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def test_an_edit_of_a_policy_file_takes_over(write: Write) -> None:
    directory = write(policy()).parent
    async with watching(directory) as watched:
        old = watched.store.current
        write(policy("second text"))
        await watched.next(lambda: bool(watched.swapped))
        assert texts_of(watched.store.current) == [("second text",)]
        assert watched.store.current is watched.swapped[-1]
        assert texts_of(old) == [("first text",)]


async def test_files_that_come_and_go_take_over(write: Write) -> None:
    directory = write(policy()).parent
    async with watching(directory) as watched:
        second = write(policy(name="other"), "other.yml")
        await watched.next(lambda: len(watched.store.current) == 2 or bool(watched.swapped))
        assert "other" in watched.store.current
        second.unlink()
        await watched.next(lambda: len(watched.swapped) == 2)
        assert "other" not in watched.store.current


async def test_an_edit_of_a_data_file_in_another_directory_takes_over(write: Write) -> None:
    data = write("first line\n", "shared/lines.txt")
    directory = write(
        "version: 1\nname: a\nforget: {texts: {file: ../shared/lines.txt}}\n", "policies/a.yaml"
    ).parent
    async with watching(directory) as watched:
        data.write_text("second line\n")
        await watched.next(lambda: bool(watched.swapped))
        assert texts_of(watched.store.current) == [("second line",)]


async def test_a_folder_swapped_behind_a_symbolic_link_takes_over(
    write: Write, tmp_path: Path
) -> None:
    # Kubernetes updates a ConfigMap volume this way: no file in the watched folder is written.
    write(policy("old text"), "v1/sample.yaml")
    write(policy("new text"), "v2/sample.yaml")
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "sample.yaml").symlink_to("../data/sample.yaml")
    async with watching(tmp_path / "live") as watched:
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").replace(tmp_path / "data")
        await watched.next(lambda: bool(watched.swapped))
        assert texts_of(watched.store.current) == [("new text",)]


def break_yaml(directory: Path) -> None:
    (directory / "sample.yaml").write_text("version: 1\nname: [sam")


def forbid_key(directory: Path) -> None:
    (directory / "sample.yaml").write_text(policy() + "mesage: no\n")


def empty_file(directory: Path) -> None:
    (directory / "sample.yaml").write_bytes(b"")


def empty_directory(directory: Path) -> None:
    (directory / "sample.yaml").unlink()


def remove_directory(directory: Path) -> None:
    shutil.rmtree(directory)


def add_a_bad_file(directory: Path) -> None:
    (directory / "zz.yaml").write_bytes(b"\xff\xfe")


def make_unreadable(directory: Path) -> None:
    (directory / "sample.yaml").unlink()
    (directory / "sample.yaml").symlink_to("sample.yaml")  # not even root can read it


@pytest.mark.parametrize(
    "damage",
    [
        *(break_yaml, forbid_key, empty_file, empty_directory, remove_directory, add_a_bad_file),
        make_unreadable,
    ],
)
async def test_the_last_good_set_stays_until_the_files_are_good_again(
    write: Write, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    directory = write(policy(), "policies/sample.yaml").parent
    async with watching(directory) as watched:
        good = watched.store.current
        with caplog.at_level(logging.INFO, "guard.policy"):
            damage(directory)
            await watched.next(lambda: bool(watched.rejected))
        assert watched.store.current is good
        assert watched.store.status.last_error is watched.rejected[-1]
        assert watched.store.status.swaps == 0
        assert "policies rejected" in caplog.text
        assert SECRET not in caplog.text
        assert "first text" not in caplog.text

        (directory / "zz.yaml").unlink(missing_ok=True)
        if directory.exists():
            (directory / "sample.yaml").unlink(missing_ok=True)
        write(policy("mended text"), "policies/sample.yaml")
        await watched.next(lambda: bool(watched.swapped))
        assert texts_of(watched.store.current) == [("mended text",)]
        assert watched.store.status.last_error is None


async def test_a_missing_data_file_that_appears_elsewhere_is_noticed(write: Write) -> None:
    directory = write(policy(), "policies/sample.yaml").parent
    async with watching(directory) as watched:
        write(
            "version: 1\nname: b\nforget: {texts: {file: ../late/lines.txt}}\n", "policies/b.yaml"
        )
        await watched.next(lambda: bool(watched.rejected))
        write("a late line\n", "late/lines.txt")
        await watched.next(lambda: bool(watched.swapped))
        assert "b" in watched.store.current


def test_a_store_does_not_start_on_bad_policies(write: Write, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="holds no policy"):
        PolicyStore(tmp_path)
    write("nonsense")
    with pytest.raises(PolicyError, match="must be a mapping"):
        PolicyStore(tmp_path)


async def test_the_new_set_is_invisible_until_it_is_prepared(write: Write) -> None:
    store = PolicyStore(write(policy()).parent)
    old = store.current
    started, finish = asyncio.Event(), asyncio.Event()

    async def prepare(_: PolicySet) -> None:
        started.set()
        await finish.wait()

    write(policy("second text"))
    reloading = asyncio.create_task(store.reload(on_swap=prepare))
    await started.wait()
    assert store.current is old
    finish.set()
    assert await reloading
    assert texts_of(store.current) == [("second text",)]
    assert store.status.swaps == 1


@pytest.mark.parametrize(
    "error",
    [
        DetectorError(f"could not embed {SECRET}"),
        PolicyError([Problem("sample.yaml", 4, "forget.entities[0].name", "compiles to nothing")]),
    ],
)
async def test_a_set_that_cannot_be_prepared_is_rejected_without_quoting(
    write: Write, error: GuardError, caplog: pytest.LogCaptureFixture
) -> None:
    store = PolicyStore(write(policy()).parent)
    old = store.current
    rejected: list[PolicyError] = []

    def prepare(_: PolicySet) -> None:
        raise error

    write(policy("second text"))
    assert not await store.reload(on_swap=prepare, on_reject=rejected.append)
    assert store.current is old
    assert store.status.rejects == len(rejected) == 1
    assert SECRET not in caplog.text
    assert await store.reload()
    assert texts_of(store.current) == [("second text",)]


async def test_a_set_whose_preparation_failed_is_tried_again_without_another_edit(
    write: Write,
) -> None:
    store = PolicyStore(write(policy()).parent, poll_seconds=0.05, settle_seconds=0.01)
    stop, failures = asyncio.Event(), [DetectorError("busy"), DetectorError("busy")]

    def prepare(_: PolicySet) -> None:
        if failures:
            raise failures.pop()
        stop.set()

    write(policy("second text"))
    await asyncio.wait_for(store.watch(stop, on_swap=prepare), 30)
    assert texts_of(store.current) == [("second text",)]
    assert (store.status.rejects, store.status.swaps) == (2, 1)


async def test_rewriting_the_same_content_swaps_nothing(write: Write) -> None:
    store = PolicyStore(write(policy()).parent)
    swapped: list[PolicySet] = []
    write("# a comment does not count\n" + policy())
    assert not await store.reload(on_swap=swapped.append)
    assert swapped == []
    assert store.status.swaps == 0


async def test_a_change_of_dates_alone_takes_over_under_the_same_hash(write: Write) -> None:
    store = PolicyStore(write(policy()).parent)
    old = store.current
    write(policy() + "review_by: 2030-01-01\n")
    assert await store.reload()
    assert store.current.hash == old.hash
    assert store.current.policies[0].review_by is not None


async def test_where_file_events_fail_the_clock_is_enough(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_events(*_: object, **__: object) -> object:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr("watchfiles.main.RustNotify", no_events)
    async with watching(write(policy()).parent, poll_seconds=0.05) as watched:
        write(policy("second text"))
        await watched.next(lambda: bool(watched.swapped))
        assert texts_of(watched.store.current) == [("second text",)]
