"""What tells that money is spent: budgets."""

from __future__ import annotations

from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.kind import Kind, call, changed, deep_lower, serves
from tests.support.aws.wire import Properties


@serves("aws:budgets/budget:Budget")
class Budget(Kind):
    """A budget and whom it tells. moto cannot change one: it is made anew."""

    everywhere = True
    served = (
        *("name", "budgetType", "timeUnit", "limitAmount", "limitUnit", "notifications"),
        *("costFilters",),
    )
    replaces = ("name",)
    named = "name"
    chosen = ("accountId", "costFilters", "costTypes", "timePeriodStart", "timePeriodEnd")
    beside = ("costFilters",)

    def check(self, inputs: Properties) -> Failures:
        """What a budget can be of, how long it lasts, and how it tells."""
        known = ("COST", "USAGE", "RI_UTILIZATION", "SAVINGS_PLANS_UTILIZATION")
        yield from checks.one_of("budgetType", inputs.get("budgetType"), *known)
        units = ("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY")
        yield from checks.one_of("timeUnit", inputs.get("timeUnit"), *units)
        if "limitAmount" in inputs:
            yield from checks.matches(
                "limitAmount", inputs["limitAmount"], r"\d+(\.\d+)?", "no amount"
            )
        for at, one in enumerate(inputs.get("notifications") or []):
            path = f"notifications[{at}]"
            kinds = ("ACTUAL", "FORECASTED")
            yield from checks.one_of(f"{path}.notificationType", one["notificationType"], *kinds)
            signs = ("GREATER_THAN", "LESS_THAN", "EQUAL_TO")
            operator = one["comparisonOperator"]
            yield from checks.one_of(f"{path}.comparisonOperator", operator, *signs)
            if not _subscribers(one):
                yield path, "Notification must have at least one subscriber"

    def create(self, inputs: Properties) -> str:
        self._make(inputs)
        return f"{self.cloud.account}:{inputs['name']}"

    def _make(self, inputs: Properties) -> None:
        budget: dict[str, Any] = {
            "BudgetName": inputs["name"],
            **call(inputs, "budgetType", "timeUnit"),
            "BudgetLimit": {
                "Amount": inputs.get("limitAmount"),
                "Unit": inputs.get("limitUnit", "USD"),
            },
        }
        told: list[dict[str, Any]] = [
            {
                "Notification": {
                    **call(one, "notificationType", "comparisonOperator", "threshold"),
                    "ThresholdType": one["thresholdType"],
                },
                "Subscribers": _subscribers(one),
            }
            for one in inputs.get("notifications") or []
        ]
        self.cloud("budgets").create_budget(
            AccountId=self.cloud.account, Budget=budget, NotificationsWithSubscribers=told
        )
        self.kept.write(f"{inputs['name']}-subscribers", {"of": inputs.get("notifications") or []})

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old and list(changed(old, new, *self.served)):
            self._unmake(id_)
            self._make(new)

    def _unmake(self, id_: str) -> None:
        account, _, name = id_.partition(":")
        self.kept.delete(f"{name}-subscribers")
        self.cloud("budgets").delete_budget(AccountId=account, BudgetName=name)

    def read(self, id_: str) -> Properties:
        account, _, name = id_.partition(":")
        budgets = self.cloud("budgets")
        found = budgets.describe_budget(AccountId=account, BudgetName=name)["Budget"]
        told = budgets.describe_notifications_for_budget(AccountId=account, BudgetName=name)
        to = (self.kept.read(f"{name}-subscribers") or {"of": []})["of"]
        limit = found.get("BudgetLimit", {})
        return {
            "arn": f"arn:aws:budgets::{account}:budget/{name}",
            "accountId": account,
            "name": name,
            "budgetType": found["BudgetType"],
            "timeUnit": found["TimeUnit"],
            "limitAmount": limit.get("Amount"),
            "limitUnit": limit.get("Unit"),
            "notifications": [
                _told(deep_lower(one), to) for one in told.get("Notifications") or []
            ],
            "tagsAll": (self.kept.read(f"{name}-tags") or {}),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.kept.delete(f"{id_.partition(':')[2]}-tags")
        self._unmake(id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        self.kept.write(f"{id_.partition(':')[2]}-tags", tags)


def _subscribers(notification: Properties) -> list[dict[str, str]]:
    mail = notification.get("subscriberEmailAddresses") or []
    topics = notification.get("subscriberSnsTopicArns") or []
    return [
        *({"SubscriptionType": "EMAIL", "Address": one} for one in mail),
        *({"SubscriptionType": "SNS", "Address": one} for one in topics),
    ]


def _told(found: Properties, declared: list[Any]) -> Properties:
    """Add who is told, which moto keeps to itself, to a notification."""
    names = ("notificationType", "comparisonOperator", "threshold", "thresholdType")
    for one in declared:
        if all(one.get(name) == found.get(name) for name in names):
            return {**found, **one}
    return found
