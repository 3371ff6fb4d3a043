"""A filtered answer: upstream bytes in, bytes for the client out. Synchronous; `feed`, `flush`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from guard.api.sse import Block, SSEDecoder, beside_data, encode
from guard.api.surface import DONE_BLOCK, Part, Surface
from guard.asked import Asked
from guard.enforcement import Binding
from guard.errors import UpstreamError, UpstreamGarbage
from guard.restrict import (
    EndLane,
    Event,
    Forward,
    HoldBack,
    Phrase,
    PhraseAutomaton,
    Release,
    Scanner,
    Trim,
)
from guard.restrict.phrases import join

MAX_HELD = 4096  # events; a live match that spans more is not a match but an attack on memory


def is_supplied(phrase: Phrase, texts: Iterable[str]) -> bool:
    """Whether the request itself holds the whole of a forbidden run, in whatever disguise."""
    whole = Phrase(join(phrase.whole), True, phrase.kind, phrase.policy, phrase.whole)
    automaton = PhraseAutomaton([whole])
    return any(automaton.find_all(text) for text in texts)


@dataclass(slots=True)
class Findings:
    """What the output filter did to one answer: policies by what became of their matches."""

    cut: list[str] = field(default_factory=list)
    shadowed: set[str] = field(default_factory=set)
    stripped: int = 0
    most_held: int = 0


class Shadow:
    """Watches text for shadow policies; holds nothing back."""

    def __init__(self, automaton: PhraseAutomaton, findings: Findings) -> None:
        self._automaton = automaton
        self._findings = findings
        self._scanners: dict[object, Scanner] = {}

    def watch(self, event: Event[Part]) -> None:
        """Read one event."""
        for piece in event.pieces:
            key = (piece.lane, piece.channel)
            scanner = self._scanners.get(key)
            if scanner is None:
                scanner = self._scanners[key] = Scanner(self._automaton)
            self._note(scanner, piece.text)

    def flush(self) -> None:
        """The answer has ended."""
        for scanner in self._scanners.values():
            self._note(scanner, None)

    def _note(self, scanner: Scanner, text: str | None) -> None:
        for match in scanner.flush() if text is None else scanner.feed(text):
            self._findings.shadowed.update(phrase.policy for phrase in match.phrases)


class AnswerFilter:
    """The output filter for one answer of a surface, whole or streamed."""

    def __init__(self, surface: Surface, binding: Binding, asked: Asked) -> None:
        self._surface = surface
        self._asked = asked
        self._parametric = {p.name for p in binding.enforced if p.scope == "parametric"}
        self._supplied: dict[Phrase, bool] = {}
        self._automaton = binding.automaton
        # Without an enforced policy the answer is only watched: its bytes are not touched.
        self._acts = bool(binding.enforced)
        self._template: dict[str, object] = {}
        self._done = False
        self._ended: set[int] = set()  # lanes whose end is out
        self.failure: UpstreamError | None = None
        self.findings = Findings()
        self._shadow = (
            Shadow(binding.shadow_automaton, self.findings) if binding.shadow_automaton else None
        )

    @cached_property
    def _hold(self) -> HoldBack[Part]:
        # Made when first needed: a whole answer without a match never needs it.
        return HoldBack(self._automaton, self._exempt, self._asked.leads)

    @cached_property
    def _decoder(self) -> SSEDecoder:
        return SSEDecoder()

    @property
    def ended(self) -> bool:
        """True when the end mark is out: nothing more can follow."""
        return self._done

    @property
    def cut_short(self) -> bool:
        """True when every lane was cut: the upstream need not go on."""
        return len(self._hold.cut_lanes) >= self._asked.lanes

    def whole(self, body: bytes) -> bytes:
        """Filter a whole answer; the same bytes when nothing in it matches.

        Raises UpstreamGarbage for what cannot be read, unless the answer is only watched.
        """
        try:
            event = self._surface.whole(body)
        except UpstreamError:
            if self._acts:
                raise
            return body
        if self._shadow is not None:
            self._shadow.watch(event)
            self._shadow.flush()
        if not self._acts:
            return body
        if event.payload.clean and not self._asked.leads and not self._finds(event):
            return body
        return self._rewritten(event, body)

    def _rewritten(self, event: Event[Part], body: bytes) -> bytes:
        for release in self._hold.feed(event) + self._hold.flush():
            if isinstance(release, Trim):
                body = self._surface.trimmed_whole(release)
            elif isinstance(release, EndLane):
                self._note_cut(release)
            elif not event.payload.clean:
                self.findings.stripped += 1
                body = self._surface.stripped_whole(event.payload)
        return body

    def _finds(self, event: Event[Part]) -> bool:
        return any(self._automaton.find_all(piece.text) for piece in event.pieces)

    def feed(self, chunk: bytes) -> bytes:
        """Take upstream bytes; returns what may leave. A bad event is remembered as `failure`:
        what came before it may still leave."""
        out = self._take_all(self._decoder.feed(chunk))
        return out if self._acts else chunk

    def flush(self) -> bytes:
        """The upstream has ended."""
        # After the end mark, or a cut, what is left of a block is nobody's any more.
        out = b"" if self._done else self._take_all(self._decoder.flush())
        if self._acts and not self._done and self.failure is None:
            out += self._write(self._hold.flush())
        if self._shadow is not None:
            self._shadow.flush()
        return out if self._acts else b""

    def end_filtered(self) -> bytes:
        """The upstream gave up because of a ban: every lane that has not ended ends filtered. What
        is held may be the beginning of what was banned, and is dropped."""
        out = b""
        self._done = True
        open_lanes = set(range(self._asked.lanes)) - self._ended - set(self._hold.cut_lanes)
        for lane in sorted(open_lanes):
            out += self._surface.lane_end(lane, self._template)
        return out + DONE_BLOCK

    def _take_all(self, blocks: Iterable[Block]) -> bytes:
        out = bytearray()
        try:
            for block in blocks:
                out += self._take(self._cleaned(block))
        except UpstreamError as error:
            if self._acts:
                self.failure = error
        return bytes(out)

    def _cleaned(self, block: Block) -> Event[Part]:
        """The event of a block, without comments and names that hold forbidden text."""
        beside = beside_data(block)
        if beside and self._automaton.find_all(beside.decode("utf-8", "replace")):
            self.findings.stripped += 1
            block = Block(b"" if block.data is None else encode(block.data), block.data)
        return self._surface.event(block)

    def _take(self, event: Event[Part]) -> bytes:
        if self._done:
            return b""
        if event.payload.answer is not None:
            self._template = event.payload.answer
        if self._shadow is not None:
            self._shadow.watch(event)
        if not self._acts:
            return b""
        releases = self._hold.feed(event)
        if event.payload.done:
            # After the end mark nothing can complete a match: what is held is benign text.
            releases += self._hold.flush()
        held = self._hold.held
        self.findings.most_held = max(self.findings.most_held, held)
        if held > MAX_HELD:
            raise UpstreamGarbage("the model server's answer cannot be checked")
        out = self._write(releases)
        if event.payload.done:
            self._done = True
        elif self.cut_short:
            self._done = True
            out += DONE_BLOCK
        return out

    def _write(self, releases: Iterable[Release[Part]]) -> bytes:
        out = bytearray()
        for release in releases:
            if isinstance(release, Forward):
                part = release.event.payload
                self._ended.update(release.event.ends)
                if part.clean:
                    out += part.raw
                else:
                    self.findings.stripped += 1
                    out += self._surface.stripped_block(part)
            elif isinstance(release, Trim):
                self._ended.update(release.event.ends)
                out += self._surface.trimmed_block(release)
            else:
                self._note_cut(release)
                out += self._surface.lane_end(release.lane, self._template)
        return bytes(out)

    def _note_cut(self, end: EndLane) -> None:
        self.findings.cut += sorted({phrase.policy for phrase in end.match.phrases})

    def _exempt(self, phrase: Phrase) -> bool:
        if phrase.policy not in self._parametric:
            return False
        if phrase not in self._supplied:
            self._supplied[phrase] = is_supplied(phrase, (*self._asked.texts, *self._asked.spans))
        return self._supplied[phrase]
