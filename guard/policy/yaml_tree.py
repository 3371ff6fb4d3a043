"""Plain YAML to Python values that remember their lines.

PyYAML's node graph keeps positions, which its constructed values do not. Tags beyond YAML's core,
duplicate keys, deep nesting and alias bombs are refused. Messages never quote a value: a policy
file names what must not be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from guard.errors import PolicyError, Problem
from guard.policy.files import is_storable, read_text

Location = tuple[str | int, ...]

MAX_BYTES = 1_000_000
_MAX_DEPTH = 32
# Values reached again through aliases. A list of lists of aliases multiplies without this.
_MAX_REPEATS = 10_000
_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp"))
_QUOTED = re.compile(r"'([^']*)'")
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}\Z")


@dataclass(slots=True)
class Tree:
    """The top-level mapping of a file and the 1-based line of everything in it.

    A key's line is where the key stands, an item's where the item starts.
    """

    file: str
    root: dict[str, object] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, location: Location) -> int:
        """The line of a location, or of the nearest thing around it that exists."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def refuse(self, line: int, location: Location, message: str) -> None:
        """Adds one error."""
        self.problems.append(Problem(self.file, line, dotted(location), message))


def dotted(location: Location) -> str:
    """`("forget", "entities", 0, "name")` as `forget.entities[0].name`.

    A key that does not look like one is shown as `?`, since it may be a name to forget.
    """
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            shown = part if _PLAIN_KEY.match(part) else "?"
            path += f".{shown}" if path else shown
    return path


def read_tree(path: Path) -> Tree:
    """Reads one YAML file. Raises PolicyError when there is no mapping to go on with.

    Lesser faults (a duplicate key, a forbidden tag) are left in `Tree.problems`.
    """
    tree = Tree(str(path))
    text = read_text(path, limit=MAX_BYTES)
    node = _compose(tree, text)
    if node is None:
        raise PolicyError([Problem(tree.file, 1, "", "is empty; a policy is a mapping of keys")])
    if not isinstance(node, MappingNode):
        line = node.start_mark.line + 1
        raise PolicyError([Problem(tree.file, line, "", "must be a mapping of keys to values")])
    root = _Builder(tree).build(node, ())
    if not isinstance(root, dict):  # the tag on the mapping was refused
        raise PolicyError(tree.problems)
    tree.root = root
    return tree


class _Loader(yaml.SafeLoader):
    """Composes nodes with bounded nesting, well before Python's recursion limit."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(
                problem=f"more than {_MAX_DEPTH} levels of nesting", problem_mark=mark
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _compose(tree: Tree, text: str) -> Node | None:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = Problem(tree.file, line, "", "is not YAML: holds a control character")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = _QUOTED.sub(_unquoted, error.problem or error.context or "cannot be parsed")
        problem = Problem(tree.file, mark.line + 1 if mark else 1, "", f"is not YAML: {reason}")
    raise PolicyError([problem])


def _unquoted(quoted: re.Match[str]) -> str:
    # PyYAML quotes what it found. A sign or a token's kind may be shown; a word may be a name.
    found = quoted[1]
    return quoted[0] if len(found) < 2 or found[0] in "<\\" else "..."


class _Builder:
    """Turns nodes into values, noting lines and faults in the tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._values = yaml.constructor.SafeConstructor()
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeats = 0

    def build(self, node: Node, location: Location) -> object:
        line = node.start_mark.line + 1
        self._tree.lines.setdefault(location, line)
        if not self._admit(node, location):
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
                return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
            if isinstance(node, MappingNode) and node.tag == _TAG + "map":
                return self._mapping(node, location)
        finally:
            self._open.remove(id(node))
        self._tree.refuse(line, location, "YAML tags are not allowed here; write a plain value")
        return None

    def _admit(self, node: Node, location: Location) -> bool:
        """Refuses a node inside itself, and stops when aliases multiply."""
        line = self._tree.line(location)
        if id(node) in self._open:
            self._tree.refuse(line, location, "an anchor must not contain itself")
            return False
        if id(node) in self._seen:
            self._repeats += 1
            if self._repeats > _MAX_REPEATS:
                message = f"aliases repeat more than {_MAX_REPEATS:,} values"
                raise PolicyError([Problem(self._tree.file, line, dotted(location), message)])
        self._seen.add(id(node))
        return True

    def _scalar(self, node: ScalarNode, location: Location) -> object:
        line = node.start_mark.line + 1
        if node.tag not in _SCALARS:
            self._tree.refuse(line, location, "YAML tags are not allowed here; write a plain value")
            return None
        try:
            value: object = self._values.construct_object(node)
        except (ValueError, KeyError, AttributeError, yaml.YAMLError):
            # What a resolver's pattern lets through and Python does not: 2026-13-45, !!int x.
            kind = node.tag.removeprefix(_TAG)
            kind = "date" if kind == "timestamp" else kind
            self._tree.refuse(line, location, f"is not a {kind}; put text in quotes")
            return None
        if isinstance(value, str) and not is_storable(value):
            self._tree.refuse(line, location, "holds half a surrogate pair, which is not text")
        return value

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._tree.refuse(line, location, "a key must be a plain word")
                continue
            # Keys are taken as written: `on` or `1` is a word here, not a boolean or a number.
            key = key_node.value
            here = (*location, key)
            if key in values:
                first = self._tree.line(here)
                self._tree.refuse(line, here, f"is given twice; first on line {first}")
                continue
            self._tree.lines[here] = line
            values[key] = self.build(value_node, here)
        return values
