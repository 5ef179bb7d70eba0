"""From the catalogue, a server and the firm's own profile to what the server is to hold; pure.

    first = asks(box, tier, own)            # what has to be read of the box
    profile_for(box, tier, own=own, readings=...)

A setting that the server cannot have is in the profile with the reason (`lacks`): neither a
failure nor a silent pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from opsctl.model.faults import Fault
from opsctl.model.profile import firewall, needs, words
from opsctl.model.profile import own as own_profile
from opsctl.model.profile.box import Ask, Box, Disk, Nic, Reading
from opsctl.model.profile.catalogue import SETTINGS
from opsctl.model.profile.layout import Wish, layout
from opsctl.model.profile.own import Own
from opsctl.model.profile.profile import Layout, Profile, Wanted
from opsctl.model.profile.setting import Each, Means, NeedKind, Setting
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier

CMDLINE_FILE = "/etc/default/grub.d/90-opsctl.cfg"
"""Where the words of the kernel's command line are written, for the next boot."""
SUPPORTED = ("debian", "12")
ARCHITECTURE = "x86_64"


class _Server(NamedTuple):
    """What the settings are put onto."""

    box: Box
    layout: Layout
    nics: tuple[Nic, ...]
    """Those that carry trading."""
    words: Mapping[str, str]
    choices: Mapping[str, str]
    answers: Mapping[tuple[Means, str], Reading]


class _Place(NamedTuple):
    """What one setting is wanted for: its words, and the device that it is of."""

    words: Mapping[str, str]
    device: Nic | Disk | None = None
    queues: int = 1


def profile_for(
    box: Box,
    tier: LatencyTier,
    *,
    own: Own | None = None,
    name: str = "",
    wish: Wish | None = None,
    readings: Sequence[Reading] = (),
) -> Profile:
    """Return what a server is to hold in a tier.

    `own` is the firm's profile of that `name`, `wish` a layout that goes before its. Of
    `readings` those count that answer `asks`; what was not read is taken to be there.

    Raises:
        Unfit: the server is not one that is supported, is too small, or what the firm's
            profile says does not fit it.
    """
    own = own or Own(extends=tier)
    _refuse_unsupported(box)
    nics = _trading(box, own)
    found = layout(box, tier, wish or own.layout, nics)
    server = _Server(
        box=box,
        layout=found,
        nics=nics,
        words={**words.of_box(box, found, nics), **_of_firm(own, box)},
        choices={"time": own.time},
        answers={(each.means, each.at): each for each in readings},
    )
    return Profile(
        name=name or tier.value,
        tier=tier,
        layout=found,
        settings=tuple(
            wanted
            for setting in settings(tier, own)
            for wanted in _wanted(setting, setting.want[tier], server)
        ),
    )


def settings(tier: LatencyTier, own: Own | None = None) -> tuple[Setting, ...]:
    """Return the settings that a tier wants, with the firm's changes and its own."""
    if own is None:
        return tuple(each for each in SETTINGS if tier in each.want)
    changed = dict(own.settings)
    found = []
    for setting in SETTINGS:
        change = changed.pop(setting.id, None)
        if change is not None:
            setting = own_profile.named(setting, change)
        if tier in setting.want and setting.id not in own.off:
            found.append(setting)
    return (*found, *(own_profile.new(identity, change) for identity, change in changed.items()))


def asks(
    box: Box,
    tier: LatencyTier,
    *,
    own: Own | None = None,
    name: str = "",
    wish: Wish | None = None,
) -> tuple[Ask, ...]:
    """Return what has to be read of a server, before it is changed and to audit it.

    Among it is the file of the command line: it says what holds after the next reboot.
    """
    profile = profile_for(box, tier, own=own, name=name, wish=wish)
    places = {(each.means, each.at): None for each in profile.settings if not each.lacks}
    if any(each.boot for each in profile.settings):
        places[Means.FILE, CMDLINE_FILE] = None
    return tuple(Ask(means=means, at=at) for means, at in places)


def options() -> tuple[str, ...]:
    """Return the options of the kernel that settings need, to be read with the box."""
    return tuple(
        sorted(
            {
                need.at
                for setting in SETTINGS
                for need in setting.needs
                if need.kind is NeedKind.KERNEL_OPTION
            }
        )
    )


def _refuse_unsupported(box: Box) -> None:
    faults = []
    if (box.distribution, box.version) != SUPPORTED:
        faults.append(
            Fault(
                path="distribution",
                problem=f"{box.hostname} runs {box.distribution} {box.version}".rstrip()
                + ": Debian 12 is what is supported and tested",
            )
        )
    if box.architecture != ARCHITECTURE:
        faults.append(
            Fault(
                path="architecture",
                problem=f"{box.hostname} is {box.architecture}: {ARCHITECTURE} is supported",
            )
        )
    if faults:
        raise Unfit(faults)


