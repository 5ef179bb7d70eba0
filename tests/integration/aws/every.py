"""The cases of all types."""

from tests.integration.aws import cases, cases_data, cases_machines, cases_services

CASES = (
    *cases.NETWORK,
    *cases_machines.MACHINES,
    *cases_machines.IDENTITIES,
    *cases_data.BUCKETS,
    *cases_data.DATABASES,
    *cases_services.NAMES,
    *cases_services.OBSERVABILITY,
)
