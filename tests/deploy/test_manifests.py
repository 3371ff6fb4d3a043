"""The deployment files agree with the command line, with vLLM's own, and with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from starlette.routing import Match, Route

from guard.cli.main import app
from guard.demo.engine import PLUGIN
from guard.policy import load_policy_set
from guard.restrict.vllm_plugin.options import SHELF, options_of

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
KUBERNETES = {
    (item["kind"], item["metadata"]["name"]): item
    for item in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
}
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()


def container(deployment: str) -> dict[str, Any]:
    (found,) = KUBERNETES["Deployment", deployment]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` pairs, as a dictionary."""
    values = iter([*arguments[1:], ""])
    return {
        name: "" if value.startswith("--") else value
        for name, value in zip(arguments, values, strict=False)
        if name.startswith("--")
    }


GUARD = {
    "compose": COMPOSE["guard"]["command"],
    "kubernetes": container("guard")["args"],
    "Containerfile": yaml.safe_load(re.findall(r"^CMD (\[.*\])", CONTAINERFILE, re.M)[-1]),
}
VLLM = {"compose": COMPOSE["vllm"]["command"], "kubernetes": container("vllm")["args"]}


@pytest.mark.parametrize("arguments", GUARD.values(), ids=GUARD)
def test_the_guard_is_started_with_options_it_has(arguments: list[str]) -> None:
    command, *rest = arguments
    commands = typer.main.get_command(app)
    serve = commands.commands[command]  # type: ignore[attr-defined]
    context = serve.make_context(command, list(rest))
    assert str(context.params["policies"]) == "/policies"
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8080)


@pytest.mark.parametrize("arguments", VLLM.values(), ids=VLLM)
@pytest.mark.vllm
def test_vllm_is_started_with_options_it_has(
    arguments: list[str],
) -> None:
    pytest.importorskip("vllm")
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(arguments)
    assert parsed.logprobs_mode == "processed_logprobs"
    assert parsed.logits_processors == [PLUGIN]
    assert parsed.enable_log_requests is False
    assert parsed.disable_uvicorn_access_log is True
    assert (parsed.host, parsed.port) == ("0.0.0.0", 8000)
    assert parsed.served_model_name


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_the_guard_calls_vllm_where_it_listens(where: str) -> None:
    port = options(VLLM[where])["--port"]
    assert options(GUARD[where])["--upstream"] == f"http://vllm:{port}"


def test_vllm_is_not_published_and_both_sides_share_its_key() -> None:
    assert "ports" not in COMPOSE["vllm"]
    assert COMPOSE["vllm"]["environment"]["VLLM_API_KEY"].startswith("${VLLM_API_KEY:?")
    assert COMPOSE["guard"]["environment"]["GUARD_UPSTREAM_API_KEY"] == "${VLLM_API_KEY}"
    secrets = [
        variable["valueFrom"]["secretKeyRef"]
        for name in ("vllm", "guard")
        for variable in container(name)["env"]
        if variable["name"] in ("VLLM_API_KEY", "GUARD_UPSTREAM_API_KEY")
    ]
    assert secrets == [secrets[0]] * 2


