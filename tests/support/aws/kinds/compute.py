"""Machines: launch templates, instances, placement groups, volumes."""

from __future__ import annotations

import hashlib

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Beside, Cloud, Gone, Refused, is_gone, refusal
from tests.support.aws.kind import call, changed, deep_upper, only, serves, tag_list, tag_map, upper
from tests.support.aws.kinds import launch
from tests.support.aws.kinds.ec2 import Ec2
from tests.support.aws.wire import Properties


@serves("aws:ec2/launchTemplate:LaunchTemplate")
class LaunchTemplate(Ec2):
    """A launch template; every change of what it launches is a new version."""

    served = ("name", "description", *launch.TEMPLATE)
    replaces = ("name",)
    named = "name"
    chosen = ("defaultVersion",)
    moving = ("latestVersion",)
    guides = ("updateDefaultVersion",)
    refers = {"vpcSecurityGroupIds": "security group"}

    def check(self, inputs: Properties) -> Failures:
        """Names, and what it would launch."""
        yield from checks.matches(
            *("name", inputs.get("name", "abc"), r"[A-Za-z0-9()./_-]{3,128}"),
            "3 to 128 letters, digits, and ()./_-",
        )
        for at, device in enumerate(inputs.get("blockDeviceMappings") or []):
            yield from launch.volume(f"blockDeviceMappings[{at}].ebs.", device.get("ebs") or {})
        yield from launch.metadata(inputs.get("metadataOptions") or {})

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").create_launch_template(
            LaunchTemplateName=inputs["name"],
            LaunchTemplateData=launch.to_aws(inputs),
            **call(inputs, description="VersionDescription"),
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if not old or not list(changed(old, new, "description", *launch.TEMPLATE)):
            return
        made = self.cloud("ec2").create_launch_template_version(
            LaunchTemplateId=id_,
            LaunchTemplateData=launch.to_aws(new),
            **call(new, description="VersionDescription"),
        )
        if new.get("updateDefaultVersion"):
            number = made["LaunchTemplateVersion"]["VersionNumber"]
            self.cloud("ec2").modify_launch_template(
                LaunchTemplateId=id_, DefaultVersion=str(number)
            )

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_launch_templates(LaunchTemplateIds=[id_])
        template = only(found["LaunchTemplates"], id_)
        version = launch.version(self.cloud, id_, "$Latest")
        return {
            "arn": self.cloud.arn("ec2", f"launch-template/{id_}"),
            "name": template["LaunchTemplateName"],
            "latestVersion": template["LatestVersionNumber"],
            "defaultVersion": template["DefaultVersionNumber"],
            "description": version.get("VersionDescription") or None,
            **launch.from_aws(version["LaunchTemplateData"]),
            "tagsAll": self.tags_of(id_),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_launch_template(LaunchTemplateId=id_)


@serves("aws:ec2/instance:Instance")
class Instance(Ec2):
    """A machine. What moto does not take from the launch template is given along with it."""

    served = (
        *("ami", "instanceType", "subnetId", "vpcSecurityGroupIds", "availabilityZone"),
        *("iamInstanceProfile", "metadataOptions", "monitoring", "ebsOptimized", "tenancy"),
        *("placementGroup", "cpuOptions", "disableApiTermination", "sourceDestCheck"),
        *("launchTemplate", "privateIp", "maintenanceOptions", "rootBlockDevice"),
        *("userDataBase64", "associatePublicIpAddress", "userData"),
    )
    replaces = (
        *("ami", "subnetId", "availabilityZone", "tenancy", "placementGroup", "cpuOptions"),
        *("privateIp", "associatePublicIpAddress", "ebsOptimized", "launchTemplate.id"),
        *("launchTemplate.name", "rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId"),
    )
    guides = ("userDataReplaceOnChange", "volumeTags", "forceDestroy")
    chosen = (
        *("ami", "instanceType", "subnetId", "vpcSecurityGroupIds", "availabilityZone"),
        *("iamInstanceProfile", "metadataOptions", "monitoring", "ebsOptimized", "tenancy"),
        *("placementGroup", "cpuOptions", "disableApiTermination", "privateIp", "userData"),
        *("maintenanceOptions", "rootBlockDevice", "associatePublicIpAddress", "userDataBase64"),
    )
    beside = (
        *(
            "cpuOptions",
            "maintenanceOptions",
            "placementGroup",
            "monitoring",
            "tenancy",
            "userData",
        ),
        *("launchTemplate", "ebsOptimized", "userDataBase64", "associatePublicIpAddress"),
    )
    defaults = {"sourceDestCheck": True}
    refers = {
        "subnetId": "subnet",
        "vpcSecurityGroupIds": "security group",
        "placementGroup": "placement group",
        "iamInstanceProfile": "instance profile",
    }

    def check(self, inputs: Properties) -> Failures:
        """A machine needs an image and a type, or a template that has them."""
        if self.lacks(inputs, "launchTemplate"):
            for name in ("ami", "instanceType"):
                if self.lacks(inputs, name):
                    other = (
                        "ami,launch_template" if name == "ami" else "instance_type,launch_template"
                    )
                    yield name, f"one of `{other}` must be specified"
        if "ami" in inputs:
            yield from checks.matches("ami", inputs["ami"], r"ami-[0-9a-z]+", "no image's id")
        yield from checks.one_of("tenancy", inputs.get("tenancy"), "default", "dedicated", "host")
        yield from launch.volume("rootBlockDevice.", inputs.get("rootBlockDevice") or {})
        yield from launch.metadata(inputs.get("metadataOptions") or {})

    def create(self, inputs: Properties) -> str:
        of_template = launch.template(self.cloud, inputs)
        self._exists(inputs.get("ami") or of_template.get("ImageId", ""))
        arguments = {**of_template, **launch.instance(inputs)}
        if not arguments.get("InstanceType"):
            raise Refused("MissingParameter: the request must contain the parameter InstanceType")
        if template := inputs.get("launchTemplate"):
            arguments["LaunchTemplate"] = call(
                template, "version", id="LaunchTemplateId", name="LaunchTemplateName"
            )
        made = self.cloud("ec2").run_instances(MinCount=1, MaxCount=1, **arguments)
        return str(made["Instances"][0]["InstanceId"])

    def _exists(self, image: str) -> None:
        """Refuse an unknown image, as AWS does and moto does not."""
        self.cloud("ec2").describe_images(ImageIds=[image])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        ec2 = self.cloud("ec2")
        for name in changed(old or {"sourceDestCheck": True}, new, "sourceDestCheck"):
            ec2.modify_instance_attribute(InstanceId=id_, SourceDestCheck={"Value": new[name]})
        for name in changed(old, new, "disableApiTermination"):
            ec2.modify_instance_attribute(
                InstanceId=id_, DisableApiTermination={"Value": new.get(name, False)}
            )
        if new.get("metadataOptions") and list(changed(old, new, "metadataOptions")):
            ec2.modify_instance_metadata_options(
                InstanceId=id_, **deep_upper(new["metadataOptions"])
            )
        if not old:
            if new.get("associatePublicIpAddress") and new.get("vpcSecurityGroupIds"):
                # moto gives an interface of its own no groups.
                ec2.modify_instance_attribute(InstanceId=id_, Groups=new["vpcSecurityGroupIds"])
            root = new.get("rootBlockDevice") or {}
            if volume_tags := new.get("volumeTags") or root.get("tags"):
                self._tag_volumes(id_, volume_tags)
        else:
            self._change(id_, old, new)

    def _change(self, id_: str, old: Properties, new: Properties) -> None:
        ec2 = self.cloud("ec2")
        for name in changed(old, new, "vpcSecurityGroupIds"):
            ec2.modify_instance_attribute(InstanceId=id_, Groups=new[name])
        for name in changed(old, new, "instanceType"):
            ec2.stop_instances(InstanceIds=[id_])
            ec2.modify_instance_attribute(InstanceId=id_, InstanceType={"Value": new[name]})
            ec2.start_instances(InstanceIds=[id_])
        if list(changed(old, new, "rootBlockDevice")):
            root = self._root(id_)
            size = new.get("rootBlockDevice", {}).get("volumeSize", root.get("volumeSize"))
            ec2.modify_volume(VolumeId=root["volumeId"], Size=size)

    def _tag_volumes(self, id_: str, tags: dict[str, str]) -> None:
        self.cloud("ec2").create_tags(
            Resources=[self._root(id_)["volumeId"]],
            Tags=tag_list(tags),
        )

    def _root(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": [id_]}]
        )["Volumes"]
        if not found:
            return {}
        volume = min(found, key=lambda one: one["Attachments"][0]["Device"])
        return {
            "volumeId": volume["VolumeId"],
            "deviceName": volume["Attachments"][0]["Device"],
            "deleteOnTermination": volume["Attachments"][0].get("DeleteOnTermination"),
            "volumeSize": volume["Size"],
            "volumeType": volume["VolumeType"],
            "encrypted": volume["Encrypted"],
            **{
                name: volume[upper(name)]
                for name in ("kmsKeyId", "iops", "throughput")
                if volume.get(upper(name))
            },
            **({"tags": tags} if (tags := tag_map(volume.get("Tags"))) else {}),
        }

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_instances(InstanceIds=[id_])["Reservations"]
        machine = only(found, id_)["Instances"][0]
        if machine["State"]["Name"] in ("terminated", "shutting-down"):
            raise Gone(id_)
        return {
            "arn": self.cloud.arn("ec2", f"instance/{id_}"),
            "disableApiTermination": launch.attribute(self.cloud, id_, "disableApiTermination"),
            "rootBlockDevice": self._root(id_),
            **launch.described(machine),
            "tagsAll": tag_map(machine.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if launch.attribute(self.cloud, id_, "disableApiTermination"):
            raise Refused(
                f"operation error EC2: TerminateInstances, https response error StatusCode: 400, "
                f"api error OperationNotPermitted: The instance '{id_}' may not be terminated. "
                "Modify its 'disableApiTermination' instance attribute and try again."
            )
        self.cloud("ec2").terminate_instances(InstanceIds=[id_])


@serves("aws:ec2/placementGroup:PlacementGroup")
class PlacementGroup(Ec2):
    """A placement group. moto has none: all of it is kept beside."""

    served = ("name", "strategy", "partitionCount", "spreadLevel")
    replaces = served
    named = "name"
    chosen = ("partitionCount", "spreadLevel")
    beside = served

    def check(self, inputs: Properties) -> Failures:
        """Its strategy; only a partitioned one has a count of partitions."""
        strategy = inputs.get("strategy")
        yield from checks.one_of("strategy", strategy, "cluster", "partition", "spread")
        if "partitionCount" in inputs and strategy != "partition":
            yield "partitionCount", "partition count must not be set unless strategy is partition"

    def create(self, inputs: Properties) -> str:
        name = str(inputs["name"])
        if self.kept.read(name) is not None:
            raise refusal(
                "InvalidPlacementGroup.Duplicate",
                f"The placement group '{name}' already exists.",
                "CreatePlacementGroup",
            )
        self.kept.write(name, call(inputs, "strategy"))
        return name

    def read(self, id_: str) -> Properties:
        if self.kept.read(id_) is None:
            raise Gone(id_)
        number = hashlib.sha256(f"{self.cloud.region}{id_}".encode()).hexdigest()[:17]
        return {
            "arn": self.cloud.arn("ec2", f"placement-group/{id_}"),
            "placementGroupId": f"pg-{number}",
            "tagsAll": self._tags.read(id_) or {},
        }

    @property
    def _tags(self) -> Beside:
        return Beside(self.cloud, f"{self.token}Tags")

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        self._tags.write(id_, tags)

    def delete(self, id_: str, inputs: Properties) -> None:
        self._tags.delete(id_)


@serves("aws:ebs/volume:Volume")
class Volume(Ec2):
    """A disk."""

    served = (
        *("availabilityZone", "size", "type", "encrypted", "kmsKeyId", "iops", "throughput"),
        *("snapshotId",),
    )
    replaces = ("availabilityZone", "encrypted", "kmsKeyId", "snapshotId")
    chosen = ("size", "type", "encrypted", "kmsKeyId", "iops", "throughput", "snapshotId")
    guides = ("finalSnapshot",)
    refers = {"kmsKeyId": "key"}

    def check(self, inputs: Properties) -> Failures:
        """Size and speed by type; a zone of the region."""
        if self.lacks(inputs, "size", "snapshotId"):
            yield "size", "one of `size,snapshot_id` must be specified"
        yield from launch.volume(
            "", {**inputs, "volumeSize": inputs.get("size"), "volumeType": inputs.get("type")}
        )
        zone = inputs.get("availabilityZone", self.cloud.region)
        if not zone.startswith(inputs.get("region", self.cloud.region)):
            yield "availabilityZone", f"InvalidParameterValue: {zone} is not in this region"

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").create_volume(
            **call(
                *(inputs, "availabilityZone", "size", "encrypted", "kmsKeyId", "iops"),
                *("throughput", "snapshotId"),
                type="VolumeType",
            )
        )
        return str(made["VolumeId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old and list(changed(old, new, "size", "type", "iops", "throughput")):
            self.cloud("ec2").modify_volume(
                VolumeId=id_, **call(new, "size", "iops", "throughput", type="VolumeType")
            )

    def read(self, id_: str) -> Properties:
        volume = only(self.cloud("ec2").describe_volumes(VolumeIds=[id_])["Volumes"], id_)
        return {
            "arn": self.cloud.arn("ec2", f"volume/{id_}"),
            "type": volume["VolumeType"],
            "createTime": volume["CreateTime"].isoformat(),
            **{
                name: volume.get(upper(name))
                for name in (*self.served[:2], *self.served[3:])
                if volume.get(upper(name)) not in (None, "")
            },
            "tagsAll": tag_map(volume.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if inputs.get("finalSnapshot"):
            self.cloud("ec2").create_snapshot(VolumeId=id_)
        self.cloud("ec2").delete_volume(VolumeId=id_)


@serves("aws:ec2/volumeAttachment:VolumeAttachment")
class VolumeAttachment(Ec2):
    """A disk in a machine."""

    served = ("deviceName", "volumeId", "instanceId")
    replaces = served
    replaced_first = True
    guides = ("forceDetach", "skipDestroy", "stopInstanceBeforeDetaching")
    refers = {"volumeId": "volume", "instanceId": "instance"}

    def create(self, inputs: Properties) -> str:
        self.cloud("ec2").attach_volume(
            **call(inputs, "volumeId", "instanceId", deviceName="Device")
        )
        return ":".join(inputs[name] for name in self.served)

    def read(self, id_: str) -> Properties:
        device, volume, machine = id_.split(":")
        found = only(self.cloud("ec2").describe_volumes(VolumeIds=[volume])["Volumes"], id_)
        for one in found["Attachments"]:
            if (one["Device"], one["InstanceId"]) == (device, machine):
                return {"deviceName": device, "volumeId": volume, "instanceId": machine}
        raise Gone(id_)

    def delete(self, id_: str, inputs: Properties) -> None:
        device, volume, machine = id_.split(":")
        if inputs.get("skipDestroy") or not attached(self.cloud, id_):
            return
        self.cloud("ec2").detach_volume(VolumeId=volume, InstanceId=machine, Device=device)


def attached(cloud: Cloud, id_: str) -> bool:
    """Whether a volume is in a machine as the attachment's id says."""
    try:
        VolumeAttachment(cloud).read(id_)
    except Exception as error:
        if is_gone(error):
            return False
        raise
    return True
