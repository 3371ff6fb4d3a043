"""Print what an installed vLLM requires, one requirement a line, as pip reads it.

With `--constraints` after the distribution's name: without extras, which constraints may not have.

torch is installed before, and the builds of the media libraries that PyPI offers do not match the
CPU build of torch: with them installed, `import vllm` fails.
"""

import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

LEFT_OUT = {"torch", "torchaudio", "torchcodec", "torchvision"}


def main(distribution: str, *options: str) -> None:
    for line in requires(distribution) or ():
        wanted = Requirement(line)
        if wanted.name.lower() in LEFT_OUT:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
            name = wanted.name + ("" if "--constraints" in options else extras)
            print(f"{name}{wanted.specifier}")


if __name__ == "__main__":
    main(*sys.argv[1:])
