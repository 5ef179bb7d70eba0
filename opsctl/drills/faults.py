"""Breaking and mending: the effects of a drill on a target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from opsctl.drills.effects import Disturbed, Effect, Places
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.model.topology import links, relay_of
from opsctl.services.base import Address, HttpProbe
from opsctl.services.links import NETWORK
from opsctl.targets.base import Blow, Target

ANSWER_S = 5.0
WHOLE = Disturbed()


@dataclass(frozen=True)
class Faults:
    """What can be done to one environment, and taken back."""

    environment: Environment
    target: Target

    def places(self, roles: Mapping[str, str]) -> Places:
        """Return the environment's services and links, with who leads and follows."""
        services = [(s.name, s.site) for s in self.target.services()]
        return Places(services, links(self.environment), roles)

    def killing(self, keys: Sequence[str]) -> Callable[[], None]:
        """Return what ends processes as a crash does."""
        return self.target.aim(keys, Blow.KILL)

    def losing(self, keys: Sequence[str]) -> Callable[[], None]:
        """Return what ends processes and keeps them from coming back."""
        kill = self.target.aim(keys, Blow.KILL)

        def lose() -> None:
            kill()
            self.target.keep_down(keys)

        return lose

    def refusals(self, effects: Sequence[Effect]) -> Iterator[str]:
        """Yield why a fault cannot be had on this target, as a reader is told."""
        for each in effects:
            for keys, blow in ((each.full, Blow.FILL), (each.stepped, Blow.STEP)):
                if keys and (why := self.target.lacks(keys, blow)):
                    yield f"not applicable here: {each.said}: {why}"

    def aimed(self, effect: Effect, states: Mapping[str, Disturbed]) -> Callable[[], None]:
        """Return what strikes; everything that takes time to look up is looked up now.

        `states` are the links as they are to be, whatever else stands on them.
        """
        blows: list[Callable[[], None]] = []
        if effect.killed:
            blows.append(self.killing(effect.killed))
        if effect.frozen:
            blows.append(self.target.aim(effect.frozen, Blow.FREEZE))
        if effect.down:
            blows.append(self.losing(effect.down))
        if effect.full:
            blows.append(self.target.aim(effect.full, Blow.FILL))
        if effect.stepped:
            blows.append(lambda: self.target.set_clock(effect.stepped, effect.shift_s))
        if effect.links:
            _ = self._control
            wanted = {name: states[name] for name in effect.links}
            blows.append(lambda: self.disturb(wanted))

        def strike() -> None:
            for blow in blows:
                blow()

        return strike

    def disturb(self, states: Mapping[str, Disturbed]) -> None:
        """Put links into a state; what is open on a link that is cut breaks."""
        for name, state in states.items():
            self._link("PUT", name, state.model_dump(exclude_defaults=True))

    def lift(self, faults: Underway) -> None:
        """Take back whatever of these faults stands; what does not is left alone.

        Everything is tried. Raises `OpsctlError` naming what stands still.
        """
        left: list[str] = []
        for what, mend in self._mends(faults):
            try:
                mend()
            except OpsctlError as fault:
                left.append(f"{what}: {fault.message}")
        left += self._down_still(faults.down)
        if left:
            raise OpsctlError(
                f"still broken: {'; '.join(left)}",
                hint="the next command of opsctl on this environment tries again",
            )

    def _mends(self, faults: Underway) -> Iterator[tuple[str, Callable[[], None]]]:
        target = self.target
        if faults.frozen:
            yield "frozen", lambda: target.aim(faults.frozen, Blow.THAW)()
        if faults.full:
            yield "full disk", lambda: target.aim(faults.full, Blow.FREE)()
        if faults.stepped:
            yield "clock", lambda: target.set_clock(faults.stepped, 0.0)
        if faults.down:
            yield "kept down", lambda: target.bring_up(faults.down)
        for name in faults.cut:
            yield f"link {name}", lambda name=name: self._whole(name)  # type: ignore[misc]

    def _whole(self, name: str) -> None:
        said = self._link("DELETE", name)
        whole = WHOLE.model_dump()
        if any(said.get(what, sound) != sound for what, sound in whole.items()):
            raise OpsctlError(f"link {name} is not whole: {said}")

    def _down_still(self, keys: Sequence[str]) -> list[str]:
        if not keys:
            return []
        seen = {running.key: running.state for running in self.target.observe()}
        return [f"{key} is stopped" for key in keys if seen.get(key) == "stopped"]

    @cached_property
    def _control(self) -> dict[str, tuple[Address, str]]:
        """Where each link is disturbed, and the token for it: looked up once.

        That takes its time. A link is disturbed where it is entered.
        """
        probes = {
            s.site: s.probe
            for s in self.target.services()
            if s.name == NETWORK and isinstance(s.probe, HttpProbe)
        }
        found: dict[str, tuple[Address, str]] = {}
        for link in links(self.environment):
            probe = probes[relay_of(self.environment, link.dialer)]
            token = Path(self.target.host.secret(probe.secret)).read_text(encoding="utf-8").strip()
            found[link.name] = probe.at.here, token
        if not found:
            raise OpsctlError("the environment has no links that could be cut")
        return found

    def _link(self, verb: str, name: str, body: object = None) -> dict[str, Any]:
        if name not in self._control:
            raise OpsctlError(f"there is no link {name}")
        at, token = self._control[name]
        connection = HTTPConnection(at.host, at.port, timeout=ANSWER_S)
        try:
            connection.request(
                verb,
                f"/links/{name}",
                None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {token}"},
            )
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as fault:
            raise OpsctlError(
                f"the network app does not answer: {fault}",
                hint="opsctl logs network says why; its links are whole again when it restarts",
            ) from fault
        finally:
            connection.close()
        if answer.status != 200:
            raise OpsctlError(f"the network app refused {verb} of link {name}: {said}")
        found: dict[str, Any] = json.loads(said)
        return found
