"""The cases of names, of what watches, and of what tells."""

from __future__ import annotations

from tests.integration.aws.cases import Case, first

NAMES = (
    Case(
        "aws:route53/zone:Zone",
        lambda w: {"name": "internal.example", "vpcs": [{"vpcId": w.vpc.id}], "comment": "hosts"},
        lambda aws, it: [
            aws("route53").get_hosted_zone(Id=it.id)["HostedZone"]["Config"]["PrivateZone"],
            aws("route53").get_hosted_zone(Id=it.id)["HostedZone"]["Config"]["Comment"],
        ],
        [True, "hosts"],
        update={"comment": "other"},
        updated=[True, "other"],
        replace={"name": "other.example"},
        drift=lambda aws, it: aws("route53").update_hosted_zone_comment(Id=it.id, Comment="mine"),
        drifted="comment",
    ),
    Case(
        "aws:route53/record:Record",
        lambda w: {
            "zoneId": w.zone.id,
            "name": "desk.trading.example",
            "type": "A",
            "ttl": 30,
            "records": ["203.0.113.5"],
            "setIdentifier": "a",
            "failoverRoutingPolicies": [{"type": "PRIMARY"}],
            "healthCheckId": w.health.id,
        },
        lambda aws, it: [
            (one["Failover"], first(one["ResourceRecords"])["Value"])
            for one in aws("route53").list_resource_record_sets(HostedZoneId=it["zoneId"])[
                "ResourceRecordSets"
            ]
            if one["Type"] == "A"
        ],
        [("PRIMARY", "203.0.113.5")],
        update={"records": ["203.0.113.6"]},
        updated=[("PRIMARY", "203.0.113.6")],
        replace={"setIdentifier": "b"},
    ),
    Case(
        "aws:route53/healthCheck:HealthCheck",
        lambda w: {
            "type": "HTTPS",
            "fqdn": "desk.trading.example",
            "port": 443,
            "resourcePath": "/livez",
            "requestInterval": 10,
            "failureThreshold": 2,
        },
        lambda aws, it: aws("route53").get_health_check(HealthCheckId=it.id)["HealthCheck"][
            "HealthCheckConfig"
        ]["ResourcePath"],
        "/livez",
        update={"resourcePath": "/readyz"},
        updated="/readyz",
        replace={"requestInterval": 30},
        drift=lambda aws, it: aws("route53").update_health_check(
            HealthCheckId=it.id, ResourcePath="/mine"
        ),
        drifted="resourcePath",
    ),
)

OBSERVABILITY = (
    Case(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda w: {"name": "/trading/daily/flows", "retentionInDays": 30},
        lambda aws, it: first(
            aws("logs").describe_log_groups(logGroupNamePrefix=it.id)["logGroups"]
        ).get("retentionInDays"),
        30,
        update={"retentionInDays": 90},
        updated=90,
        replace={"name": "/trading/other"},
        drift=lambda aws, it: aws("logs").delete_retention_policy(logGroupName=it.id),
        drifted="retentionInDays",
    ),
    Case(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: {
            "comparisonOperator": "LessThanThreshold",
            "evaluationPeriods": 2,
            "metricName": "HealthCheckStatus",
            "namespace": "AWS/Route53",
            "period": 60,
            "statistic": "Minimum",
            "threshold": 1,
            "dimensions": {"HealthCheckId": w.health.id},
            "alarmActions": [w.topic.id],
            "alarmDescription": "the desk does not answer",
        },
        lambda aws, it: [
            first(aws("cloudwatch").describe_alarms(AlarmNames=[it.id])["MetricAlarms"])[name]
            for name in ("MetricName", "EvaluationPeriods", "Threshold")
        ],
        ["HealthCheckStatus", 2, 1.0],
        update={"evaluationPeriods": 3},
        updated=["HealthCheckStatus", 3, 1.0],
        replace={"name": "another"},
        drift=lambda aws, it: aws("cloudwatch").delete_alarms(AlarmNames=[it.id]),
    ),
    Case(
        "aws:sns/topic:Topic",
        lambda w: {"displayName": "alarms", "kmsMasterKeyId": "alias/aws/sns"},
        lambda aws, it: aws("sns").get_topic_attributes(TopicArn=it.id)["Attributes"][
            "DisplayName"
        ],
        "alarms",
        update={"displayName": "pages"},
        updated="pages",
        replace={"name": "another"},
        drift=lambda aws, it: aws("sns").set_topic_attributes(
            TopicArn=it.id, AttributeName="DisplayName", AttributeValue="mine"
        ),
        drifted="displayName",
    ),
    Case(
        "aws:sns/topicSubscription:TopicSubscription",
        lambda w: {
            "topic": w.topic.id,
            "protocol": "https",
            "endpoint": "https://events.example.com/alarms",
            "rawMessageDelivery": True,
        },
        lambda aws, it: aws("sns").get_subscription_attributes(SubscriptionArn=it.id)["Attributes"][
            "RawMessageDelivery"
        ],
        "true",
        update={"rawMessageDelivery": False},
        updated="false",
        replace={"endpoint": "https://other.example.com"},
        drift=lambda aws, it: aws("sns").unsubscribe(SubscriptionArn=it.id),
    ),
    Case(
        "aws:budgets/budget:Budget",
        lambda w: {
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "1000",
            "limitUnit": "USD",
            "notifications": [
                {
                    "notificationType": "ACTUAL",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                    "subscriberSnsTopicArns": [w.topic.id],
                }
            ],
        },
        lambda aws, it: [
            aws("budgets").describe_budget(AccountId=it["accountId"], BudgetName=it["name"])[
                "Budget"
            ]["BudgetLimit"]["Amount"],
            first(
                aws("budgets").describe_notifications_for_budget(
                    AccountId=it["accountId"], BudgetName=it["name"]
                )["Notifications"]
            )["Threshold"],
        ],
        ["1000", 80.0],
        update={"limitAmount": "2000"},
        updated=["2000", 80.0],
        replace={"name": "another"},
        drift=lambda aws, it: aws("budgets").delete_budget(
            AccountId=it["accountId"], BudgetName=it["name"]
        ),
    ),
)
