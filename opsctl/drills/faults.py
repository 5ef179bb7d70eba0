"""Breaking and mending: the effects of a drill on a target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from opsctl.drills.effects import UPLINK, Disturbed, Effect, Places, State
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.model.topology import links, relay_of
from opsctl.services.base import Address, HttpProbe
from opsctl.services.links import NETWORK
from opsctl.targets.base import Blow, Target
from opsctl.targets.beneath import Beneath, Uplink

ANSWER_S = 5.0
WHOLE = Disturbed()


def _fill(effect: Effect) -> Blow:
    return Blow.FILL_MEMORY if effect.in_memory else Blow.FILL


@dataclass(frozen=True)
class Faults:
    """What can be done to one environment, and taken back."""

    environment: Environment
    target: Target

    def places(self, roles: Mapping[str, str]) -> Places:
        """Return the environment's services and links, with who leads and follows."""
        services = [(s.name, s.site) for s in self.target.services()]
        return Places(services, links(self.environment), roles, self._beneath.lacks_uplinks())

    @cached_property
    def _beneath(self) -> Beneath:
        return self.target.beneath()

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
            for why in self._lacking(each):
                yield f"not applicable here: {each.said}: {why}"

    def _lacking(self, effect: Effect) -> Iterator[str]:
        for keys, blow in ((effect.full, _fill(effect)), (effect.stepped, Blow.STEP)):
            if keys and (why := self.target.lacks(keys, blow)):
                yield why
        if effect.slowed and (why := self._beneath.lacks_write_limits(effect.slowed)):
            yield why
        if effect.starved and (why := self._beneath.lacks_memory_limits(effect.starved)):
            yield why
        for containers in effect.engine:
            if why := self._beneath.lacks_engine(containers):
                yield why

    def aimed(self, effect: Effect, states: Mapping[str, State]) -> Callable[[], None]:
        """Return what strikes; everything that takes time to look up is looked up now.

        `states` are the links as they are to be, whatever else stands on them.
        """
        blows = list(self._on_services(effect))
        if effect.engine:
            blows.append(self._beneath.losing_engine())
        if effect.links:
            wanted = {name: states[name] for name in effect.links}
            if any(isinstance(state, Disturbed) for state in wanted.values()):
                _ = self._control
            blows.append(lambda: self.disturb(wanted))

        def strike() -> None:
            for blow in blows:
                blow()

        return strike

    def _on_services(self, effect: Effect) -> Iterator[Callable[[], None]]:
        if effect.killed:
            yield self.killing(effect.killed)
        if effect.frozen:
            yield self.target.aim(effect.frozen, Blow.FREEZE)
        if effect.down:
            yield self.losing(effect.down)
        if effect.full:
            yield self.target.aim(effect.full, _fill(effect))
        if effect.slowed:
            yield lambda: self._beneath.limit_writes(effect.slowed, effect.writes_per_s)
        if effect.starved:
            yield lambda: self._beneath.limit_memory(effect.starved, effect.limit_mb)
        if effect.stepped:
            yield lambda: self.target.set_clock(effect.stepped, effect.shift_s)

    def disturb(self, states: Mapping[str, State]) -> None:
        """Put links and uplinks into a state; what is open on a link that is cut breaks."""
        for name, state in states.items():
            if isinstance(state, Uplink):
                self._beneath.set_uplink(name.removesuffix(UPLINK), state)
                continue
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
        if faults.engine:  # everything else is asked of it
            yield "engine", self._beneath.restore_engine
        if faults.slowed:
            yield "slow disk", lambda: self._beneath.limit_writes(faults.slowed, 0)
        if faults.starved:
            yield "memory", lambda: self._beneath.limit_memory(faults.starved, 0)
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
        if name.endswith(UPLINK):
            self._beneath.set_uplink(name.removesuffix(UPLINK), Uplink())
            return
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
