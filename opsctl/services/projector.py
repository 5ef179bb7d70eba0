"""The projector: applies the journal to PostgreSQL, exactly once."""

from __future__ import annotations

from apps.core.settings import ProjectorSettings
from opsctl.model.environment import Environment
from opsctl.services import app, books, etcd
from opsctl.services.base import Host, Service

NAME = "projector"


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the projector of a site."""
    made = app.service(
        ProjectorSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.execution.projector",
        purpose="applies the journal to the book of record, exactly once",
        background=True,
        wiring=app.journal(environment, site, host),
        chosen={"capital_usd": environment.strategy.capital_usd},
        waits=(etcd.NAME,),
        secrets=app.JOURNAL_SECRETS,
    )
    return made.model_copy(update={"books": books.elsewhere(environment, site)})
