"""`guard demo`: a real model, asked directly and through the guard."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from guard.errors import EngineError, GuardError

START_TIMEOUT = 180.0  # seconds for the guard, whose detectors are built on the first start


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the talk; exit code 1 if it failed.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the guard; 0 picks a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address of the guard.")] = "127.0.0.1",
    policies: Annotated[
        Path, typer.Option(help="Folder that gets the example policy, for you to edit.")
    ] = Path("demo-policies"),
    upstream: Annotated[
        str | None, typer.Option(help="Use this model server instead of starting vLLM.")
    ] = None,
) -> None:
    """Talk to a real model that is to forget Marie Curie, directly and through the guard.

    Starts vLLM with Gemma 3 270M (downloaded by the package manager, no account needed), the
    guard in front of it, asks both the same questions and shows the answers side by side.

    Exit code 0: the subject was forgotten and benign answers were untouched; 1: not so, or a
    server failed.

    Example: guard demo --once
    """
    console = Console()
    try:
        from guard.demo.process import signals_end_the_block

        with signals_end_the_block(), ExitStack() as servers:
            failed = _run(console, servers, policies, upstream, host, port, once)
    except KeyboardInterrupt:
        console.print("\nEnded.")
        raise typer.Exit(0) from None
    except ImportError as error:
        console.print(f"[red]{error}[/red]: pip install 'guard-forget\\[demo,detect]'")
        raise typer.Exit(2) from None
    except GuardError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if failed else 0)


def _run(
    console: Console,
    servers: ExitStack,
    policies: Path,
    upstream: str | None,
    host: str,
    port: int,
    once: bool,
) -> bool:
    """The demo itself; whether the talk failed to show forgetting."""
    import httpx
    from openai import OpenAIError

    from guard.demo import render
    from guard.demo.process import free_port
    from guard.demo.serving import Guard, demo_policy
    from guard.demo.talk import faults, talk
    from guard.policy import load_policy_set

    policy = demo_policy(policies)
    names = [name for found in load_policy_set(policies).policies for name in found.names]
    if upstream:
        shelf = None
        upstream, model = upstream.rstrip("/").removesuffix("/v1"), _served_model(upstream)
    else:
        shelf = Path(servers.enter_context(TemporaryDirectory(prefix="guard-shelf-")))
        upstream, model = _start_engine(console, servers, shelf)
    guard = servers.enter_context(
        Guard(policies, upstream, host=host, port=port or free_port(), shelf=shelf)
    )
    with console.status("Starting the guard"):
        seconds = guard.wait(START_TIMEOUT)
    console.print(f"The guard is up ({seconds:.0f} s).\n", highlight=False)
    try:
        turns = talk(upstream, guard.url, model, told=lambda turn: render.show_turn(console, turn))
    except (OpenAIError, httpx.HTTPError) as error:
        raise EngineError(f"The talk broke off: {error}. Logs: {guard.log}") from error
    found = faults(turns, names)
    render.show_end(console, turns, found)
    if not once:
        render.show_use(console, guard.url, policy)
        while guard.alive:
            time.sleep(0.5)
        raise EngineError(f"The guard ended; see {guard.log}")
    return bool(found)


def _served_model(upstream: str) -> str:
    """The first model that a server lists. Raises `EngineError`."""
    import httpx

    base = upstream.rstrip("/").removesuffix("/v1")
    try:
        listed = httpx.get(f"{base}/v1/models", timeout=10.0).raise_for_status().json()
        return str(listed["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError) as error:
        raise EngineError(f"{base}/v1/models lists no model: {error}") from error


def _start_engine(console: Console, servers: ExitStack, shelf: Path) -> tuple[str, str]:
    """Address and model name of a vLLM, with the guard's plugin, that ends with `servers`."""
    from guard.demo.engine import START_TIMEOUT as ENGINE_TIMEOUT
    from guard.demo.engine import Engine
    from guard.demo.model import CHAT_TEMPLATE, NAME, demo_model

    began = time.monotonic()
    with console.status("Preparing the model") as status:
        folder = demo_model(lambda step: status.update(f"Preparing the model, once: {step}"))
    console.print(f"The model is at hand ({time.monotonic() - began:.0f} s).", highlight=False)
    engine = servers.enter_context(
        Engine(folder, name=NAME, chat_template=CHAT_TEMPLATE, shelf=shelf)
    )
    with console.status("Starting vLLM") as status:
        seconds = engine.wait(
            ENGINE_TIMEOUT,
            lambda waited: status.update(f"Starting vLLM, about a minute: {waited:.0f} s"),
        )
    console.print(f"vLLM is up ({seconds:.0f} s).", highlight=False)
    return engine.url, NAME
