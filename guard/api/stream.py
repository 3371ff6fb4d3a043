"""A filtered answer: upstream bytes in, bytes for the client out. Synchronous; `feed`, `flush`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from guard.api.endpoint import Part, Shape
from guard.api.phases import phase
from guard.api.sse import Block, SSEDecoder, beside_data
from guard.api.supplied import Supplied
from guard.asked import Asked
from guard.enforcement import Binding
from guard.errors import GuardError, UpstreamError, UpstreamGarbage
from guard.policy import Policy
from guard.restrict import (
    EndLane,
    Event,
    Forward,
    HoldBack,
    Meant,
    PhraseAutomaton,
    Question,
    Release,
    Scanner,
    SentenceHold,
    Trim,
)
from guard.rewind.watch import Watch

_NAMES_KEPT = 64
MAX_HELD = 4096  # events; a live match that spans more is not a match but an attack on memory


def _is_several(event: Event[Part]) -> bool:
    """Whether a match may begin in one text and end in another: channels of a lane, or strings of a
    JSON text."""
    seen: dict[int, object] = {}
    for piece in event.pieces:
        if not piece.text or phase(piece.channel) is None:
            continue
        if piece.text.lstrip()[:1] in ("{", "["):
            return True
        if seen.setdefault(piece.lane, piece.channel) != piece.channel:
            return True
    return False


@dataclass(slots=True)
class Findings:
    """What the output filter did to one answer: policies by what became of their matches.

    `meaning`: the highest score of a sentence that says what a policy forgets, by policy.
    """

    cut: list[str] = field(default_factory=list)
    meaning: dict[str, float] = field(default_factory=dict)
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
    """The output filter for one answer of an endpoint, whole or streamed.

    `flagged`: the policy that the request fell under. Where it says so, sentences are judged by
    meaning besides: after `whole`, `feed` and `flush` the caller asks for `questions` and brings
    the verdicts to `settle`, which returns what then may leave. Without that it does not leave.
    """

    def __init__(
        self, shape: Shape, binding: Binding, asked: Asked, flagged: Policy | None = None
    ) -> None:
        self._shape = shape
        self._asked = asked
        self._supplied = Supplied(binding.enforced, asked)
        self._automaton = binding.automaton
        # Without an enforced policy the answer is only watched: its bytes are not touched.
        self._acts = bool(binding.enforced)
        self._template: dict[str, object] = {}
        self._body: bytes | None = None  # of a whole answer that is rewritten or judged
        self._done = False
        self._harmless: set[bytes] = set()  # event names come again and again
        self._ended: set[int] = set()  # lanes whose end is out
        self.failure: UpstreamError | None = None
        self.findings = Findings()
        self.watch: Watch | None = None  # set where the answer may be taken back
        self._shadow = (
            Shadow(binding.shadow_automaton, self.findings) if binding.shadow_automaton else None
        )
        self._meaning: SentenceHold[Part] | None = None
        if self._acts and flagged is not None and binding.cache.is_judged(flagged):
            self._meaning = SentenceHold(self._supplied, asked.leads)

    @cached_property
    def _hold(self) -> HoldBack[Part]:
        # Made when first needed: a whole answer without a match never needs it.
        return HoldBack(self._automaton, self._supplied, self._asked.leads, phase)

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
        last = self._hold if self._meaning is None else self._meaning
        return len(last.cut_lanes) >= self._asked.lanes

    @property
    def template(self) -> dict[str, object]:
        """The last event that came, or the whole answer."""
        return self._template

    def whole(self, body: bytes) -> bytes:
        """Filter a whole answer; the same bytes when nothing in it matches.

        Raises UpstreamGarbage for what cannot be read, unless the answer is only watched.
        """
        try:
            event = self._shape.whole(body)
        except UpstreamError:
            if self._acts:
                raise
            return body
        if self._shadow is not None:
            self._shadow.watch(event)
            self._shadow.flush()
        if not self._acts:
            return body
        plain = event.payload.clean and not self._asked.leads and self._meaning is None
        if plain and not _is_several(event) and not self._finds(event):
            return body
        self._body = body
        self._template = event.payload.answer or {}
        if self.watch is not None:
            self.watch.note(event)
        return self._rewritten(self._judged(self._hold.feed(event) + self._hold.flush(), end=True))

    def _rewritten(self, releases: Sequence[Release[Part]]) -> bytes:
        assert self._body is not None
        for release in releases:
            if isinstance(release, Trim):
                self._body = self._shape.trimmed_whole(release)
            elif isinstance(release, EndLane):
                if self.watch is None or not self.watch.keeps(release):
                    self._note_cut(release)
                else:
                    self.watch.waiting[release.lane].releases.append(release)
            elif not release.event.payload.clean:
                self.findings.stripped += 1
                self._body = self._shape.stripped_whole(release.event.payload)
        return self._body if releases else b""

    def _finds(self, event: Event[Part]) -> bool:
        texts: dict[object, str] = {}
        for piece in event.pieces:  # a channel may have several: it is one text to the client
            key = (piece.lane, piece.channel)
            texts[key] = texts[key] + piece.text if key in texts else piece.text
        return any(map(self._automaton.find_all, texts.values()))

    def error_events(self, error: GuardError) -> bytes:
        """How the stream ends when it cannot go on."""
        return self._shape.error_events(error)

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
            out += self._write(self._judged(self._hold.flush(), end=True))
        if self._shadow is not None:
            self._shadow.flush()
        return out if self._acts else b""

    def questions(self) -> list[Question]:
        """Sentences to judge before what they are in may leave; each is handed out once."""
        return [] if self._meaning is None else self._meaning.questions()

    def settle(self, said: Sequence[Meant | None]) -> bytes:
        """Take the verdicts on those sentences, in their order; returns what then may leave."""
        assert self._meaning is not None, "only a judged answer has questions"
        for verdict in said:
            if verdict is not None:
                best = max(verdict.score, self.findings.meaning.get(verdict.policy, verdict.score))
                self.findings.meaning[verdict.policy] = best
        releases = self._meaning.settle(said)
        if self._body is not None:
            return self._rewritten(releases)
        out = self._write(releases)
        if not self._done and self.cut_short:
            self._done = True
            out += self._write([Forward(Event(Part(self._shape.end, done=True)))])
        return out

    def _judged(self, releases: list[Release[Part]], *, end: bool = False) -> list[Release[Part]]:
        """Of what matching lets go, what need not wait for its meaning to be judged."""
        if self._meaning is None:
            return releases
        free = self._meaning.feed(releases)
        return free + self._meaning.flush() if end else free

    def end_filtered(self) -> bytes:
        """The upstream gave up because of a ban: every lane that has not ended ends filtered. What
        is held may be the beginning of what was banned, and is dropped."""
        waiting = list(self.watch.waiting) if self.watch is not None else []
        out = b"".join([self.give_in(lane) for lane in waiting])
        self._done = True
        for lane in sorted(set(range(self._asked.lanes)) - self._ended):
            out += self._shape.lane_end(lane, self._template)
        return out + self._shape.end

    def _take_all(self, blocks: Iterable[Block]) -> bytes:
        out = bytearray()
        try:
            for block in blocks:
                if self._done:  # what stands behind the end is nobody's, garbage or not
                    break
                out += self._take(self._cleaned(block))
        except UpstreamError as error:
            if self._acts:
                self.failure = error
        return bytes(out)

    def _cleaned(self, block: Block) -> Event[Part]:
        """The event of a block, without comments and names that hold forbidden text."""
        beside = beside_data(block)
        if beside and beside not in self._harmless:
            if self._automaton.find_all(beside.decode("utf-8", "replace")):
                self.findings.stripped += 1
                block = self._shape.bare(block)
            elif len(self._harmless) < _NAMES_KEPT:
                self._harmless.add(beside)
        return self._shape.event(block)

    def _take(self, event: Event[Part]) -> bytes:
        if self._done:
            return b""
        if event.payload.answer is not None:
            self._template = event.payload.answer
        if self._shadow is not None:
            self._shadow.watch(event)
        if not self._acts:
            return b""
        if self.watch is not None:
            self.watch.note(event)
        releases = self._hold.feed(event)
        if event.payload.done:
            # After the end mark nothing can complete a match: what is held is benign text.
            releases += self._hold.flush()
        releases = self._judged(releases, end=event.payload.done)
        held = self._hold.held + (self._meaning.held if self._meaning is not None else 0)
        self.findings.most_held = max(self.findings.most_held, held)
        if held > MAX_HELD:
            raise UpstreamGarbage("the model server's answer cannot be checked")
        out = self._write(releases)
        if event.payload.done:
            self._done = True
        elif self.cut_short:
            self._done = True
            out += self._write([Forward(Event(Part(self._shape.end, done=True)))])
        return out

    def give_in(self, lane: int) -> bytes:
        """The end of a lane that waited to go on, and does not."""
        assert self.watch is not None, "only a watched lane waits"
        return self._written(self.watch.waiting[lane].releases)

    def rest(self, events: Iterable[Event[Part]]) -> bytes:
        """What waited for all lanes."""
        return self._written([Forward(event) for event in events])

    def _write(self, releases: list[Release[Part]]) -> bytes:
        return self._written(releases if self.watch is None else self.watch.set_aside(releases))

    def _written(self, releases: Iterable[Release[Part]]) -> bytes:
        out = bytearray()
        for release in releases:
            if isinstance(release, Forward):
                part = release.event.payload
                self._ended.update(release.event.ends)
                if part.clean:
                    out += self._shape.forwarded(part)
                else:
                    self.findings.stripped += 1
                    out += self._shape.stripped_block(part)
            elif isinstance(release, Trim):
                self._ended.update(release.event.ends)
                out += self._shape.trimmed_block(release)
            else:
                self._note_cut(release)
                self._ended.add(release.lane)
                out += self._shape.lane_end(release.lane, self._template)
        return bytes(out)

    def _note_cut(self, end: EndLane) -> None:
        self.findings.cut += end.policies
