"""The last check before an order leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from apps.core.journal import Halt, KillView
from apps.execution.gateway import Gateway
from opsctl.drills.simulator.plan import Plan
from opsctl.drills.simulator.process import settings_of
from tests.unit.execution.made import OFF, ON, order


class Led:
    """A leadership that is proven, or not."""

    def __init__(self, kill: KillView = OFF, *, proof: bool = True) -> None:
        self.kill, self.proof = kill, proof

    def proven(self, within_s: float) -> bool:
        return self.proof


def test_an_order_leaves_under_a_proven_leadership_only(tmp_path: Path) -> None:
    async def go() -> None:
        (tmp_path / "secret").write_text("word")
        gateway = Gateway(settings_of("a", tmp_path, Plan(seed=1)), lambda _: None, lambda: 0)

        def why(leading: Led | None, *, market_seq: int = 7) -> str:
            gateway.leading = leading
            return gateway.withholds(order(), market_seq=market_seq)

        assert why(Led()) == ""
        assert why(None) == "this site does not lead"
        assert why(Led(ON)) == "halted by alice: runaway"
        assert "expired" in why(Led(), market_seq=8)
        assert "not confirmed" in why(Led(proof=False))
        gateway.stopped = Halt(at_ns=1, by="bob", reason="no journal")
        assert why(Led()) == "halted by bob: no journal"
        gateway.stopped = None
        assert why(Led()) == ""

    asyncio.run(go())
