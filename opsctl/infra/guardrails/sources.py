"""Where rules come from: the title and address of pages that can be read."""

from __future__ import annotations

_DOCS = "https://docs.aws.amazon.com"


def _pillar(pillar: str, practice: str, title: str, page: str) -> str:
    at = f"{_DOCS}/wellarchitected/latest/{pillar}-pillar/{page}.html"
    return f"AWS Well-Architected, {practice} {title}: {at}"


def _cis(number: str, control: str, service: str) -> str:
    """Return a recommendation, as AWS Security Hub documents the control that checks it."""
    anchor = control.lower().replace(".", "-")
    at = f"{_DOCS}/securityhub/latest/userguide/{service}-controls.html#{anchor}"
    return f"CIS AWS Foundations Benchmark 5.0.0, {number} (Security Hub {control}): {at}"


AT_REST = _pillar(
    "security", "SEC08-BP02", "Enforce encryption at rest", "sec_protect_data_rest_encrypt"
)
IN_TRANSIT = _pillar(
    "security", "SEC09-BP02", "Enforce encryption in transit", "sec_protect_data_transit_encrypt"
)
LEAST_PRIVILEGE = _pillar(
    "security", "SEC03-BP02", "Grant least privilege access", "sec_permissions_least_privileges"
)
PUBLIC_ACCESS = _pillar(
    "security",
    "SEC03-BP07",
    "Analyze public and cross-account access",
    "sec_permissions_analyze_cross_account",
)
BOUNDARIES = _pillar(
    "security",
    "SEC03-BP05",
    "Define permission guardrails for your organization",
    "sec_permissions_define_guardrails",
)
LAYERS = _pillar(
    "security", "SEC05-BP01", "Create network layers", "sec_network_protection_create_layers"
)
LOCATIONS = _pillar(
    "reliability",
    "REL10-BP01",
    "Deploy the workload to multiple locations",
    "rel_fault_isolation_multiaz_region_system",
)
BACKUP = _pillar(
    "reliability",
    "REL09-BP01",
    "Identify and back up all data that needs to be backed up",
    "rel_backing_up_data_identified_backups_data",
)
UNSUCCESSFUL = _pillar(
    "operational-excellence",
    "OPS06-BP01",
    "Plan for unsuccessful changes",
    "ops_mit_deploy_risks_plan_for_unsucessful_changes",
)
ORGANIZATION = _pillar(
    "cost-optimization",
    "COST03-BP02",
    "Add organization information to cost and usage",
    "cost_monitor_usage_org_information",
)
COST_CONTROLS = _pillar(
    "cost-optimization", "COST02-BP05", "Implement cost controls", "cost_govern_usage_controls"
)
LIFETIME = _pillar(
    "cost-optimization",
    "COST04-BP01",
    "Track resources over their lifetime",
    "cost_decomissioning_resources_track",
)

S3_TLS = _cis("2.1.1", "S3.5", "s3")
S3_PUBLIC = _cis("2.1.4", "S3.8", "s3")
RDS_ENCRYPTION = _cis("2.2.1", "RDS.3", "rds")
KMS_ROTATION = _cis("3.6", "KMS.4", "kms")
FLOW_LOGS = _cis("3.7", "EC2.6", "ec2")
EBS_ENCRYPTION = _cis("5.1.1", "EC2.7", "ec2")
INGRESS = _cis("5.3 and 5.4", "EC2.53", "ec2")
IMDS = _cis("5.7", "EC2.8", "ec2")
