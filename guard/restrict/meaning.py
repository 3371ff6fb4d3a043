"""Sentence hold-back: an answer leaves a sentence at a time, each once it has been judged.

A second stage behind `HoldBack`, for answers to flagged prompts: it takes what that one lets go,
and keeps it until the sentences in it are judged. Whoever owns it takes the `questions` to the
encoder and brings the answers back with `settle`; nothing is waited for here. A sentence that says
what is to be forgotten ends its lane at its beginning.

A sentence is judged when it has ended; when its lane has; when its lane goes on in another
channel; or at 400 code points. At most that is held for meaning's sake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from guard.restrict.events import EndLane, Event, Forward, Piece, Release, Trim, shorten
from guard.restrict.folding import fold_words
from guard.restrict.holdback import LEAD
from guard.restrict.match import Match
from guard.restrict.phrases import Phrase
from guard.restrict.sentences import ENOUGH_WORDS, Sentence, Sentences, content_words

if TYPE_CHECKING:  # the engine plugin imports this file, next to a vLLM without our dependencies
    from guard.policy.compiled import Policy

P = TypeVar("P")


def forgotten_sentences(policy: Policy) -> tuple[str, ...]:
    """What a sentence of an answer is compared with: the sentences of the forgotten texts, and the
    answers of pairs as a whole besides. Empty unless answers to flagged prompts are read for
    meaning: the model answers them, and `restrict.meaning` is set."""
    if not policy.answered or policy.restrict.meaning is None:
        return ()
    found: dict[str, None] = {}
    for text in policy.texts:
        reading = Sentences()
        for sentence in (*reading.feed(text), *reading.flush()):
            if sentence.content >= ENOUGH_WORDS:
                found[sentence.text] = None
    for pair in policy.pairs:
        if content_words(pair.answer) >= ENOUGH_WORDS:
            found[pair.answer.strip()] = None
    return tuple(found)


class Question(NamedTuple):
    """A sentence that waits: does it say what is to be forgotten?"""

    lane: int
    channel: Hashable
    start: int
    end: int
    text: str


class Meant(NamedTuple):
    """A sentence says what this policy forgets; `score`: the cosine, or `UNJUDGED`."""

    policy: str
    score: float


UNJUDGED = -1.0  # no cosine: the sentence could not be judged, and the policy fails closed


@dataclass(slots=True)
class _Channel:
    """Offsets count code points from the start of the lead, where the channel has one."""

    sentences: Sentences
    released: int
    waiting: deque[Question] = field(default_factory=deque)

    @property
    def clear(self) -> int:
        """All text before this has been judged."""
        return self.waiting[0].start if self.waiting else self.sentences.start


@dataclass(slots=True)
class _Cut:
    """Where a lane ends, by channel; in the first event that reaches one of them."""

    matches: dict[Hashable, Match] = field(default_factory=dict)
    told: bool = False


@dataclass(slots=True)
class _Held(Generic[P]):
    release: Release[P]
    lanes: tuple[int, ...]
    spans: list[tuple[Piece, int, int]] = field(default_factory=list)  # piece, start, end


class SentenceHold(Generic[P]):
    """The state machine for one answer. `exempt` and `leads` are those of `HoldBack`."""

    def __init__(
        self,
        exempt: Callable[[Phrase], bool] | None = None,
        leads: Mapping[int, str] | None = None,
    ) -> None:
        self._exempt = exempt
        self._leads = leads or {}
        self._channels: dict[int, dict[Hashable, _Channel]] = {}
        self._held: deque[_Held[P]] = deque()
        self._cuts: dict[int, _Cut] = {}
        self._new: list[Question] = []  # not handed out yet
        self._asked: list[Question] = []
        self.cut_lanes: set[int] = set()  # lanes whose end has left, whoever ended them

    @property
    def held(self) -> int:
        """Events waiting."""
        return len(self._held)

    def feed(self, releases: Sequence[Release[P]]) -> list[Release[P]]:
        """Take what matching lets go; returns what may leave now."""
        for release in releases:
            self._held.append(self._read(release))
        return self._drain()

    def flush(self) -> list[Release[P]]:
        """The upstream is done: every sentence ends here."""
        for lane in self._channels:
            self._end_sentences(lane)
        return self._drain()

    def questions(self) -> list[Question]:
        """The sentences to judge; each is handed out once."""
        asked, self._new = self._new, []
        self._asked += asked
        return asked

    def settle(self, said: Sequence[Meant | None]) -> list[Release[P]]:
        """Take the verdicts on the questions handed out, in their order, None for benign; returns
        what may leave now."""
        for question, verdict in zip(self._asked, said, strict=True):
            channel = self._channels[question.lane][question.channel]
            channel.waiting.remove(question)
            if verdict is not None:
                self._cut(question, verdict, channel)
        self._asked = []
        return self._drain()

    def reopen(self, lane: int) -> None:
        """A lane that has ended goes on after all, with a new text."""
        self._channels.pop(lane, None)
        self._cuts.pop(lane, None)
        self.cut_lanes.discard(lane)
        self._leads = {owner: lead for owner, lead in self._leads.items() if owner != lane}

    # --- reading ---------------------------------------------------------------------------

    def _read(self, release: Release[P]) -> _Held[P]:
        if isinstance(release, EndLane):
            self._end_sentences(release.lane)
            return _Held(release, (release.lane,))
        event = release.event
        held = _Held(release, event.lanes)
        for piece, text in _remaining(release):
            if piece.lane in self._cuts:
                continue
            self._pause_others(piece)
            channel = self._channel(piece)
            start = channel.sentences.end
            self._ask(piece.lane, piece.channel, channel, channel.sentences.feed(text))
            held.spans.append((piece, start, start + len(text)))
        closed = release.closed if isinstance(release, Trim) else frozenset()
        for lane in {*event.ends, *closed}:
            self._end_sentences(lane)
        return held

    def _channel(self, piece: Piece) -> _Channel:
        channels = self._channels.setdefault(piece.lane, {})
        if piece.channel not in channels:
            # A sentence may begin in the lead; those that end there are the client's own.
            lead = self._leads.get(piece.lane, "")[-LEAD:]
            sentences = Sentences()
            sentences.feed(lead)
            channels[piece.channel] = _Channel(sentences, len(lead))
        return channels[piece.channel]

    def _pause_others(self, piece: Piece) -> None:
        """A lane that goes on in another channel may never come back to finish its sentence."""
        for name, channel in self._channels.get(piece.lane, {}).items():
            if name != piece.channel and channel.sentences.start != channel.sentences.end:
                self._ask(piece.lane, name, channel, channel.sentences.flush())

    def _end_sentences(self, lane: int) -> None:
        if lane not in self._cuts:
            for name, channel in self._channels.get(lane, {}).items():
                self._ask(lane, name, channel, channel.sentences.flush())

    def _ask(
        self, lane: int, name: Hashable, channel: _Channel, sentences: Sequence[Sentence]
    ) -> None:
        for start, end, text, content in sentences:
            if content and end > channel.released:
                question = Question(lane, name, start, end, text)
                channel.waiting.append(question)
                self._new.append(question)

    def _cut(self, question: Question, verdict: Meant, channel: _Channel) -> None:
        whole = tuple(fold_words(question.text))
        phrase = Phrase(b"", False, "meaning", verdict.policy, whole)
        if self._exempt is not None and self._exempt(phrase):
            return
        start = max(question.start, channel.released)
        if question.lane not in self._cuts:
            self._end_sentences(question.lane)  # nothing more is read of this lane
        cut = self._cuts.setdefault(question.lane, _Cut())
        earlier = cut.matches.get(question.channel)
        if earlier is None or start < earlier.start:
            cut.matches[question.channel] = Match(start, question.end, (phrase,))

    # --- letting go ------------------------------------------------------------------------

    def _drain(self) -> list[Release[P]]:
        released: list[Release[P]] = []
        blocked: set[int] = set()
        waiting: deque[_Held[P]] = deque()
        for held in self._held:
            if held.lanes:
                free = blocked.isdisjoint(held.lanes) and self._is_free(held)
            else:
                free = not waiting
            if free:
                self._let_go(held, released)
            else:
                waiting.append(held)
                blocked.update(held.lanes)
        self._held = waiting
        return released

    def _is_free(self, held: _Held[P]) -> bool:
        for piece, _, end in held.spans:
            cut = self._cuts.get(piece.lane)
            if cut is not None and cut.told:
                continue
            match = cut.matches.get(piece.channel) if cut is not None else None
            needed = end if match is None else min(end, match.start)
            if needed > self._channels[piece.lane][piece.channel].clear:
                return False
        return True

    def _let_go(self, held: _Held[P], released: list[Release[P]]) -> None:
        release = held.release
        if isinstance(release, EndLane):
            if release.lane not in self.cut_lanes:
                self.cut_lanes.add(release.lane)
                released.append(release)
            return
        keep: dict[Hashable, int] = {}
        dropped: set[int] = set()
        ended: list[EndLane] = []
        for lane in held.lanes:
            cut = self._cuts.get(lane)
            if cut is None:
                continue
            if cut.told:
                dropped.add(lane)
                continue
            reached = list(_reached(held, lane, cut))
            if reached:
                shorten(keep, ((piece.slot, length) for piece, length in reached))
                ended.append(EndLane(lane, cut.matches[reached[0][0].channel]))
                cut.told = True
        for piece, _, end in held.spans:
            if piece.lane in self._channels:
                self._channels[piece.lane][piece.channel].released = end
        released += _combined(release, frozenset(dropped), ended, keep)
        for end_lane in ended:
            self.cut_lanes.add(end_lane.lane)
            released.append(end_lane)


def _remaining(release: Forward[P] | Trim[P]) -> Iterator[tuple[Piece, str]]:
    """The pieces of an event that matching left, and what is left of them."""
    for piece in release.event.pieces:
        text = piece.text
        if isinstance(release, Trim):
            if piece.lane in release.dropped:
                continue
            if piece.lane in release.closed:
                text = "" if None in release.keep else text[: release.keep.get(piece.slot)]
        if text:
            yield piece, text


def _reached(held: _Held[P], lane: int, cut: _Cut) -> Iterator[tuple[Piece, int]]:
    for piece, start, end in held.spans:
        match = cut.matches.get(piece.channel)
        if piece.lane == lane and match is not None and end > match.start:
            yield piece, max(0, match.start - start)


def _combined(
    release: Forward[P] | Trim[P],
    dropped: frozenset[int],
    ended: Sequence[EndLane],
    keep: Mapping[Hashable, int],
) -> Iterator[Release[P]]:
    """The event, with what both stages take out of it; nothing when no lane of it is left."""
    event: Event[P] = release.event
    closed = frozenset(end.lane for end in ended)
    if isinstance(release, Trim):
        dropped |= release.dropped
        closed |= release.closed - dropped
        keep = {**release.keep, **keep}
    if not dropped and not closed:
        yield Forward(event)
    elif not event.lanes or not dropped.issuperset(event.lanes):
        yield Trim(event, dropped, closed, dict(keep))
