"""The security baseline: who gets in, from where, and what is recorded of it."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.limits import GROUP
from opsctl.model.profile.catalogue.making import READABLE, Want, every, made, not_hft
from opsctl.model.profile.setting import Each, Means, Setting, Topic


def _sshd(keyword: str, value: str, why: str) -> Setting:
    return made(Topic.SECURITY, Means.SSHD, keyword, every(value), why, sources.SSHD)


def _sysctl(key: str, value: str, why: str, source: str) -> Setting:
    return made(Topic.SECURITY, Means.SYSCTL, key, every(value), why, source, READABLE)


def _redirects(direction: str, why: str) -> tuple[Setting, ...]:
    """A redirect counts where `all` or the NIC itself allows it: both have to say no."""
    own = made(
        Topic.SECURITY,
        Means.SYSCTL,
        f"net.ipv4.conf.{{nic}}.{direction}_redirects",
        every("0"),
        f"{why} The NIC itself has to say so too.",
        sources.IP,
        READABLE,
        each=Each.ANY_NIC,
    )
    return (
        _sysctl(f"net.ipv4.conf.all.{direction}_redirects", "0", why, sources.IP),
        _sysctl(
            f"net.ipv4.conf.default.{direction}_redirects", "0", f"{why} New NICs too.", sources.IP
        ),
        own,
    )


def _audit(means: Means, at: str, want: Want, why: str) -> Setting:
    return made(Topic.SECURITY, means, at, want, why, sources.AUDITD)


SETTINGS = (
    _sshd("passwordauthentication", "no", "Keys only: a password can be guessed, and is reused."),
    _sshd("kbdinteractiveauthentication", "no", "Nor a password that is asked for in another way."),
    _sshd("permitemptypasswords", "no", "Least of all an empty one."),
    _sshd(
        "permitrootlogin",
        "without-password",
        "Root logs in by key or not at all. A firm whose operators have accounts of their own "
        "says `no` in its profile; by default the one way in is not closed.",
    ),
    _sshd("x11forwarding", "no", "Nothing on a trading server needs a display."),
    _sshd("maxauthtries", "4", "A connection that guesses is closed early."),
    _sshd("logingracetime", "60", "One that never logs in does not stay."),
    _sshd("hostbasedauthentication", "no", "A host is no person."),
    _sshd("permituserenvironment", "no", "A key does not bring an environment along."),
    _sshd("clientaliveinterval", "60", "A peer that is gone is noticed within minutes."),
    _sshd("usedns", "no", "A login does not wait for a name server."),
    _sshd("loglevel", "VERBOSE", "The journal says which key came in, not only which account."),
    made(
        Topic.SECURITY,
        Means.PACKAGE,
        "nftables",
        every("installed"),
        "The firewall's rules are loaded at boot.",
        sources.NFT,
    ),
    made(
        Topic.SECURITY,
        Means.FIREWALL,
        "inet opsctl",
        every("{firewall}"),
        "What comes in is dropped, but SSH by the NICs of management, what the profile allows by "
        "name, answers, and the messages of ICMP without which a network does not work. It looks "
        "at what is for this host itself; what Docker forwards is Docker's.",
        sources.NFT,
    ),
    made(
        Topic.SECURITY,
        Means.UNIT,
        "nftables.service",
        every("on"),
        "The rules are there before the network is.",
        sources.NFT,
    ),
    _audit(
        Means.PACKAGE,
        "auditd",
        not_hft("installed"),
        "What is done by whom is recorded by the kernel. In hft it is not: see the audit "
        "parameter of the kernel.",
    ),
    _audit(Means.UNIT, "auditd.service", not_hft("on"), "It runs, now and after a boot."),
    made(
        Topic.SECURITY,
        Means.ACCOUNT,
        f"group {GROUP}",
        every("present"),
        "The limits of trading processes are those of a group, not of root.",
        sources.LIMITS,
    ),
    made(
        Topic.SECURITY,
        Means.ACCOUNT,
        f"user {GROUP}",
        every(GROUP),
        "Trading processes run as an account that can do nothing else.",
        sources.CIS,
    ),
    *(
        setting
        for direction, why in (
            ("accept", "Nobody on the network changes our routes."),
            ("send", "The box is no router to advise others."),
        )
        for setting in _redirects(direction, why)
    ),
    _sysctl(
        "net.ipv6.conf.all.accept_redirects",
        "0",
        "Nor by IPv6, where `all` sets every NIC.",
        sources.IP,
    ),
    _sysctl(
        "net.ipv4.conf.all.accept_source_route",
        "0",
        "A packet does not choose its own way around the firewall.",
        sources.IP,
    ),
    _sysctl(
        "net.ipv4.conf.all.rp_filter",
        "2",
        "A packet whose sender cannot be reached by any NIC is dropped. Loose, as multicast "
        "feeds come in by another NIC than the route to their sender.",
        sources.IP,
    ),
    _sysctl("net.ipv4.tcp_syncookies", "1", "A flood of SYN packets fills no queue.", sources.IP),
    _sysctl(
        "kernel.kptr_restrict",
        "1",
        "Addresses of the kernel are shown to root only.",
        sources.KERNEL,
    ),
    _sysctl("kernel.dmesg_restrict", "1", "So are the kernel's messages.", sources.KERNEL),
    _sysctl(
        "kernel.randomize_va_space", "2", "Where memory lies cannot be guessed.", sources.KERNEL
    ),
    _sysctl(
        "fs.suid_dumpable",
        "0",
        "A program that changed its rights leaves no memory image behind.",
        sources.FS,
    ),
    _sysctl(
        "fs.protected_hardlinks", "1", "No link to a file of others by way of /tmp.", sources.FS
    ),
    _sysctl("fs.protected_symlinks", "1", "Nor a symbolic one.", sources.FS),
    made(
        Topic.SECURITY,
        Means.MEASURED,
        "boot files",
        every("as written"),
        "The running kernel does not tell of a file that somebody changed: what holds now would "
        "no longer hold after the next boot. Each file of the next boot is as it was written, and "
        "each unit that sets something at boot is enabled.",
        sources.CIS,
        READABLE,
    ),
)
