from __future__ import annotations

import pytest

from opsctl.infra.guardrails import prices
from opsctl.infra.guardrails.cost import Estimate, Line, estimate
from opsctl.infra.previewed import UNKNOWN, Action, Resource
from tests.support.previews import FACTS, preview, resource

HOST = "aws:ec2/instance:Instance"
VOLUME = "aws:ebs/volume:Volume"


def cost(*resources: Resource, regions: tuple[str, ...] = ("us-east-1",)) -> Estimate:
    facts = FACTS.model_copy(update={"regions": regions, "domains": {}})
    return estimate(preview(resources), facts)


@pytest.mark.parametrize(
    ("kind", "usd_hour"),
    [
        # Each as AWS lists it, whichever way the table comes to it.
        ("t3.nano", 0.0052),
        ("t3.micro", 0.0104),
        ("t3.2xlarge", 0.3328),
        ("m6i.xlarge", 0.192),
        ("c7i.large", 0.08925),
        ("c7i.4xlarge", 0.714),
        ("c7i.metal-24xl", 4.284),
        ("c6i.metal", 5.44),
        ("c5n.18xlarge", 3.888),
        ("z1d.metal", 4.464),
    ],
)
def test_a_type_costs_what_aws_lists(kind: str, usd_hour: float) -> None:
    assert prices.instance_hour(kind) == pytest.approx(usd_hour, rel=1e-6)


@pytest.mark.parametrize("kind", ["q9.large", "c7i.metal", "c7i.huge", "c7i", "", "c7i."])
def test_a_type_that_is_not_known_has_no_price(kind: str) -> None:
    assert prices.instance_hour(kind) is None


def test_a_database_in_two_zones_costs_twice() -> None:
    database = {"instanceClass": "db.m6i.large", "allocatedStorage": 100, "storageType": "gp3"}
    kind = "aws:rds/instance:Instance"
    one = cost(resource(kind, "books", {**database, "multiAz": False})).usd_year
    assert one == pytest.approx(0.178 * 8_760 + 0.115 * 100 * 12, abs=0.01)
    assert cost(resource(kind, "books", {**database, "multiAz": True})).usd_year == 2 * one
    assert cost(resource(kind, "books", {**database, "multiAz": UNKNOWN})).usd_year == 2 * one


def test_a_host_costs_its_type_and_its_volumes() -> None:
    disk = {"volumeType": "gp3", "volumeSize": 30}
    host = resource(HOST, "host", {"instanceType": "c7i.large", "rootBlockDevice": disk})
    assert cost(host).usd_year == pytest.approx(0.08925 * 8_760 + 0.08 * 30 * 12, abs=0.02)


def test_a_host_costs_the_type_of_its_template() -> None:
    template = resource("aws:ec2/launchTemplate:LaunchTemplate", "t", {"instanceType": "c7i.large"})
    host = resource(HOST, "host", {"launchTemplate": {"id": UNKNOWN}})
    assert cost(template, host).lines[0].what == "c7i.large"


def test_of_two_templates_none_is_guessed() -> None:
    kind = "aws:ec2/launchTemplate:LaunchTemplate"
    templates = [
        resource(kind, name, {"instanceType": name}) for name in ("c7i.large", "c7i.2xlarge")
    ]
    host = resource(HOST, "host", {"launchTemplate": {"id": UNKNOWN}})
    (line,) = cost(*templates, host).unpriced
    assert line.resource == "host"


def test_operations_and_throughput_cost_beyond_what_is_included() -> None:
    plain = {"size": 100, "type": "gp3", "iops": 3_000, "throughput": 125}
    base = cost(resource(VOLUME, "v", plain)).usd_year
    assert base == pytest.approx(96)
    faster = cost(resource(VOLUME, "v", {**plain, "iops": 6_000, "throughput": 250})).usd_year
    assert faster - base == pytest.approx(12 * (3_000 * 0.005 + 125 * 0.04))


def test_dedicated_tenancy_costs_more_and_a_fee() -> None:
    shared = cost(resource(HOST, "host", {"instanceType": "c7i.large"})).usd_year
    host = resource(HOST, "host", {"instanceType": "c7i.large", "tenancy": "dedicated"})
    assert cost(host).usd_year == pytest.approx(shared * 1.1 + 2 * 8_760, abs=0.02)


def test_the_dearest_region_is_reckoned_with() -> None:
    host = resource(HOST, "host", {"instanceType": "c7i.large"})
    found = cost(host, regions=("us-east-1", "eu-central-1", "xx-far-1"))
    assert found.region == "eu-central-1"
    assert found.usd_year == pytest.approx(1.2 * cost(host).usd_year, abs=0.02)


def test_where_only_copies_of_buckets_lie_nothing_is_reckoned() -> None:
    host = resource(HOST, "host", {"instanceType": "c7i.large", "tenancy": "dedicated"})
    far = FACTS.model_copy(update={"regions": ("eu-central-1", "sa-east-1")})
    assert estimate(preview([host]), far) == estimate(preview([host]), FACTS)


def test_what_goes_costs_nothing() -> None:
    host = resource(HOST, "host", {"instanceType": "c7i.large"}, action=Action.DELETE)
    assert cost(host).usd_year == 0


def test_what_has_no_price_is_listed_and_not_summed() -> None:
    found = cost(resource(VOLUME, "v", {"size": UNKNOWN, "type": "gp3"}))
    assert found.usd_year == 0
    assert found.unpriced == (
        Line(resource="v", type=VOLUME, what="gp3, of a size that is not known", usd_year=None),
    )


def test_an_interface_endpoint_costs_in_each_zone_and_a_gateway_nothing() -> None:
    kind = "aws:ec2/vpcEndpoint:VpcEndpoint"
    inner = {"vpcEndpointType": "Interface", "subnetIds": ["subnet-1", "subnet-2"]}
    assert cost(resource(kind, "ssm", inner)).usd_year == pytest.approx(2 * 0.01 * 8_760)
    assert cost(resource(kind, "s3", {"vpcEndpointType": "Gateway"})).lines == ()
