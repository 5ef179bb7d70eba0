"""What each type refuses at plan time: inputs, the property that is wrong, and why."""

from __future__ import annotations

from typing import Any

from tests.integration.aws.cases import policy
from tests.integration.aws.world import TRUST

ENDS = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "securityGroupId": "sg-1"}
DATABASE = {
    "engine": "postgres",
    "instanceClass": "db.m7g.large",
    "allocatedStorage": 100,
    "username": "trading",
    "skipFinalSnapshot": True,
}
ALARM = {"comparisonOperator": "LessThanThreshold", "evaluationPeriods": 1}
BUDGET = {"budgetType": "COST", "timeUnit": "MONTHLY"}

PLANNED: list[tuple[str, dict[str, Any], str, str]] = [
    ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/8"}, "cidrBlock", "between /16 and /28"),
    ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "cidrBlock", "host bits set"),
    ("aws:ec2/vpc:Vpc", {}, "cidrBlock", "must be specified"),
    ("aws:ec2/vpc:Vpc", {"cidr": "10.0.0.0/16"}, "cidr", "did you mean 'cidrBlock'"),
    (
        "aws:ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.0/16", "tags": {"aws:x": "y"}},
        "tags.aws:x",
        "reserved",
    ),
    (
        "aws:ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.0/16", "tags": {"x": "y" * 257}},
        "tags.x",
        "256",
    ),
    (
        "aws:ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": "yes"},
        "enableDnsSupport",
        "expected boolean value, got a string",
    ),
    (
        "aws:ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.0/16", "ipv4IpamPoolId": "ipam-pool-1"},
        "ipv4IpamPoolId",
        "does not serve",
    ),
    ("aws:ec2/subnet:Subnet", {"cidrBlock": "10.0.0.0/24"}, "vpcId", "Missing required"),
    (
        "aws:ec2/subnet:Subnet",
        {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/29"},
        "cidrBlock",
        "/16 and /28",
    ),
    (
        "aws:ec2/subnet:Subnet",
        {"vpcId": "vpc-1", "availabilityZone": "us-east-1a"},
        "availabilityZone",
        "not in this region",
    ),
    (
        "aws:ec2/route:Route",
        {"routeTableId": "rtb-1", "gatewayId": "igw-1", "natGatewayId": "nat-1"},
        "gatewayId",
        "only one of",
    ),
    (
        "aws:ec2/securityGroup:SecurityGroup",
        {"ingress": [{"protocol": "tcp", "fromPort": 9, "toPort": 70000}]},
        "ingress[0].toPort",
        "range",
    ),
    (
        "aws:ec2/securityGroup:SecurityGroup",
        {"ingress": [{"protocol": "tcp", "fromPort": 9, "toport": 9}]},
        "ingress[0].toport",
        "did you mean 'toPort'",
    ),
    ("aws:ec2/securityGroup:SecurityGroup", {"name": "sg-mine"}, "name", "not beginning"),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {**ENDS, "cidrIpv4": "10.0.0.0/33"},
        "cidrIpv4",
        "not a valid CIDR",
    ),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {**ENDS, "fromPort": 5},
        "fromPort",
        "Invalid TCP/UDP port range",
    ),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"ipProtocol": "tcp", "securityGroupId": "sg-1"},
        "toPort",
        "MissingParameter",
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"vpcId": "vpc-1", "serviceName": "com.amazonaws.us-east-1.s3"},
        "serviceName",
        "does not exist",
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"vpcId": "vpc-1", "subnetIds": ["subnet-1"]},
        "subnetIds",
        "Gateway endpoint",
    ),
    ("aws:ec2/instance:Instance", {"instanceType": "t3.micro"}, "ami", "must be specified"),
    (
        "aws:ec2/instance:Instance",
        {"ami": "ami-1", "instanceType": "t3.micro", "metadataOptions": {"httpTokens": "always"}},
        "metadataOptions.httpTokens",
        "one of",
    ),
    (
        "aws:ebs/volume:Volume",
        {"availabilityZone": "eu-central-1a", "size": 10, "type": "gp3", "iops": 100},
        "iops",
        "3000",
    ),
    (
        "aws:ebs/volume:Volume",
        {"availabilityZone": "eu-central-1a", "size": 10, "kmsKeyId": "k"},
        "kmsKeyId",
        "Encrypted",
    ),
    (
        "aws:ec2/placementGroup:PlacementGroup",
        {"strategy": "near"},
        "strategy",
        "one of",
    ),
    ("aws:iam/role:Role", {"assumeRolePolicy": "{"}, "assumeRolePolicy", "invalid JSON"),
    (
        "aws:iam/role:Role",
        {"assumeRolePolicy": policy("sts:AssumeRole")},
        "assumeRolePolicy",
        "Missing required field Principal",
    ),
    (
        "aws:iam/role:Role",
        {"assumeRolePolicy": TRUST, "name": "x" * 65},
        "name",
        "1 to 64",
    ),
    (
        "aws:iam/rolePolicy:RolePolicy",
        {"role": "r", "policy": policy("s3:*", Principal="*")},
        "policy",
        "should not specify a principal",
    ),
    (
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        {"url": "http://x.example", "clientIdLists": []},
        "url",
        "https",
    ),
    ("aws:kms/key:Key", {"deletionWindowInDays": 5}, "deletionWindowInDays", "7 - 30"),
    ("aws:kms/alias:Alias", {"name": "mine", "targetKeyId": "k"}, "name", "alias/"),
    ("aws:s3/bucket:Bucket", {"bucket": "Trading_Data"}, "bucket", "InvalidBucketName"),
    ("aws:s3/bucket:Bucket", {"bucket": "192.168.0.1"}, "bucket", "InvalidBucketName"),
    (
        "aws:s3/bucketVersioning:BucketVersioning",
        {"bucket": "b", "versioningConfiguration": {"status": "On"}},
        "versioningConfiguration.status",
        "one of",
    ),
    (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        {
            "bucket": "b",
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 1, "years": 1}},
        },
        "rule.defaultRetention.days",
        "one of days and years",
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"bucket": "b", "rules": [{"id": "x", "status": "Enabled"}]},
        "rules[0]",
        "At least one action",
    ),
    ("aws:rds/instance:Instance", {**DATABASE, "identifier": "A"}, "identifier", "lowercase"),
    (
        "aws:rds/instance:Instance",
        {**DATABASE, "skipFinalSnapshot": False},
        "finalSnapshotIdentifier",
        "required",
    ),
    (
        "aws:rds/instance:Instance",
        {**DATABASE, "backupRetentionPeriod": 36},
        "backupRetentionPeriod",
        "0 - 35",
    ),
    (
        "aws:route53/record:Record",
        {"zoneId": "z", "name": "x", "type": "A", "records": ["1.2.3"], "ttl": 5},
        "records[0]",
        "IPv4",
    ),
    (
        "aws:route53/record:Record",
        {
            "zoneId": "z",
            "name": "x",
            "type": "A",
            "failoverRoutingPolicies": [{"type": "PRIMARY"}],
        },
        "setIdentifier",
        "required",
    ),
    ("aws:route53/healthCheck:HealthCheck", {"type": "PING"}, "type", "one of"),
    ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31}, "retentionInDays", "one of"),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**ALARM, "period": 45}, "period", "45"),
    (
        "aws:sns/topicSubscription:TopicSubscription",
        {"topic": "t", "protocol": "email", "endpoint": "nobody"},
        "endpoint",
        "InvalidParameter",
    ),
    (
        "aws:budgets/budget:Budget",
        {
            **BUDGET,
            "notifications": [
                {
                    "notificationType": "ACTUAL",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                }
            ],
        },
        "notifications[0]",
        "at least one subscriber",
    ),
]
