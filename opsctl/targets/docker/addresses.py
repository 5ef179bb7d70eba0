"""The addresses of an environment's containers: chosen once, then kept.

Each place (a site, the witness, the market) is a network of its own with fixed addresses for
services and others for whoever is attached to it besides. A service that listens in several
places, as what carries the links does, has an address in each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.services.base import Address
from opsctl.targets.files import write
from opsctl.targets.reserving import Reservation, reserve

POOL = IPv4Network("10.219.0.0/16")
"""Where environments have their addresses, a block each."""
BLOCK, PLACE = 23, 26
"""The length of the prefix of an environment, and of a place: eight places of 62 addresses."""
FIRST, LAST = 2, 31
"""Fixed addresses within a place; those above are for whoever is attached."""
FIRST_PORT = 7_000

Kept = dict[str, int]


class Addresses:
    """The addresses of one environment; what is asked for and not known is chosen."""

    def __init__(self, path: Path, used: Callable[[], Iterable[IPv4Network]]) -> None:
        """Read what was chosen before; `used` looks up the networks that others have."""
        self._path = path
        self._used = used
        self._claim: Reservation | None = None
        self._block, self._numbers = _read(path)
        self._kept = (self._block, dict(self._numbers))

    @property
    def block(self) -> IPv4Network:
        """The block of the environment, chosen now if it never was.

        Raises `OpsctlError` where none is free.
        """
        if self._block is None:
            self._block = self._chosen()
        if self._block is None:
            raise OpsctlError(
                f"no block of addresses is free in {POOL}",
                hint="destroy environments that nobody needs; docker network ls shows them",
            )
        return self._block

    @property
    def new(self) -> bool:
        """Whether they were chosen by this process, and nothing was made with them yet."""
        return self._kept[0] is None

    def _chosen(self) -> IPv4Network | None:
        """Return a block that is free, held until its networks are made; None where none is."""
        used = tuple(self._used())
        for one in POOL.subnets(new_prefix=BLOCK):
            if any(one.overlaps(other) for other in used):
                continue
            claim = reserve(f"block-{one}")
            if claim is None:
                continue
            # Held first and then looked at: who held it before may have its networks by now.
            if not any(one.overlaps(other) for other in self._used()):
                self._claim = claim
                return one
            claim.give_up()
        return None

    def network(self, place: str) -> IPv4Network:
        """Return the network of a place."""
        number = self._number(f"place/{place}", "place/", 0)
        return list(self.block.subnets(new_prefix=PLACE))[number]

    def of(self, service: str, place: str) -> IPv4Address:
        """Return the address of a service (by its key) in a place."""
        number = self._number(f"host/{place}/{service}", f"host/{place}/", FIRST)
        if number > LAST:
            raise OpsctlError(f"{place} has more than {LAST - FIRST + 1} services")
        return self.network(place)[number]

    def address(self, service: str, place: str, port: str) -> Address:
        """Return where a named port of a service is reached in a place."""
        number = self._number(f"port/{service}/{port}", f"port/{service}/", FIRST_PORT)
        return Address(host=str(self.of(service, place)), port=number)

    def places_of(self, service: str) -> dict[str, IPv4Address]:
        """Return the fixed addresses of a service by place."""
        hosts = [name.split("/") for name in self._numbers if name.startswith("host/")]
        return {place: self.of(key, place) for _, place, key in hosts if key == service}

    def all(self) -> tuple[IPv4Address, ...]:
        """Return every fixed address that was asked for."""
        hosts = [name.split("/") for name in self._numbers if name.startswith("host/")]
        return tuple(self.of(service, place) for _, place, service in hosts)

    def keep(self) -> None:
        """Write down what was chosen."""
        if (self._block, self._numbers) != self._kept or not self._path.exists():
            text = {"block": str(self.block), "numbers": dict(sorted(self._numbers.items()))}
            write(self._path, json.dumps(text, indent=2) + "\n")
            self._kept = (self._block, dict(self._numbers))

    def _number(self, name: str, among: str, first: int) -> int:
        if name not in self._numbers:
            taken = [n for other, n in self._numbers.items() if other.startswith(among)]
            self._numbers[name] = max(taken, default=first - 1) + 1
        return self._numbers[name]


def _read(path: Path) -> tuple[IPv4Network | None, Kept]:
    try:
        found = json.loads(path.read_text("utf-8"))
        return IPv4Network(found["block"]), {str(k): int(n) for k, n in found["numbers"].items()}
    except FileNotFoundError:
        return None, {}
    except (ValueError, AttributeError, TypeError, KeyError) as fault:
        raise OpsctlError(
            f"{path} cannot be read: {fault}",
            hint=f"destroy the environment, or remove {path} and deploy again: it then gets "
            "other addresses",
        ) from fault


def routed(table: str) -> Iterator[IPv4Network]:
    """Yield what the machine reaches by a route of its own, as the kernel lists it."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        to, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 7))
        if mask:  # not the way to everywhere
            yield IPv4Network((to, mask.bit_count()))
