"""The pages say what the code does: generated blocks, names of everything, links and examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from guard.api.app import ENDPOINTS, Application
from guard.config import Settings
from guard.config_reference import setting_keys
from guard.evaluate.settings import load_compare_settings
from guard.policy import load_policy_set, policy_schema
from guard.restrict import PhraseAutomaton
from guard.serving import Worker
from guard.settings_file import load_settings
from scripts.generated_docs import (
    BLOCKS,
    blocks_in,
    commands,
    generated,
    metric_name,
    options,
    served_metrics,
)
from tests.support.policies import automaton

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
TEXT = {path: path.read_text("utf-8") for path in PAGES}
OPERATING = TEXT[DOCS / "operating.md"]
COMMANDS = list(commands())
# Upper-case names in quotes, in files that read the environment.
_OTHERS = {  # properties and values of OpenVINO and oneDNN
    "AVX512_CORE_FP16",
    "INFERENCE_NUM_THREADS",
    "INFERENCE_PRECISION_HINT",
    "OPTIMIZATION_CAPABILITIES",
    "PERFORMANCE_HINT",
}
VARIABLE = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"')
DATA = {
    "pairs.jsonl": '{"question": "Who is it?", "answer": "An author from Kuwait."}\n',
    "prompts.csv": "question\nWho was born in Kuwait City?\n",
    "passages.txt": "A passage of the book that must not come out.\n",
}


def variables() -> list[str]:
    """Every environment variable that the packages name in files that touch the environment."""
    sources = [*ROOT.glob("guard/**/*.py"), *ROOT.glob("classifiers/**/*.py")]
    texts = (path.read_text("utf-8") for path in sources)
    read = [text for text in texts if "os.environ" in text]
    return sorted({name for text in read for name in VARIABLE.findall(text)} - _OTHERS)


def examples(language: str) -> list[str]:
    """Every fenced block of a language on the pages."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for text in TEXT.values() for block in fence.findall(text)]


def _row(text: str) -> str:
    """What a cell of the tables of disguises stands for."""
    return re.sub(r"<U\+([0-9A-F]{4,6})>", lambda found: chr(int(found[1], 16)), text)


def _disguises() -> tuple[list[str], list[str]]:
    """The first cells of the two tables: what is found, and what is not."""
    section = TEXT[DOCS / "how-it-works.md"].partition("\n## Disguises\n")[2].partition("\n## ")[0]
    found, _, missed = section.partition("\nThese are not:\n")
    cell = re.compile(r"^\| `(.+?)` \|", re.MULTILINE)
    return [_row(text) for text in cell.findall(found)], [_row(t) for t in cell.findall(missed)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_blocks_are_up_to_date(path: Path) -> None:
    assert generated(TEXT[path]) == TEXT[path], "run scripts/docs"


def test_every_generated_block_stands_on_a_page() -> None:
    assert set.union(*map(blocks_in, TEXT.values())) == BLOCKS.keys()


def test_a_changed_block_is_written_again() -> None:
    page = TEXT[DOCS / "cli.md"]
    assert generated(page.replace("`--port`", "`--harbour`")) == page


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_and_flag_is_described(name: str, command: object) -> None:
    section = TEXT[DOCS / "cli.md"].partition(f"\n### `{name}`\n")[2].partition("\n### ")[0]
    assert section
    for option in options(command):
        names = option.opts if option.param_type_name == "option" else [option.name.upper()]
        assert all(f"`{each}`" in section for each in names)


@pytest.mark.parametrize("key", setting_keys())
def test_every_setting_is_described(key: str) -> None:
    path, _, name = key.rpartition(".")
    title = f"`{path}`" if path else "The file"
    section = OPERATING.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    assert f"\n| `{name}` | " in section


def test_every_key_of_a_policy_is_described() -> None:
    schema = policy_schema()
    sections = [schema, *schema["$defs"].values()]
    keys = {key for section in sections for key in section.get("properties", ())}
    assert "similarity" in keys
    assert [key for key in keys if f"\n| `{key}` | " not in TEXT[DOCS / "policies.md"]] == []


@pytest.mark.parametrize("metric", [metric_name(metric) for metric in served_metrics()])
def test_every_metric_is_described(metric: str) -> None:
    assert f"\n| `{metric}` | " in OPERATING


def test_metrics_that_the_text_speaks_of_exist() -> None:
    others = {"guard_unavailable", "guard_model"}  # an error, a setting
    spoken_of = set(re.findall(r"`(guard_[a-z_]+)", OPERATING)) - others
    assert spoken_of <= {metric_name(metric) for metric in served_metrics()}


@pytest.mark.parametrize("variable", variables())
def test_every_environment_variable_is_described(variable: str) -> None:
    assert f"`{variable}`" in OPERATING


def test_the_search_for_environment_variables_finds_some() -> None:
    assert {"GUARD_UPSTREAM_API_KEY", "GUARD_CACHE_DIR"} <= set(variables())


def test_every_route_is_described(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(_plain_policy(), "utf-8")
    application = Application(Worker(Settings(), tmp_path))
    routes = {route.path.replace(":path}", "}") for route in application._others.routes}
    routes |= {endpoint.path for endpoint in ENDPOINTS}
    table = OPERATING.partition("\n## Endpoints\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(?:GET|POST) ([^`]+)`", table)) == routes


def _plain_policy() -> str:
    return yaml.safe_dump(
        {"version": 1, "name": "one", "forget": {"entities": [{"name": "Harry Potter"}]}}
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXT[path])
    missing = [
        link
        for link in links
        if not link.startswith(("http://", "https://")) and not (path.parent / link).exists()
    ]
    assert missing == []


def test_every_decision_is_in_the_index() -> None:
    files = {path.name for path in (DOCS / "decisions").glob("0*.md")}
    assert set(re.findall(r"\]\((0.+?\.md)\)", TEXT[DOCS / "decisions" / "README.md"])) == files


@pytest.mark.parametrize("block", examples("yaml"))
def test_every_yaml_example_is_one_that_guard_reads(block: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(block, "utf-8")
    content = yaml.safe_load(block)
    if "forget" in content:
        for name, data in DATA.items():
            (tmp_path / name).write_text(data, "utf-8")
        assert len(load_policy_set(file)) == 1
    elif content.keys() <= Settings.model_fields.keys():
        assert load_settings(file) != Settings()
    elif "arms" in content:
        assert load_compare_settings(file).arms
    else:
        assert "scrape_configs" in content  # Prometheus's own


NAMES: PhraseAutomaton = automaton(
    "Harry Potter", "Maria Skłodowska-Curie", "Will Power", "哈利波特", respellings=True
)


@pytest.mark.parametrize("text", _disguises()[0])
def test_disguises_that_the_page_lists_are_found(text: str) -> None:
    assert NAMES.find_all(text)


@pytest.mark.parametrize("text", _disguises()[1])
def test_texts_that_the_page_lists_as_harmless_are_not_found(text: str) -> None:
    assert not NAMES.find_all(text)


def test_both_tables_of_disguises_are_read() -> None:
    assert all(len(table) >= 5 for table in _disguises())