def _trading(box: Box, own: Own) -> tuple[Nic, ...]:
    """Return the NICs that carry trading: those named, else all but management's."""
    by_name = {nic.name: nic for nic in box.nics}
    others = [nic.name for nic in box.nics if not nic.management]
    faults = []
    for at, name in enumerate(own.trading_nics):
        path, nic = f"trading_nics.{at}", by_name.get(name)
        if nic is None:
            has = f"it has {', '.join(others)}" if others else "it has none for trading"
            faults.append(Fault(path=path, problem=f"{box.hostname} has no NIC {name}: {has}"))
        elif nic.management:
            faults.append(
                Fault(path=path, problem=f"{name} is how {box.hostname} is reached: never tuned")
            )
    nics = tuple(nic for nic in box.nics if nic.name in (own.trading_nics or others))
    if own.time == "ptp" and not any(nic.hardware_clock for nic in nics):
        problem = f"ptp takes a trading NIC with a clock of its own, {box.hostname} has none"
        faults.append(Fault(path="time", problem=problem))
    if faults:
        raise Unfit(faults)
    return nics


def _of_firm(own: Own, box: Box) -> dict[str, str]:
    """Return the words that the firm's profile determines."""
    return {
        "mitigations": own.mitigations,
        "time_servers": "".join(f"server {each} iburst\n" for each in own.time_servers)
        or "pool 2.debian.pool.ntp.org iburst\n",
        "firewall": firewall.rules(
            [nic.name for nic in box.nics if nic.management],
            own.management_sources,
            own.allow,
            own.ssh_port,
        ),
    }


def _wanted(setting: Setting, want: str, server: _Server) -> Iterator[Wanted]:
    """Yield a setting for each place that it is wanted for; where there is none, one says so."""
    places = tuple(_places(setting.each, server))
    for place in places:
        known = {**server.words, **place.words}
        at = words.expand(setting.at, known)
        device, reading = place.device, server.answers.get((setting.means, at))
        wanted = needs.at_most(setting, words.expand(want, known), reading)
        lacks = needs.lacking(
            setting,
            server.box,
            want=wanted,
            nics=(device,) if isinstance(device, Nic) else server.nics,
            driver=device.driver if device else "",
            queues=place.queues,
            choices=server.choices,
            reading=reading,
        )
        yield _made(setting, words.expand(setting.id, known), at, wanted, lacks)
    if not places:
        yield _made(setting, setting.id, setting.at, want, _NOWHERE[setting.each])


_NOWHERE = {
    Each.ONCE: "",
    Each.NIC: "the server has no NIC for trading",
    Each.QUEUE: "the server has no NIC for trading",
    Each.OTHER_NIC: "every NIC of the server carries trading",
    Each.ANY_NIC: "the server has no NIC",
    Each.DISK: "the server has no disk",
    Each.CPU: "the server tells of no CPU",
    Each.TRADING_CPU: "no CPU is isolated",
}


def _made(setting: Setting, identity: str, at: str, want: str, lacks: str) -> Wanted:
    return Wanted(
        id=identity,
        topic=setting.topic,
        means=setting.means,
        at=at,
        want=want,
        compare=setting.compare,
        boot=setting.boot,
        lacks=lacks,
    )


def _places(each: Each, server: _Server) -> Iterator[_Place]:
    box, nics = server.box, server.nics
    if each is Each.ONCE:
        yield _Place({})
    elif each is Each.DISK:
        yield from (_Place({"disk": disk.name}, disk) for disk in box.disks)
    elif each is Each.CPU:
        yield from (_Place({"cpu": str(cpu.cpu)}) for cpu in box.cpus)
    elif each is Each.TRADING_CPU:
        yield from (_Place({"cpu": str(cpu)}) for cpu in server.layout.isolated)
    elif each in (Each.OTHER_NIC, Each.ANY_NIC):
        some = box.nics if each is Each.ANY_NIC else [nic for nic in box.nics if nic not in nics]
        yield from (_Place({"nic": nic.name}, nic) for nic in some)
    else:
        for nic in nics:
            yield from _of_queues(each, nic, server.layout)


def _of_queues(each: Each, nic: Nic, found: Layout) -> Iterator[_Place]:
    count = words.queues(nic, found)
    for queue in range(count if each is Each.QUEUE else 1):
        yield _Place(
            {
                "nic": nic.name,
                "queue": str(queue),
                "queues": str(count),
                "queue_mask": words.queue_mask(queue, count, found.trading),
            },
            nic,
            count,
        )
