"""What watches and tells: log groups, alarms, topics."""

from __future__ import annotations

import json

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.kind import Kind, call, changed, only, serves, tag_list, tag_map
from tests.support.aws.wire import Properties

DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""The retentions that CloudWatch Logs has; 0 is for ever."""


@serves("aws:cloudwatch/logGroup:LogGroup")
class LogGroup(Kind):
    """A log group."""

    served = ("name", "retentionInDays", "kmsKeyId")
    replaces = ("name", "kmsKeyId")  # moto cannot change the key; the real one can
    named = "name"
    guides = ("skipDestroy",)
    defaults = {"retentionInDays": 0, "skipDestroy": False}
    refers = {"kmsKeyId": "key"}

    def check(self, inputs: Properties) -> Failures:
        """Its name, and a retention that there is."""
        yield from checks.matches(
            *("name", inputs.get("name", "x"), r"[.\-_/#A-Za-z0-9]{1,512}"),
            "letters, digits and ._-/# only",
        )
        yield from checks.one_of("retentionInDays", inputs.get("retentionInDays"), *DAYS)

    def create(self, inputs: Properties) -> str:
        self.cloud("logs").create_log_group(
            logGroupName=inputs["name"],
            **({"kmsKeyId": inputs["kmsKeyId"]} if inputs.get("kmsKeyId") else {}),
        )
        return str(inputs["name"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old or {"retentionInDays": 0}, new, "retentionInDays"):
            if new.get(name):
                self.cloud("logs").put_retention_policy(logGroupName=id_, retentionInDays=new[name])
            else:
                self.cloud("logs").delete_retention_policy(logGroupName=id_)

    def read(self, id_: str) -> Properties:
        logs = self.cloud("logs")
        found = logs.describe_log_groups(logGroupNamePrefix=id_)["logGroups"]
        group = only([one for one in found if one["logGroupName"] == id_], id_)
        return {
            "arn": group["arn"].removesuffix(":*"),
            "name": id_,
            "retentionInDays": group.get("retentionInDays", 0),
            "kmsKeyId": group.get("kmsKeyId"),
            "tagsAll": logs.list_tags_log_group(logGroupName=id_)["tags"],
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if not inputs.get("skipDestroy"):
            self.cloud("logs").delete_log_group(logGroupName=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        if gone:
            self.cloud("logs").untag_log_group(logGroupName=id_, tags=gone)
        if tags:
            self.cloud("logs").tag_log_group(logGroupName=id_, tags=tags)


@serves("aws:cloudwatch/metricAlarm:MetricAlarm")
class MetricAlarm(Kind):
    """An alarm on a metric."""

    put = {
        "name": "AlarmName",
        "alarmDescription": "AlarmDescription",
        "alarmActions": "AlarmActions",
        "okActions": "OKActions",
        "insufficientDataActions": "InsufficientDataActions",
        "actionsEnabled": "ActionsEnabled",
        "comparisonOperator": "ComparisonOperator",
        "evaluationPeriods": "EvaluationPeriods",
        "datapointsToAlarm": "DatapointsToAlarm",
        "metricName": "MetricName",
        "namespace": "Namespace",
        "period": "Period",
        "statistic": "Statistic",
        "threshold": "Threshold",
        "treatMissingData": "TreatMissingData",
        "unit": "Unit",
    }
    served = (*put, "dimensions")
    replaces = ("name",)
    named = "name"
    defaults = {"actionsEnabled": True, "treatMissingData": "missing"}
    operators = (
        *("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"),
        "LessThanOrEqualToThreshold",
    )

    def check(self, inputs: Properties) -> Failures:
        """What CloudWatch can compare, and how it counts what is missing."""
        operator = inputs.get("comparisonOperator")
        yield from checks.one_of("comparisonOperator", operator, *self.operators)
        statistics = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
        yield from checks.one_of("statistic", inputs.get("statistic"), *statistics)
        missing = ("missing", "ignore", "breaching", "notBreaching")
        yield from checks.one_of("treatMissingData", inputs.get("treatMissingData"), *missing)
        period = inputs.get("period", 60)
        if period not in (10, 20, 30) and period % 60:
            yield (
                "period",
                f"ValidationError: Period {period} is not 10, 20, 30 or of whole minutes",
            )
        for name in ("alarmActions", "okActions", "insufficientDataActions"):
            for at, one in enumerate(inputs.get(name) or []):
                yield from checks.matches(f"{name}[{at}]", one, r"arn:aws\S+", "no ARN")

    def create(self, inputs: Properties) -> str:
        self._put(inputs)
        return str(inputs["name"])

    def _put(self, inputs: Properties) -> None:
        given = inputs.get("dimensions") or {}
        dimensions = [{"Name": name, "Value": value} for name, value in given.items()]
        self.cloud("cloudwatch").put_metric_alarm(
            **call(inputs, **self.put), **({"Dimensions": dimensions} if dimensions else {})
        )

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old and list(changed(old, new, *self.served)):
            self._put(new)

    def read(self, id_: str) -> Properties:
        watch = self.cloud("cloudwatch")
        alarm = only(watch.describe_alarms(AlarmNames=[id_])["MetricAlarms"], id_)
        tags = watch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        return {
            "arn": alarm["AlarmArn"],
            **{
                ours: alarm[theirs]
                for ours, theirs in self.put.items()
                if alarm.get(theirs) not in (None, "", [])
            },
            "dimensions": {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or []},
            "tagsAll": tag_map(tags),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("cloudwatch").delete_alarms(AlarmNames=[id_])

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        watch, arn = self.cloud("cloudwatch"), self.cloud.arn("cloudwatch", f"alarm:{id_}")
        if gone:
            watch.untag_resource(ResourceARN=arn, TagKeys=gone)
        if tags:
            watch.tag_resource(ResourceARN=arn, Tags=tag_list(tags))


@serves("aws:sns/topic:Topic")
class Topic(Kind):
    """A topic that alarms are told to."""

    attributes = {
        "displayName": "DisplayName",
        "kmsMasterKeyId": "KmsMasterKeyId",
        "policy": "Policy",
    }
    served = ("name", *attributes)
    replaces = ("name",)
    named = "name"
    chosen = ("policy",)

    def check(self, inputs: Properties) -> Failures:
        """Its name, and who may publish."""
        yield from checks.matches(
            *("name", inputs.get("name", "x"), r"[A-Za-z0-9_-]{1,256}"),
            "letters, digits, hyphens and underscores only",
        )
        yield from checks.policy("policy", inputs.get("policy"), True)

    def create(self, inputs: Properties) -> str:
        return str(self.cloud("sns").create_topic(Name=inputs["name"])["TopicArn"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old, new, *self.attributes):
            self.cloud("sns").set_topic_attributes(
                TopicArn=id_,
                AttributeName=self.attributes[name],
                AttributeValue=new.get(name) or "",
            )

    def read(self, id_: str) -> Properties:
        sns = self.cloud("sns")
        found = sns.get_topic_attributes(TopicArn=id_)["Attributes"]
        return {
            "arn": id_,
            "owner": found["Owner"],
            "name": id_.rpartition(":")[2],
            **{ours: found.get(theirs) or None for ours, theirs in self.attributes.items()},
            "tagsAll": tag_map(sns.list_tags_for_resource(ResourceArn=id_)["Tags"]),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.read(id_)
        self.cloud("sns").delete_topic(TopicArn=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        if gone:
            self.cloud("sns").untag_resource(ResourceArn=id_, TagKeys=gone)
        if tags:
            self.cloud("sns").tag_resource(ResourceArn=id_, Tags=tag_list(tags))


@serves("aws:sns/topicSubscription:TopicSubscription")
class TopicSubscription(Kind):
    """Who is told."""

    served = ("topic", "protocol", "endpoint", "rawMessageDelivery", "filterPolicy")
    replaces = ("topic", "protocol", "endpoint")
    guides = ("confirmationTimeoutInMinutes", "endpointAutoConfirms")
    defaults = {"rawMessageDelivery": False}
    chosen = ("filterPolicyScope",)
    refers = {"topic": "topic"}

    def check(self, inputs: Properties) -> Failures:
        """An endpoint as its protocol has them."""
        protocol, endpoint = inputs.get("protocol"), inputs.get("endpoint")
        known = ("email", "email-json", "http", "https", "sms", "sqs", "lambda", "firehose")
        yield from checks.one_of("protocol", protocol, *known)
        patterns = {
            "email": r"[^@\s]+@[^@\s]+",
            "https": r"https://\S+",
            "http": r"http://\S+",
            "sqs": checks.ARN,
            "lambda": checks.ARN,
        }
        if endpoint is not None and protocol in patterns:
            reason = f"InvalidParameter: no endpoint of {protocol}"
            yield from checks.matches("endpoint", endpoint, patterns[protocol], reason)

    def create(self, inputs: Properties) -> str:
        made = self.cloud("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        sns = self.cloud("sns")
        for _ in changed(old or self.defaults, new, "rawMessageDelivery"):
            sns.set_subscription_attributes(
                SubscriptionArn=id_,
                AttributeName="RawMessageDelivery",
                AttributeValue=json.dumps(new["rawMessageDelivery"]),
            )
        for name in changed(old, new, "filterPolicy"):
            sns.set_subscription_attributes(
                SubscriptionArn=id_,
                AttributeName="FilterPolicy",
                AttributeValue=new.get(name) or "{}",
            )

    def read(self, id_: str) -> Properties:
        found = self.cloud("sns").get_subscription_attributes(SubscriptionArn=id_)["Attributes"]
        return {
            "arn": id_,
            "ownerId": found["Owner"],
            "topic": found["TopicArn"],
            "protocol": found["Protocol"],
            "endpoint": found["Endpoint"],
            "pendingConfirmation": found["PendingConfirmation"] == "true",
            "rawMessageDelivery": found.get("RawMessageDelivery") == "true",
            "filterPolicy": found.get("FilterPolicy"),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.read(id_)
        self.cloud("sns").unsubscribe(SubscriptionArn=id_)
