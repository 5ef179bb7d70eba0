"""Structured logs: JSON lines on stdout with environment, site, service, correlation id."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from apps.core.settings import CoreSettings


def configure(settings: CoreSettings) -> None:
    """Send every log of this process to stdout as JSON lines."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Named(settings),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


class _Named:
    """Says whose log it is, on whatever thread it is written (context variables do not)."""

    def __init__(self, settings: CoreSettings) -> None:
        self._names = {
            "environment": settings.environment,
            "site": settings.site,
            "service": settings.service,
        }

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Add the names to one event."""
        return {**event, **self._names}


class _Forward(logging.Handler):
    """Sends what libraries log the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of the standard library."""
        structlog.get_logger(record.name).log(record.levelno, record.getMessage())
