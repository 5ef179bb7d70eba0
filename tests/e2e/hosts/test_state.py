"""The lock and the state of an environment are on every host of it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from opsctl.custody import Holder
from opsctl.errors import Locked
from opsctl.evidence.runs import who
from opsctl.images.engine import connect
from opsctl.targets.docker.backend import DockerBackend
from tests.e2e.conftest import Deployed
from tests.support.engine import Dockerd
from tests.support.second_host import SecondHost


def test_every_host_has_the_state_and_holds_the_lock(
    apart: Deployed, with_images: Dockerd, other_host: SecondHost
) -> None:
    assert not apart.json("deploy", "apart")["changed"]
    near, far = connect(with_images.address), connect(other_host.address)
    me = Holder(pid=1, host="here", user=who(), since=datetime.now(UTC), command="a test")
    with closing(near.client), closing(far.client):
        copies = [DockerBackend("apart", (engine,)).read() for engine in (near, far)]
        assert copies[0] is not None
        assert copies[0] == copies[1]
        assert "secrets/tls/ca.key" in copies[0].files
        # Whoever names them the other way round takes the locks in the same order.
        session = DockerBackend("apart", (far, near)).acquire(me)
        try:
            for engine in (near, far):
                with pytest.raises(Locked, match="held by `a test`"):
                    DockerBackend("apart", (engine,)).acquire(me)
            refused = apart.run("deploy", "apart", check=False)
            assert "apart is held by `a test`" in refused.stderr
        finally:
            session.release()
    assert not apart.json("deploy", "apart")["changed"]
