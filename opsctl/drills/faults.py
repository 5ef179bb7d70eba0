"""Breaking and mending: the effects of a drill on a target."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.model.topology import BETWEEN, links
from opsctl.services.base import HttpProbe
from opsctl.services.links import NETWORK
from opsctl.targets.base import Blow, Target

ANSWER_S = 5.0


@dataclass(frozen=True)
class Faults:
    """What can be done to one environment, and taken back."""

    environment: Environment
    target: Target

    def of_site(self, site: str, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the keys of a site's services: all, or those of these names."""
        found = self.target.services()
        return tuple(s.key for s in found if s.site == site and (not names or s.name in names))

    def between_sites(self) -> tuple[str, ...]:
        """Return the links between the sites that trade."""
        trading = self.environment.trading_sites
        return tuple(
            link.name
            for link in links(self.environment)
            if link.dialer in trading and link.to in trading
        )

    def killing(self, keys: Sequence[str]) -> Callable[[], None]:
        """Return what ends processes as a crash does."""
        return self.target.aim(keys, Blow.KILL)

    def freezing(self, keys: Sequence[str]) -> Callable[[], None]:
        """Return what stops processes where they are."""
        return self.target.aim(keys, Blow.FREEZE)

    def losing(self, keys: Sequence[str]) -> Callable[[], None]:
        """Return what ends processes and keeps them from coming back."""
        kill = self.target.aim(keys, Blow.KILL)

        def lose() -> None:
            kill()
            self.target.keep_down(keys)

        return lose

    def cut(self, names: Sequence[str]) -> None:
        """Cut links: what is open on them breaks, nothing new comes through."""
        for name in names:
            self._link("PUT", name, {"cut": True})

    def lift(self, faults: Underway) -> None:
        """Take back whatever of these faults stands; what does not is left alone."""
        if faults.frozen:
            self.target.aim(faults.frozen, Blow.THAW)()
        if faults.down:
            self.target.bring_up(faults.down)
        for name in faults.cut:
            self._link("DELETE", name)

    def _link(self, verb: str, name: str, body: object = None) -> None:
        probe = next(
            (
                s.probe
                for s in self.target.services()
                if s.key == f"{NETWORK}@{BETWEEN}" and isinstance(s.probe, HttpProbe)
            ),
            None,
        )
        if probe is None:
            raise OpsctlError("the environment has no links that could be cut")
        token = Path(self.target.host.secret(probe.secret)).read_text(encoding="utf-8").strip()
        connection = HTTPConnection(probe.at.host, probe.at.port, timeout=ANSWER_S)
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
