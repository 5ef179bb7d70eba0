"""Failover: what tells people, what leads them to the site that is well, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.aws import policies
from stacks.aws.component import Component, Keys, Providers
from stacks.aws.design import Design
from stacks.aws.parts import FailoverRecord, HostPart

TTL_S = 30
"""How long a name is remembered by who asked for it; a failover of names takes no less."""


@dataclass(frozen=True)
class FailoverArgs:
    """What failover is made of."""

    design: Design
    regions: Providers
    keys: Keys
    instances: Mapping[str, pulumi.Output[str]]
    zone: pulumi.Output[str] | None


class Failover(Component):
    """Alarms of hosts, records that follow them, and the alarm of the budget.

    Who leads the order path is decided by the journal's quorum, never by a name: the records
    are for people and other systems.
    """

    TYPE = "trading:aws:Failover"
    topics: dict[str, pulumi.Output[str]]
    """The ARN of what tells people, by region."""

    def __init__(
        self, name: str, args: FailoverArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare topics, alarms, records and budget."""
        super().__init__(name, args.design, args.regions, opts)
        self._args = args
        regions = dict.fromkeys(host.region for host in args.design.hosts)
        self.topics = {region: self._topic(region) for region in regions}
        alarms = {host.site: self._alarms(host) for host in args.design.hosts}
        if args.zone is not None:
            for record in args.design.records:
                self._record(record, args.zone, alarms[record.site])
        if not args.design.ephemeral:
            self._budget()
        self.register_outputs({"topics": self.topics})

    def _topic(self, region: str) -> pulumi.Output[str]:
        name, design = f"alarms-{region}", self._design
        topic = aws.sns.Topic(
            name,
            name=f"{design.slug}-alarms",
            kms_master_key_id=self._args.keys.get(region),
            policy=policies.topic(design.account, region, f"{design.slug}-alarms"),
            tags=self._tags(name),
            opts=self.under(name, region),
        )
        for count, address in enumerate(design.tell, start=1):
            aws.sns.TopicSubscription(
                f"{name}-{count}",
                topic=topic.arn,
                protocol="email",
                endpoint=address,
                opts=self.under(f"{name}-{count}", region),
            )
        return topic.arn

    def _alarms(self, host: HostPart) -> pulumi.Output[str]:
        """Declare the alarms of a host; return the name of the one that says whether it is well."""
        topic = self.topics[host.region]
        recover = f"arn:aws:automate:{host.region}:ec2:recover"
        self._alarm(
            host,
            "machine",
            "StatusCheckFailed_System",
            "the machine under the host fails; AWS moves the host to another",
            [topic] if host.machine.metal else [recover, topic],
        )
        return self._alarm(
            host, "host", "StatusCheckFailed", "the host, or the machine under it, fails", [topic]
        )

    def _alarm(
        self,
        host: HostPart,
        kind: str,
        metric: str,
        why: str,
        actions: list[pulumi.Input[str]],
    ) -> pulumi.Output[str]:
        name = f"{host.name}-{kind}-alarm"
        return aws.cloudwatch.MetricAlarm(
            name,
            name=f"{self._design.slug}-{name}",
            alarm_description=f"{host.name}: {why}",
            namespace="AWS/EC2",
            metric_name=metric,
            dimensions={"InstanceId": self._args.instances[host.name]},
            statistic="Maximum",
            period=60,
            evaluation_periods=2,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="missing" if kind == "machine" else "breaching",
            alarm_actions=actions,
            ok_actions=[self.topics[host.region]],
            tags=self._tags(name, host.site),
            opts=self.under(name, host.region),
        ).name

    def _record(
        self, record: FailoverRecord, zone: pulumi.Output[str], alarm: pulumi.Output[str]
    ) -> None:
        region = self._design.network(record.site).place.region
        # Route 53 checks from outside and reaches no private address: it watches the alarm.
        check = aws.route53.HealthCheck(
            f"desk-{record.site}-health",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=alarm,
            cloudwatch_alarm_region=region,
            insufficient_data_health_status="LastKnownStatus",
            tags=self._tags(f"desk-{record.site}-health", record.site),
            opts=self.under(f"desk-{record.site}-health", region),
        )
        aws.route53.Record(
            f"desk-{record.site}",
            zone_id=zone,
            name=record.name,
            type="A",
            ttl=TTL_S,
            records=[record.address],
            set_identifier=record.site,
            failover_routing_policies=[{"type": record.order}],
            health_check_id=check.id,
            opts=self.under(f"desk-{record.site}", region),
        )

    def _budget(self) -> None:
        design, region = self._design, self._design.home.place.region
        tell = [self.topics[region]]
        aws.budgets.Budget(
            "budget",
            name=design.slug,
            budget_type="COST",
            limit_amount=str(design.budget.usd_month),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[
                {"name": "TagKeyValue", "values": [f"user:environment${design.environment}"]}
            ],
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "threshold": threshold,
                    "threshold_type": "PERCENTAGE",
                    "notification_type": kind,
                    "subscriber_sns_topic_arns": tell,
                }
                for kind, threshold in (("FORECASTED", 80), ("ACTUAL", 100))
            ],
            tags=self._tags("budget"),
            opts=self.under("budget", region),
        )
