"""Servers of AWS are forked from one process, and have nothing in common."""

from __future__ import annotations

from tests.support.aws.server import aws_server


def test_two_servers_have_an_account_identifiers_and_a_state_each() -> None:
    with aws_server() as one, aws_server() as other:
        made = []
        for server in (one, other):
            told = server.client("sts").get_caller_identity()
            assert told["Account"] == server.account
            ec2 = server.client("ec2")
            made.append(ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])
            there = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
            assert there == [made[-1]]
        assert one.account != other.account
        assert made[0] != made[1]
    assert not one.process.alive
