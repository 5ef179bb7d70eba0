"""What Prometheus and Alertmanager share: their log-in, and how a scrape is written."""

from __future__ import annotations

from opsctl.services.base import ConfigFile, Host, Scrape

USER = "opsctl"
WEB_FILE = "web.yml"


def log_in(secret: str) -> ConfigFile:
    """Return the web configuration that asks for `USER` and the password of a secret."""
    return ConfigFile(
        path=WEB_FILE, content=f'basic_auth_users:\n  {USER}: "{{{{bcrypt:{secret}}}}}"\n'
    )


def credentials(scrape: Scrape, host: Host) -> dict[str, object]:
    """Return the keys of a scrape job (or an alerting target) that open an address."""
    secret = host.secret(scrape.secret)
    if scrape.ca and scrape.cert and scrape.key:
        tls = {
            "ca_file": host.secret(scrape.ca),
            "cert_file": host.secret(scrape.cert),
            "key_file": host.secret(scrape.key),
        }
        return {"scheme": "https", "tls_config": tls}
    if scrape.user is not None:
        return {"basic_auth": {"username": scrape.user, "password_file": secret}}
    return {"authorization": {"type": "Bearer", "credentials_file": secret}}