def test_both_sides_share_the_shelf() -> None:
    variables = {v["name"]: v.get("value") for v in container("vllm")["env"]}
    for where, environment in (
        ("compose", COMPOSE["vllm"]["environment"]), ("kubernetes", variables),
    ):  # fmt: skip
        shelf = str(options_of({SHELF: environment[SHELF]}).shelf)
        assert options(GUARD[where])["--shelf"] == shelf
        assert options(VLLM[where])["--logits-processors"] == PLUGIN
        assert f"-m 2770 -o guard -g guard {shelf}" in CONTAINERFILE
    for name in ("vllm", "guard"):
        assert f"shelf:{shelf}" in COMPOSE[name]["volumes"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
        assert mounts["shelf"] == shelf
        pod = KUBERNETES["Deployment", name]["spec"]["template"]["spec"]
        (claim,) = [v["persistentVolumeClaim"] for v in pod["volumes"] if v["name"] == "shelf"]
        assert ("PersistentVolumeClaim", claim["claimName"]) in KUBERNETES
        assert pod["securityContext"]["fsGroup"] == 10001
    # The volume takes the mode of the guard's image, so that is mounted first.
    assert COMPOSE["shelf"]["image"] == COMPOSE["guard"]["image"]
    assert "shelf" in COMPOSE["vllm"]["depends_on"]


def test_only_the_guard_may_connect_to_vllm() -> None:
    spec = KUBERNETES["NetworkPolicy", "only-guard-reaches-vllm"]["spec"]
    labels = KUBERNETES["Deployment", "vllm"]["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"] == labels
    ((rule),) = spec["ingress"]
    (source,) = rule["from"]
    guard = KUBERNETES["Deployment", "guard"]["spec"]["template"]["metadata"]["labels"]
    assert source == {"podSelector": {"matchLabels": guard}}
    assert [port["port"] for port in rule["ports"]] == [int(options(VLLM["kubernetes"])["--port"])]


@pytest.mark.parametrize("name", ["guard", "vllm"])
def test_a_service_leads_to_its_pods(name: str) -> None:
    service = KUBERNETES["Service", name]["spec"]
    deployment = KUBERNETES["Deployment", name]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["selector"] == deployment["selector"]["matchLabels"] == labels
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    assert [port["targetPort"] for port in service["ports"]] == list(ports)
    assert [str(port) for port in ports.values()] == [options(container(name)["args"])["--port"]]


def served_paths() -> Iterator[str]:
    """Paths that probes ask for, of the guard."""
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    yield from (container("guard")[probe]["httpGet"]["path"] for probe in probes)
    yield from re.findall(r"http://127\.0\.0\.1:8080(/\w+)", CONTAINERFILE)


@pytest.mark.parametrize("path", sorted(set(served_paths())))
def test_a_probed_path_is_served(path: str) -> None:
    from guard.api.operators import router

    routes = router(None).routes  # type: ignore[arg-type]
    scope = {"type": "http", "method": "GET", "path": path}
    matches = [r.matches(scope)[0] for r in routes if isinstance(r, Route)]
    assert Match.FULL in matches


def test_readiness_and_liveness_are_different_questions() -> None:
    guard = container("guard")
    assert guard["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert guard["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_guard_runs_without_privileges() -> None:
    pod = KUBERNETES["Deployment", "guard"]["spec"]["template"]["spec"]
    user = pod["securityContext"]["runAsUser"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {user}:" in CONTAINERFILE
    assert container("guard")["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert COMPOSE["guard"]["read_only"] is True
    assert COMPOSE["guard"]["cap_drop"] == ["ALL"]


def test_policies_are_mounted_read_only_where_they_are_looked_for() -> None:
    folder = options(GUARD["kubernetes"])["--policies"]
    mounts = {mount["name"]: mount for mount in container("guard")["volumeMounts"]}
    assert (mounts["policies"]["mountPath"], mounts["policies"]["readOnly"]) == (folder, True)
    assert COMPOSE["guard"]["volumes"][0].endswith(f":{folder}:ro")


def test_the_policies_of_the_config_map_load_as_kubernetes_lays_them_out(tmp_path: Path) -> None:
    # A ConfigMap appears as links through ..data into a dated folder, swapped as a whole.
    dated = tmp_path / "..2026_11_24"
    dated.mkdir()
    (tmp_path / "..data").symlink_to(dated.name)
    for name, text in KUBERNETES["ConfigMap", "guard-policies"]["data"].items():
        (dated / name).write_text(text)
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert [policy.name for policy in load_policy_set(tmp_path).policies] == ["marie-curie"]


@pytest.mark.parametrize("name", ["Containerfile", "vllm.Containerfile"])
def test_the_image_holds_everything_the_package_is_built_from(name: str) -> None:
    text = (DEPLOY / name).read_text()
    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M))
    files = {name for line in copied for name in line.split()}
    assert files >= {"pyproject.toml", "README.md", "LICENSE", "guard", "classifiers"}
