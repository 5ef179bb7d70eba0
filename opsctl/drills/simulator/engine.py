"""The FIX engine of a simulated process, and what goes wrong as it sends."""

from __future__ import annotations

from collections.abc import Callable

from apps.core.fix import Event, Logon, Logout, Pair, Received
from opsctl.drills.simulator.venue import Connection, VirtualVenue
from opsctl.drills.simulator.world import Loop

RECONNECT_S = 0.06


class VirtualEngine:
    """A process's FIX engine, with the interface that the gateway uses."""

    def __init__(
        self,
        venue: VirtualVenue,
        loop: Loop,
        *,
        own: list[str],
        on_event: Callable[[Event], None],
        numbers: dict[str, int],
        **_: object,
    ) -> None:
        """Prepare the sessions of a process; `start` logs on.

        `numbers` is the engine's store, which outlives the process: the next inbound number
        of each session, moved on when a message was handed over.
        """
        self.venue, self.loop = venue, loop
        self._own = own
        self._on_event = on_event
        self._expected = numbers
        for session in own:
            numbers.setdefault(session, 1)
        self._up: dict[str, Connection] = {}
        self._started = False
        self.behave()

    def behave(self) -> None:
        """Let nothing go wrong in the next send any more."""
        self.freeze_next_s = 0.0
        """How long the process freezes inside the next send, before the bytes leave."""
        self.crash_next: Callable[[], None] | None = None
        """Kills the process inside the next send, before the bytes leave."""
        self.cut_next = False
        """Whether the session is cut once the venue has what is sent next."""

    def expect(self, session: str, inbound: int) -> None:
        """Ask for what follows this number at the next logon."""
        self._expected[session] = inbound

    def start(self) -> None:
        """Log on, and again after every loss."""
        self._started = True
        for session in self._own:
            self._dial(session)

    def stop(self) -> None:
        """Log out; a dead process's are cut already."""
        self._started = False
        for session in () if self.loop.dead else self._own:
            self.venue.cut(session)

    def _dial(self, session: str) -> None:
        def dial() -> None:
            if self._started and not self.loop.dead and session not in self._up:
                if self.loop.frozen_until > self.venue.world.now:
                    self._dial(session)
                else:
                    self.venue.connect(self, session, self._expected[session])
                    if session not in self._up:
                        self._dial(session)

        self.venue.world.after(self.venue.world.between(0.5, 1.5) * RECONNECT_S, dial)

    def log_out(self, session: str, why: str) -> None:
        """Log out; what was sent before has arrived or never will."""
        self.venue.cut(session)

    def logged_on(self, session: str) -> bool:
        """Return whether a session is logged on."""
        return session in self._up

    def send(self, session: str, msg_type: str, pairs: list[Pair]) -> bool:
        """Write a message; it leaves now, or when a process that froze here wakes."""
        connection = self._up.get(session)
        if connection is None:
            return False
        fields = dict(pairs)
        world = self.venue.world
        if msg_type == "D":
            self.venue.entered_at.append((world.now, session, fields[11]))
        if msg_type == "D":
            return self._enter(connection, fields)
        self._leave(connection, msg_type, fields)
        return True

    def _enter(self, connection: Connection, fields: dict[int, str]) -> bool:
        world, name = self.venue.world, self.loop.name
        if self.crash_next is not None:
            world.note(name, f"crashes before {fields[11]} leaves")
            self.crash_next()
            return False
        connection.cut_after, self.cut_next = self.cut_next, False
        if self.freeze_next_s:
            seconds, self.freeze_next_s = self.freeze_next_s, 0.0
            world.note(name, f"freezes for {seconds:.3f} s before {fields[11]} leaves")
            self.loop.freeze(seconds)
            world.after(seconds, lambda: self._leave(connection, "D", fields))
        else:
            self._leave(connection, "D", fields)
        return True

    def _leave(self, connection: Connection, msg_type: str, fields: dict[int, str]) -> None:
        if not self.loop.dead and connection.alive:
            self.venue.request(connection, msg_type, fields)

    # What the venue tells

    def connected(self, connection: Connection) -> None:
        """Be logged on."""
        self._up[connection.session] = connection
        self.loop.inside(lambda: self._on_event(Logon(connection.session)))

    def disconnected(self, session: str) -> None:
        """Lose a session; dial again."""
        self._up.pop(session, None)
        self.loop.inside(lambda: self._on_event(Logout(session)))
        self._dial(session)

    def received(self, message: Received) -> None:
        """Hand a message on; a number that was seen is dropped, as the engine does."""
        if message.seq < self._expected[message.session]:
            return

        def take() -> None:
            if message.seq == self._expected[message.session]:
                self._expected[message.session] += 1
                self._on_event(message)

        self.loop.inside(take)
