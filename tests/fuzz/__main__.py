"""The coverage-guided fuzzer on the targets of `tests/fuzz/test_targets.py`.

    pip install -e '.[dev,fuzz]'
    python -m tests.fuzz [TARGET] [--seconds 60] [--grow]

A target is a property with hypothesis's strategies: atheris (libFuzzer) chooses the bytes that the
strategies read, led by the branches of `guard` that they reach. Without TARGET every one runs, each
in a process of its own. It starts from the inputs in `seeds/`; `--grow` then keeps there those that
reach lines of `guard` which no shorter one does. Stops at a counterexample, with exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import TARGETS, keep, seeds

# What numba compiles cannot be instrumented.
COMPILED = [
    f"guard.restrict.{path.stem}"
    for path in sorted((Path(__file__).parents[2] / "guard" / "restrict").glob("*.py"))
    if "njit" in path.read_text("utf-8")
]


def fuzz(target: str, seconds: int, corpus: Path) -> None:
    """Never returns: libFuzzer ends the process. What it finds is added to the folder `corpus`."""
    import atheris

    with atheris.instrument_imports(include=["guard"], exclude=COMPILED):
        from tests.fuzz import test_targets
    one = getattr(test_targets, TARGETS[target]).hypothesis.fuzz_one_input
    limits = [f"-max_total_time={seconds}", "-max_len=2048", "-len_control=0", "-verbosity=1"]
    limits.append(f"-artifact_prefix={tempfile.gettempdir()}/guard-fuzz-{target}-")
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
    atheris.Fuzz()


def run(target: str, seconds: int, *, grow: bool) -> int:
    """One target in a process of its own; returns its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(target)):
            Path(folder, f"seed-{number}").write_bytes(seed)
        line = [sys.executable, "-m", "tests.fuzz", target, "--seconds", str(seconds)]
        code = subprocess.run([*line, "--corpus", folder], check=False).returncode
        if grow and not code:
            keep(target, [path.read_bytes() for path in sorted(Path(folder).iterdir())])
        return code


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--grow", action="store_true", help="add what is found to the seeds")
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.target and options.corpus:
        fuzz(options.target, options.seconds, options.corpus)
    for target in [options.target] if options.target else TARGETS:
        if code := run(target, options.seconds, grow=options.grow):
            print(f"{target}: a counterexample, see above", file=sys.stderr)  # noqa: T201
            sys.exit(min(code, 1) or 1)


if __name__ == "__main__":
    main()
