"""`guard serve`: the proxy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import uvicorn

from guard.cli.progress import progress_bars
from guard.config import Settings
from guard.errors import ConfigError, DetectorError, PolicyError
from guard.settings_file import load_settings

# Load balancers keep what is idle for 60 s, clients for 5: whoever may be asking must close first.
_IDLE_SECONDS = 75

Level = Literal["debug", "info", "warning", "error"]

log = logging.getLogger("guard")


def serve(
    policies: Annotated[Path, typer.Option(help="Directory of forget policies (*.yaml).")],
    upstream: Annotated[
        str | None, typer.Option(help="Base address of the model server, without /v1.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 8080,
    shelf: Annotated[
        Path | None,
        typer.Option(help="Directory shared with the model server's plugin (its GUARD_SHELF)."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    config: Annotated[
        Path | None, typer.Option(help="Settings file (YAML); the options above win over it.")
    ] = None,
    log_level: Annotated[Level, typer.Option(help="How much is logged.")] = "info",
) -> None:
    """Serve the guarded endpoint in front of a model server.

    Example: guard serve --policies policies --upstream http://127.0.0.1:8000
    """
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    with ExitStack() as until_the_end:
        try:
            settings = load_settings(config, upstream=upstream, shelf=shelf)
            log.info("reading the policies in %s", policies)
            with progress_bars() as progress:
                if workers == 1:
                    app: Any = _alone(settings, policies, progress)
                else:
                    from guard.workers.supervisor import shared_services

                    services = shared_services(
                        settings, policies, workers=workers, log_level=log_level, progress=progress
                    )
                    app = until_the_end.enter_context(services)
        except (PolicyError, ConfigError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
        except DetectorError as error:
            typer.echo(f"The detectors cannot start: {error}", err=True)
            raise typer.Exit(2) from None
        uvicorn.run(
            app,
            factory=workers > 1,
            workers=workers,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            log_level=log_level,
            # A worker that compiles a large set answers nobody for a while, and is not hung.
            timeout_worker_healthcheck=60,
        )


def _alone(settings: Settings, policies: Path, progress: Callable[[str, int, int], None]) -> Any:
    """The application of the only worker."""
    from guard.api.app import create_app
    from guard.serving import Worker

    return create_app(Worker(settings, policies, progress=progress))
