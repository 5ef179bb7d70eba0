"""Where settings come from: the title and address of pages that can be read."""

from __future__ import annotations


def _kernel(title: str, page: str) -> str:
    return f"Linux kernel documentation, {title}: https://docs.kernel.org/{page}.html"


def _sysctl(page: str) -> str:
    return _kernel(f"/proc/sys/{page}", f"admin-guide/sysctl/{page}")


def _manual(page: str, section: int, package: str) -> str:
    at = f"https://manpages.debian.org/bookworm/{package}/{page}.{section}.en.html"
    return f"Debian 12 manual, {page}({section}): {at}"


_REDHAT = "https://docs.redhat.com/en/documentation/red_hat_enterprise_linux_for_real_time/8/html"

PARAMETERS = _kernel("command-line parameters", "admin-guide/kernel-parameters")
NO_HZ = _kernel("NO_HZ: reducing scheduling-clock ticks", "timers/no_hz")
KTHREADS = _kernel("reducing OS jitter of per-CPU kthreads", "admin-guide/kernel-per-CPU-kthreads")
IRQ = _kernel("SMP IRQ affinity", "core-api/irq/irq-affinity")
WORKQUEUE = _kernel("workqueue", "core-api/workqueue")
CPUFREQ = _kernel("CPU performance scaling", "admin-guide/pm/cpufreq")
PSTATE = _kernel("intel_pstate", "admin-guide/pm/intel_pstate")
CPUIDLE = _kernel("CPU idle time management", "admin-guide/pm/cpuidle")
MITIGATIONS = _kernel("hardware vulnerabilities", "admin-guide/hw-vuln/index")
HUGE = _kernel("transparent huge pages", "admin-guide/mm/transhuge")
HUGETLB = _kernel("HugeTLB pages", "admin-guide/mm/hugetlbpage")
KSM = _kernel("kernel samepage merging", "admin-guide/mm/ksm")
WATCHDOG = _kernel("lockup detectors", "admin-guide/lockup-watchdogs")
VM = _sysctl("vm")
KERNEL = _sysctl("kernel")
NET = _sysctl("net")
FS = _sysctl("fs")
IP = _kernel("IP sysctl", "networking/ip-sysctl")
NAPI = _kernel("NAPI: busy polling and interrupt mitigation", "networking/napi")
SCALING = _kernel("scaling in the Linux networking stack", "networking/scaling")
ETHTOOL = _manual("ethtool", 8, "ethtool")
BLOCK = (
    "Linux kernel documentation, /sys/block queue files: "
    "https://www.kernel.org/doc/html/v5.10/block/queue-sysfs.html"
)
SCHEDULERS = _kernel("switching I/O schedulers", "block/switching-sched")
CHRONY = _manual("chrony.conf", 5, "chrony")
PTP4L = _manual("ptp4l", 8, "linuxptp")
PHC2SYS = _manual("phc2sys", 8, "linuxptp")
LIMITS = _manual("limits.conf", 5, "libpam-modules")
SSHD = _manual("sshd_config", 5, "openssh-server")
NFT = _manual("nft", 8, "nftables")
AUDITD = _manual("auditd", 8, "auditd")
IRQBALANCE = _manual("irqbalance", 1, "irqbalance")
SYSTEMD_CGROUP = _manual("systemd.resource-control", 5, "systemd")
DOCKER = "Docker Engine, dockerd: https://docs.docker.com/reference/cli/dockerd/"
UPGRADES = "Debian wiki, UnattendedUpgrades: https://wiki.debian.org/UnattendedUpgrades"
CIS = "CIS Debian Linux Benchmarks: https://www.cisecurity.org/benchmark/debian_linux"
RTS25 = (
    "MiFID II RTS 25, Delegated Regulation (EU) 2017/574: "
    "https://eur-lex.europa.eu/eli/reg_del/2017/574/oj"
)
REDHAT_NETWORK = (
    "Red Hat, RHEL for Real Time, network determinism: "
    f"{_REDHAT}/optimizing_rhel_8_for_real_time_for_low_latency_operation/"
    "assembly_network-determinism-tips_optimizing-rhel8-for-real-time-for-low-latency-operation"
)
REDHAT = (
    "Red Hat, RHEL for Real Time, low latency operation: "
    f"{_REDHAT}/optimizing_rhel_8_for_real_time_for_low_latency_operation/index"
)
