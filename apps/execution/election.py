"""Who should lead: the decisions of one site's execution app about the leadership.

Pure: `step(state, event) -> (state, action)`; times are nanoseconds of this process's
monotonic clock. A follower challenges a leader that was silent for the detection time; a
closed peer link shortens that to two heartbeats, such as a leader writes that sees its
link closed, and never replaces it. The challenge
itself is a compare-and-swap on everything that the leader writes (`Challenge`), so that a
follower whose view is late loses it and hears of the leader instead: a suspicion is
wrong only where the leader really wrote nothing for so long.

Where takeover is manual, a site challenges nobody but a former process of its own: only an
order, which writes the leader key, moves the leadership to another site.
"""

from __future__ import annotations

import msgspec

from apps.core.journal import Leadership

TICKS_PER_DETECTION = 4
"""How often the detection time is looked at."""
FIRST_LEADER_S = 3
"""Before anybody ever led, each site waits so long for every site named before it."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment has agreed on, and who we are in it."""

    owner: str
    site: str
    rank: int
    """The place of our site among the sites that trade; 0 leads first."""
    manual: bool = False
    """Whether only an order moves the leadership to another site."""
    detection_ns: int
    beat_ns: int
    """How often a leader writes at least, while its link to us is down."""

    @property
    def tick_ns(self) -> int:
        """How often to look."""
        return self.detection_ns // TICKS_PER_DETECTION


class Election(msgspec.Struct, frozen=True, kw_only=True):
    """What a site that does not lead knows.

    `seen_mod` is the newest revision at which the leader wrote anything that we know of,
    `heard_ns` when we came to know it. `dark` says that the journal did not answer our
    last challenge: until it answers again, the leader could not be heard either.
    """

    terms: Terms
    leader: Leadership | None = None
    leader_mod: int = 0
    heard_ns: int = 0
    looked_ns: int = 0
    link_up: bool = False
    link_lost_ns: int | None = None
    """When the peer link was closed that had been up under this leader."""
    able: bool = False
    """Whether we could trade: session logged on, bus and journal at hand."""
    dark: bool = False
    asking: bool = False
    """A challenge or a question is under way."""

    @property
    def may_challenge(self) -> bool:
        """Whether the leadership is ours to take unasked."""
        if not self.terms.manual:
            return True
        if self.leader is None:
            return self.terms.rank == 0
        return self.leader.site == self.terms.site

    def awaits_order(self, at_ns: int) -> bool:
        """Return whether the leader is silent, and this site leads as soon as it is told to."""
        return self.able and not self.may_challenge and at_ns >= self.due_ns

    @property
    def due_ns(self) -> int:
        """When we challenge the leader, if it stays silent."""
        if self.leader is None:
            return self.heard_ns + self.terms.rank * FIRST_LEADER_S * 1_000_000_000
        silent = self.heard_ns + self.terms.detection_ns
        if self.link_lost_ns is None:
            return silent
        # A leader that lives sees the link closed as well, and says so at once.
        return min(silent, max(self.heard_ns, self.link_lost_ns) + 2 * self.terms.beat_ns)


class Looked(msgspec.Struct, frozen=True):
    """Time has passed."""

    at_ns: int


class Heard(msgspec.Struct, frozen=True):
    """The leader wrote something: a heartbeat or a batch."""

    at_ns: int


class LeaderSeen(msgspec.Struct, frozen=True):
    """The leader key holds this; `leader` None where nobody ever led."""

    at_ns: int
    leader: Leadership | None
    mod: int


class LinkChanged(msgspec.Struct, frozen=True):
    """The link to the leading site's execution app was opened or closed."""

    at_ns: int
    up: bool


class AbleChanged(msgspec.Struct, frozen=True):
    """We could trade now, or could not any more."""

    able: bool


class Refused(msgspec.Struct, frozen=True):
    """The challenge was answered: the leader has written meanwhile."""

    at_ns: int


class Unanswered(msgspec.Struct, frozen=True):
    """The journal did not answer: nobody knows what came of the challenge."""


class Answered(msgspec.Struct, frozen=True):
    """The journal answers again."""

    at_ns: int


Event = Looked | Heard | LeaderSeen | LinkChanged | AbleChanged | Refused | Unanswered | Answered


class Challenge(msgspec.Struct, frozen=True):
    """Take the next epoch, if the leader has written nothing since we last heard it."""


class Ask(msgspec.Struct, frozen=True):
    """Read the leader key, linearizably: the journal was silent itself."""


class Lead(msgspec.Struct, frozen=True):
    """The leader key names us: take over."""

    leadership: Leadership
    mod: int


Action = Challenge | Ask | Lead


def step(state: Election, event: Event) -> tuple[Election, Action | None]:
    """Return what is known after an event, and what is to be done."""
    match event:
        case Looked(at_ns):
            return _looked(state, at_ns)
        case Heard(at_ns) | Refused(at_ns) | Answered(at_ns):
            return _change(state, heard_ns=at_ns, dark=False, asking=False), None
        case LeaderSeen():
            return _leader(state, event)
        case LinkChanged(at_ns, up):
            lost_ns = at_ns if not up and state.link_up else state.link_lost_ns
            return _change(state, link_up=up, link_lost_ns=None if up else lost_ns), None
        case AbleChanged(able):
            return _change(state, able=able), None
        case Unanswered():
            return _change(state, dark=True, asking=False), None


def _looked(state: Election, at_ns: int) -> tuple[Election, Action | None]:
    late = at_ns - state.looked_ns > state.terms.detection_ns // 2
    state = _change(state, looked_ns=at_ns)
    if late and state.link_lost_ns is None:
        # We were held up ourselves (frozen, or starved of CPU), and on one machine so was the
        # leader perhaps: the silence is counted anew.
        return _change(state, heard_ns=max(state.heard_ns, at_ns - state.terms.tick_ns)), None
    able = state.able and state.may_challenge
    if not able or state.asking or at_ns < state.due_ns:
        return state, None
    asking = _change(state, asking=True)
    return asking, (Ask() if state.dark else Challenge())


def _leader(state: Election, event: LeaderSeen) -> tuple[Election, Action | None]:
    if event.mod <= state.leader_mod and state.leader is not None:
        return state, None
    new = event.leader is not None and (
        state.leader is None or event.leader.epoch > state.leader.epoch
    )
    state = _change(
        state,
        leader=event.leader,
        leader_mod=event.mod,
        heard_ns=event.at_ns,
        link_lost_ns=None if new else state.link_lost_ns,
    )
    if event.leader is not None and event.leader.owner == state.terms.owner:
        return state, Lead(event.leader, event.mod)
    return state, None


def _change(state: Election, **changes: object) -> Election:
    return msgspec.structs.replace(state, **changes)
