"""PostgreSQL: the book of record of a site, and its prices.

The superuser `opsctl` has no password: it comes in by the unix socket alone, which only
the owner of the process can open. The role `trading` owns the database `trading` and
comes in over loopback with its password.
"""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.services.base import Address, ConfigFile, Host, Service, SqlProbe, Step

NAME = "postgres"
ROLE = DATABASE = "trading"

# fsync and synchronous_commit stay on: the books survive kill -9 and power loss.
# Small memory: the working set of twenty instruments is a few megabytes. Synchronous
# I/O and no parallel workers: fewer processes, nothing here scans in bulk.
CONFIG = """\
data_directory = '{data}'
hba_file = '{config}/pg_hba.conf'
ident_file = '{config}/pg_ident.conf'
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{run}'
unix_socket_permissions = 0700
max_connections = 40
password_encryption = 'scram-sha-256'
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
min_wal_size = 80MB
max_wal_size = 512MB
checkpoint_timeout = 5min
shared_buffers = 32MB
work_mem = 4MB
maintenance_work_mem = 32MB
wal_buffers = 1MB
huge_pages = off
io_method = sync
max_worker_processes = 2
max_parallel_workers_per_gather = 0
max_logical_replication_workers = 0
jit = off
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
update_process_title = off
"""

ACCESS = """\
# The socket lies in a folder of the owner's: who can open it, owns the database.
local all all trust
local replication all trust
host all all samenet scram-sha-256
"""

# One statement a line: single-user mode ends a statement at the line's end. The role is
# made in a DO block, because a failing CREATE ROLE would put its password into the log.
FIRST_STATEMENTS = f"""\
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN \
CREATE ROLE {ROLE} LOGIN PASSWORD '{{{{secret:db}}}}'; END IF; END $$;
CREATE DATABASE {DATABASE} OWNER {ROLE};
"""


def address(host: Host, site: str) -> Address:
    """Return where the PostgreSQL of a site is reached."""
    return host.address(NAME, site, "sql")


def service(environment: Environment, site: str, host: Host) -> Service:  # noqa: ARG001 - a Maker
    """Return the PostgreSQL of a site."""
    at = address(host, site)
    config = host.folder(NAME, site, "config")
    data = f"{host.folder(NAME, site, 'data')}/cluster"
    run = host.folder(NAME, site, "run")
    postgres = host.program("postgresql", "postgres")
    return Service(
        name=NAME,
        site=site,
        kind="server",
        background=True,
        purpose="book of record: prices, decisions, orders, fills, positions",
        argv=(postgres, "-c", f"config_file={config}/postgresql.conf"),
        files=(
            ConfigFile(
                path="postgresql.conf",
                content=CONFIG.format(
                    data=data, config=config, run=run, host=at.host, port=at.port
                ),
            ),
            ConfigFile(path="pg_hba.conf", content=ACCESS),
            ConfigFile(path="pg_ident.conf", content=""),
        ),
        setup=(
            Step(
                name="initdb",
                argv=(
                    host.program("postgresql", "initdb"),
                    f"--pgdata={data}",
                    "--username=opsctl",
                    "--auth-local=trust",
                    "--auth-host=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--data-checksums",
                ),
                clears=data,
            ),
            Step(
                name="database",
                argv=(
                    postgres,
                    "--single",
                    "-D",
                    data,
                    "-c",
                    f"config_file={config}/postgresql.conf",
                    "postgres",
                ),
                stdin=FIRST_STATEMENTS,
            ),
        ),
        ports={"sql": at.port},
        secrets=("db",),
        probe=SqlProbe(at=at, user=ROLE, database=DATABASE, secret="db"),  # noqa: S106 - a name
        refuses_root=True,
        stop_signal="INT",
        stop_within_s=20,
        # After a crash the pid in it may be a zombie's or another process's, and PostgreSQL
        # then refuses to start.
        locks=(f"{data}/postmaster.pid",),
    )
