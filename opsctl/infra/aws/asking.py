"""Asking AWS: clients that threads share, and what goes wrong as an error for a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from opsctl.errors import OpsctlError, UsageError

_T = TypeVar("_T")


class Asking:
    """The clients of one command, by service and region."""

    def __init__(self, timeout_s: float | None = None) -> None:
        """Make none yet: each takes a tenth of a second.

        `timeout_s` is for how long an answer is waited for; None: as boto3 does, for minutes.
        """
        self._timeout_s = timeout_s
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def client(self, service: str, region: str) -> Any:
        """Return a client of a service in a region; threads may use it together."""
        import boto3
        from botocore.config import Config

        patience = None
        if self._timeout_s is not None:
            patience = Config(
                connect_timeout=self._timeout_s,
                read_timeout=self._timeout_s,
                retries={"total_max_attempts": 2},
            )
        with self._making:  # making one is not safe among threads; using one is
            if (service, region) not in self._clients:
                make: Any = boto3.client
                self._clients[service, region] = make(
                    service, region_name=region or None, config=patience
                )
            return self._clients[service, region]

    def __call__(self, service: str, region: str, ask: Callable[[Any], _T]) -> _T:
        """Ask AWS.

        Raises:
            OpsctlError: there are no credentials, or AWS refuses them or does not answer.
        """
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
        from botocore.parsers import ResponseParserError

        try:
            return ask(self.client(service, region))
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise OpsctlError(
                f"AWS was not asked: {error}",
                hint="log in first (aws sso login, or AWS_PROFILE, or the variables of a CI)",
            ) from error
        except ClientError as error:
            said = error.response.get("Error", {})
            code = str(said.get("Code"))
            raise OpsctlError(
                f"AWS refuses {service}:{error.operation_name}"
                f"{f' in {region}' if region else ''}: {said.get('Message') or code}",
                hint=_HINTS.get(code, "see that this account and role may do that"),
            ) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise OpsctlError(
                f"AWS does not answer: {error}",
                hint="see that this machine reaches AWS, and that the region is right",
            ) from error


def held_to(account: str, asked: Asking) -> str:
    """Refuse credentials of another account than the environment's; return whose they are.

    Raises:
        UsageError: they are of another.
        OpsctlError: there are none, or AWS refuses them or does not answer.
    """
    answer = asked("sts", "", lambda client: client.get_caller_identity())
    if answer["Account"] != account:
        raise UsageError(
            f"these are credentials of account {answer['Account']} ({answer['Arn']}), and the "
            f"environment is of account {account}",
            hint="choose other credentials (AWS_PROFILE), or correct trading:aws.account",
        )
    return str(answer["Arn"])


_EXPIRED = "these credentials have expired: log in again"
_HINTS = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": "the clock of this machine is off, or the credentials have expired",
    "InvalidClientTokenId": "AWS does not know this access key: log in again",
    "SignatureDoesNotMatch": "the secret key does not fit the access key: log in again",
    "OptInRequired": "this region is switched off for the account: enable it, or name another",
    "AuthFailure": "this region is switched off for the account, or the credentials are wrong",
}
