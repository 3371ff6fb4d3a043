"""The demo's guard: a policy folder that the user edits, and `guard serve` in front of a model."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from guard.demo.cache import cache_dir
from guard.demo.process import Server
from guard.errors import EngineError

EXAMPLE = "marie-curie.yaml"
_EXAMPLES = Path(__file__).resolve().parents[2] / "policies"


def demo_policy(folder: Path) -> Path:
    """The example policy in `folder`, copied there unless the user has it already.

    Raises `EngineError` where the examples are not beside the package.
    """
    policy = folder / EXAMPLE
    if not policy.exists():
        if not (_EXAMPLES / EXAMPLE).is_file():
            raise EngineError(
                f"No {EXAMPLE} in {folder}, and the examples are not installed: "
                "run the demo from a checkout of the repository"
            )
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_EXAMPLES / EXAMPLE, policy)
    return policy


class Guard(Server):
    """`guard serve` as a child process; ready when its policies are and the model answers. `shelf`:
    where the plugin of that model server looks for policies; `config`: a settings file."""

    def __init__(
        self,
        policies: Path,
        upstream: str,
        *,
        host: str,
        port: int,
        shelf: Path | None = None,
        config: Path | None = None,
    ) -> None:
        reachable = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        self.url = f"http://{reachable}:{port}"
        # -c, because the console script may not be on the path of this interpreter.
        command = [sys.executable, "-c", "from guard.cli.main import main; main()", "serve"]
        command += ["--policies", str(policies), "--upstream", upstream]
        command += ["--host", host, "--port", str(port)]
        if shelf is not None:
            command += ["--shelf", str(shelf)]
        if config is not None:
            command += ["--config", str(config)]
        super().__init__(
            command,
            ready_url=f"{self.url}/readyz",
            log=cache_dir() / "logs" / f"guard-{port}.log",
            env={"HF_HUB_OFFLINE": "1"},
            name="guard",
        )
