"""Compute: the hosts of an environment, each with the volume that holds its data."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from opsctl.model.aws import Role
from stacks.aws import policies
from stacks.aws.component import Component, Keys, Providers
from stacks.aws.design import Design
from stacks.aws.machines import ROOT_GB
from stacks.aws.naming import PATH
from stacks.aws.network import SiteIds
from stacks.aws.parts import HostPart

DATA_DEVICE = "/dev/sdf"
"""What AWS calls the volume of the data; the host sees an NVMe disk with its serial number."""
ROOT_DEVICE = "/dev/xvda"
HOP_LIMIT = 1
"""No container of a host reaches the credentials of the host."""


@dataclass(frozen=True)
class ComputeArgs:
    """What hosts are made of."""

    design: Design
    regions: Providers
    keys: Keys
    sites: Mapping[str, SiteIds]
    zone: pulumi.Output[str] | None


class Compute(Component):
    """A host a site, without a public address, reached by Session Manager."""

    TYPE = "trading:aws:Compute"
    instances: dict[str, pulumi.Output[str]]
    """The ids of the hosts' instances, by name of the host."""
    volumes: dict[str, pulumi.Output[str]]
    """The ids of the volumes that hold data, by name of the host."""

    def __init__(
        self, name: str, args: ComputeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the hosts."""
        super().__init__(name, args.design, args.regions, opts)
        self._args = args
        self._profiles = self._instance_profiles()
        self.instances, self.volumes = {}, {}
        for host in args.design.hosts:
            self._host(host)
        self.register_outputs({"instances": self.instances, "volumes": self.volumes})

    def _instance_profiles(self) -> dict[str, pulumi.Input[str]]:
        """Return the profile of each role: what a host of it may do."""
        design = self._design
        roles = tuple(dict.fromkeys(host.role for host in design.hosts))
        if design.ephemeral:
            return dict.fromkeys(roles, policies.CI_HOSTS)
        return {role: self._profile(role) for role in roles}

    def _profile(self, role: str) -> pulumi.Output[str]:
        design, region = self._design, self._design.home.place.region
        made = aws.iam.Role(
            f"{role}-role",
            name=f"{design.slug}-{role}",
            path=PATH,
            assume_role_policy=policies.trust("ec2", design.account),
            tags=self._tags(f"{role}-role"),
            opts=self.under(f"{role}-role", region),
        )
        aws.iam.RolePolicyAttachment(
            f"{role}-session-manager",
            role=made.name,
            policy_arn=policies.SESSION_MANAGER,
            opts=self.under(f"{role}-session-manager", region),
        )
        if role == Role.TRADING:
            buckets = tuple(bucket.name for bucket in design.buckets)
            aws.iam.RolePolicy(
                f"{role}-policy",
                role=made.name,
                policy=policies.document(
                    *policies.host_statements(
                        design.account, design.slug, buckets, tuple(design.keys.values())
                    )
                ),
                opts=self.under(f"{role}-policy", region),
            )
        return aws.iam.InstanceProfile(
            f"{role}-profile",
            name=f"{design.slug}-{role}",
            path=PATH,
            role=made.name,
            tags=self._tags(f"{role}-profile"),
            opts=self.under(f"{role}-profile", region),
        ).name

    def _host(self, host: HostPart) -> None:
        ids = self._args.sites[host.site]
        template = self._template(host)
        key = self._args.keys.get(host.region)
        instance = aws.ec2.Instance(
            host.name,
            ami=host.image,
            instance_type=host.machine.type,
            launch_template={"id": template.id, "version": "$Default"},
            availability_zone=host.zone,
            subnet_id=ids.hosts,
            private_ip=host.address,
            associate_public_ip_address=False,
            vpc_security_group_ids=[ids.groups[host.group]],
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": HOP_LIMIT,
            },
            root_block_device={
                "encrypted": True,
                "kms_key_id": key,
                "volume_type": "gp3",
                "volume_size": ROOT_GB,
                "tags": self._tags(_root(host), host.site),
            },
            tags=self._tags(host.name, host.site) | {"role": host.role},
            # A newer image is for new hosts: those that are there are kept up to date in place.
            opts=self.under(host.name, host.region, depends_on=ids.exits, ignore_changes=["ami"]),
        )
        self.instances[host.name] = instance.id
        self.volumes[host.name] = self._volume(host, instance, key)
        if self._args.zone is not None:
            aws.route53.Record(
                f"{host.name}-name",
                zone_id=self._args.zone,
                name=f"{host.name}.{self._design.domain}",
                type="A",
                ttl=300,
                records=[host.address],
                opts=self.under(f"{host.name}-name", host.region),
            )

    def _template(self, host: HostPart) -> aws.ec2.LaunchTemplate:
        """Declare what a host is started from: by us, and by whoever replaces it by hand.

        Networks are the instance's own: AWS refuses them said in both places.
        """
        machine, name = host.machine, f"{host.name}-template"
        key = self._args.keys.get(host.region)
        return aws.ec2.LaunchTemplate(
            name,
            name=f"{self._design.slug}-{host.name}",
            image_id=host.image,
            instance_type=machine.type,
            update_default_version=True,
            user_data=_encoded(self._design.login.first(host.region)),
            ebs_optimized="true",
            iam_instance_profile={"name": self._profiles[host.role]},
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": HOP_LIMIT,
            },
            block_device_mappings=[
                {
                    "device_name": ROOT_DEVICE,
                    "ebs": {
                        "encrypted": "true",
                        "kms_key_id": key,
                        "volume_type": "gp3",
                        "volume_size": ROOT_GB,
                        "delete_on_termination": "true",
                    },
                }
            ],
            monitoring={"enabled": True},
            # Whole machines are not recovered by AWS: their alarm tells people instead.
            maintenance_options={"auto_recovery": "disabled" if machine.metal else "default"},
            cpu_options=(
                {"core_count": machine.cores, "threads_per_core": 1} if machine.cores else None
            ),
            placement={
                "availability_zone": host.zone,
                "tenancy": machine.tenancy,
                "group_name": self._placement(host),
            },
            # From the first moment: what has no tags yet is nobody's, and CI may not touch it.
            tag_specifications=[
                {"resource_type": kind, "tags": self._tags(called, host.site)}
                for kind, called in (
                    ("instance", host.name),
                    ("network-interface", f"{host.name}-interface"),
                    ("volume", _root(host)),
                )
            ],
            tags=self._tags(name, host.site),
            opts=self.under(name, host.region),
        )

    def _placement(self, host: HostPart) -> pulumi.Output[str] | None:
        if host.machine.placement != "cluster":
            return None
        name = f"{host.name}-placement"
        return aws.ec2.PlacementGroup(
            name,
            name=f"{self._design.slug}-{host.name}",
            strategy="cluster",
            tags=self._tags(name, host.site),
            opts=self.under(name, host.region),
        ).name

    def _volume(
        self, host: HostPart, instance: aws.ec2.Instance, key: pulumi.Output[str] | None
    ) -> pulumi.Output[str]:
        machine, name = host.machine, f"{host.name}-data"
        volume = aws.ebs.Volume(
            name,
            availability_zone=host.zone,
            size=machine.data_gb,
            type=machine.data_type,
            iops=machine.data_iops,
            encrypted=True,
            kms_key_id=key,
            final_snapshot=self._design.protected,
            tags=self._tags(name, host.site),
            opts=self.under(name, host.region, stateful=True),
        )
        aws.ec2.VolumeAttachment(
            f"{name}-attachment",
            device_name=DATA_DEVICE,
            volume_id=volume.id,
            instance_id=instance.id,
            stop_instance_before_detaching=True,
            opts=self.under(f"{name}-attachment", host.region),
        )
        return volume.id


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _root(host: HostPart) -> str:
    # Alike where it is started and where it is declared: otherwise each would put it right.
    return f"{host.name}-root"
