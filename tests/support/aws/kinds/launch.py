"""What a machine is launched with, as Pulumi and as EC2 spell it."""

from __future__ import annotations

import base64
from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Cloud
from tests.support.aws.kind import call, deep_lower, deep_upper, tag_list, tag_map, upper
from tests.support.aws.wire import Properties

PLAIN = ("imageId", "instanceType", "userData", "disableApiTermination", "keyName")
OBJECTS = (
    *("metadataOptions", "monitoring", "placement", "cpuOptions", "maintenanceOptions"),
    *("iamInstanceProfile", "creditSpecification"),
)
TEMPLATE = (
    *(*PLAIN, *OBJECTS, "ebsOptimized", "vpcSecurityGroupIds", "blockDeviceMappings"),
    *("networkInterfaces", "tagSpecifications"),
)
"""The inputs of a launch template that say what is launched."""

GB_OF_TYPE = {"gp2": 16384, "gp3": 65536, "io1": 16384, "io2": 65536, "st1": 16384, "sc1": 16384}
"""The largest volume of each type, in GiB (EBS volume types, 2025)."""


def volume(path: str, wanted: Properties) -> Failures:
    """Yield what EBS refuses of a volume."""
    kind = wanted.get("volumeType")
    yield from checks.one_of(f"{path}volumeType", kind, *GB_OF_TYPE, "standard")
    largest = GB_OF_TYPE.get(kind or "gp2", 16384)
    yield from checks.between(f"{path}volumeSize", wanted.get("volumeSize"), 1, largest)
    if wanted.get("iops") is not None and kind not in ("gp3", "io1", "io2"):
        yield (
            f"{path}iops",
            f"InvalidParameterCombination: iops is not supported for {kind} volumes",
        )
    if kind == "gp3":
        yield from checks.between(f"{path}iops", wanted.get("iops"), 3000, 80000)
        yield from checks.between(f"{path}throughput", wanted.get("throughput"), 125, 2000)
    elif wanted.get("throughput") is not None:
        yield f"{path}throughput", "InvalidParameterCombination: only gp3 volumes have a throughput"
    if wanted.get("kmsKeyId") and wanted.get("encrypted") in (None, False, "false"):
        yield f"{path}kmsKeyId", "InvalidParameterDependency: KmsKeyId needs the Encrypted flag"


def metadata(wanted: Properties) -> Failures:
    """Yield what EC2 refuses of an instance's metadata service."""
    for name, allowed in {
        "httpTokens": ("optional", "required"),
        "httpEndpoint": ("enabled", "disabled"),
        "instanceMetadataTags": ("enabled", "disabled"),
    }.items():
        yield from checks.one_of(f"metadataOptions.{name}", wanted.get(name), *allowed)
    yield from checks.between(
        "metadataOptions.httpPutResponseHopLimit", wanted.get("httpPutResponseHopLimit"), 1, 64
    )


def to_aws(inputs: Properties) -> dict[str, Any]:
    """Return the data of a launch template."""
    data = call(inputs, *PLAIN, vpcSecurityGroupIds="SecurityGroupIds")
    data |= {upper(name): deep_upper(inputs[name]) for name in OBJECTS if inputs.get(name)}
    if inputs.get("ebsOptimized") is not None:
        data["EbsOptimized"] = inputs["ebsOptimized"] == "true"
    if devices := inputs.get("blockDeviceMappings"):
        data["BlockDeviceMappings"] = [_device(one) for one in devices]
    if interfaces := inputs.get("networkInterfaces"):
        data["NetworkInterfaces"] = [_interface(one) for one in interfaces]
    if tagged := inputs.get("tagSpecifications"):
        data["TagSpecifications"] = [
            {"ResourceType": one["resourceType"], "Tags": tag_list(one.get("tags") or {})}
            for one in tagged
        ]
    return data


def _device(device: Properties) -> dict[str, Any]:
    ebs = dict(device.get("ebs") or {})
    for name in ("encrypted", "deleteOnTermination"):  # which Pulumi has as text
        if name in ebs:
            ebs[name] = str(ebs[name]).lower() == "true"
    return {"DeviceName": device["deviceName"], "Ebs": deep_upper(ebs)}


def _interface(interface: Properties) -> dict[str, Any]:
    found: dict[str, Any] = deep_upper(
        {name: one for name, one in interface.items() if name != "securityGroups"}
    )
    for name in ("AssociatePublicIpAddress", "DeleteOnTermination"):
        if name in found:
            found[name] = str(found[name]).lower() == "true"
    found.setdefault("DeviceIndex", 0)
    return {**found, **call(interface, securityGroups="Groups")}


def from_aws(data: dict[str, Any]) -> Properties:
    """Return the inputs that a launch template's data are of."""
    found: Properties = {
        name[0].lower() + name[1:]: deep_lower(value) for name, value in data.items()
    }
    found["vpcSecurityGroupIds"] = found.pop("securityGroupIds", None)
    if "ebsOptimized" in found:
        found["ebsOptimized"] = _text(found["ebsOptimized"])
    for device in found.get("blockDeviceMappings") or []:
        for name in {"encrypted", "deleteOnTermination"} & device.get("ebs", {}).keys():
            device["ebs"][name] = _text(device["ebs"][name])
    for interface in found.get("networkInterfaces") or []:
        interface["securityGroups"] = interface.pop("groups", None)
        for name in {"associatePublicIpAddress", "deleteOnTermination"} & interface.keys():
            interface[name] = _text(interface[name])
    if "TagSpecifications" in data:
        found["tagSpecifications"] = [
            {"resourceType": one["ResourceType"], "tags": tag_map(one["Tags"])}
            for one in data["TagSpecifications"]
            if one["ResourceType"] != "launch-template"  # its own: moto lists them with its data's
        ]
    return {name: value for name, value in found.items() if name in TEMPLATE}


def _text(value: Any) -> str:
    return str(value).lower()


def version(cloud: Cloud, id_: str, wanted: str) -> dict[str, Any]:
    """Return a version of a launch template."""
    found: dict[str, Any] = cloud("ec2").describe_launch_template_versions(
        LaunchTemplateId=id_, Versions=[wanted]
    )["LaunchTemplateVersions"][0]
    return found


def template(cloud: Cloud, inputs: Properties) -> dict[str, Any]:
    """Return the arguments of RunInstances that the launch template of an instance has."""
    named = inputs.get("launchTemplate")
    if not named:
        return {}
    id_ = named.get("id")
    if id_ is None:
        found = cloud("ec2").describe_launch_templates(LaunchTemplateNames=[named["name"]])
        id_ = found["LaunchTemplates"][0]["LaunchTemplateId"]
    data = version(cloud, id_, str(named.get("version") or "$Default"))["LaunchTemplateData"]
    known = (
        *("ImageId", "InstanceType", "SecurityGroupIds", "BlockDeviceMappings", "EbsOptimized"),
        *("IamInstanceProfile", "MetadataOptions", "Monitoring", "CpuOptions"),
    )
    return {name: data[name] for name in known if name in data}


def instance(inputs: Properties) -> dict[str, Any]:
    """Return the arguments of RunInstances that an instance has by itself."""
    found = call(
        *(inputs, "instanceType", "ebsOptimized"),
        ami="ImageId",
        privateIp="PrivateIpAddress",
    )
    if not inputs.get("associatePublicIpAddress"):
        found |= call(inputs, "subnetId", vpcSecurityGroupIds="SecurityGroupIds")
    else:
        interface = call(
            *(inputs, "subnetId", "associatePublicIpAddress"), vpcSecurityGroupIds="Groups"
        )
        found["NetworkInterfaces"] = [{"DeviceIndex": 0, **interface}]
    if "userData" in inputs:
        found["UserData"] = inputs["userData"]
    elif "userDataBase64" in inputs:
        found["UserData"] = base64.b64decode(inputs["userDataBase64"]).decode()
    if profile := inputs.get("iamInstanceProfile"):
        found["IamInstanceProfile"] = {"Name": profile}
    if "monitoring" in inputs:
        found["Monitoring"] = {"Enabled": inputs["monitoring"]}
    for name in ("metadataOptions", "cpuOptions"):
        if inputs.get(name):
            found[name[0].upper() + name[1:]] = deep_upper(inputs[name])
    placement = call(inputs, "tenancy", "availabilityZone", placementGroup="GroupName")
    if placement:
        found["Placement"] = placement
    if root := inputs.get("rootBlockDevice"):
        own = {name: one for name, one in root.items() if name not in ("tags", "tagsAll")}
        ebs = {"deleteOnTermination": True, **own}  # what the provider says where nobody does
        found["BlockDeviceMappings"] = [{"DeviceName": "/dev/sda1", "Ebs": deep_upper(ebs)}]
    return found


def attribute(cloud: Cloud, id_: str, name: str) -> bool:
    """Return a switch of an instance."""
    found = cloud("ec2").describe_instance_attribute(InstanceId=id_, Attribute=name)
    return bool(found[name[0].upper() + name[1:]]["Value"])


def described(machine: dict[str, Any]) -> Properties:
    """Return what DescribeInstances says of a machine."""
    options = deep_lower(machine.get("MetadataOptions") or {})
    options.pop("state", None)
    profile = machine.get("IamInstanceProfile", {}).get("Arn")
    return {
        "ami": machine["ImageId"],
        "instanceType": machine["InstanceType"],
        "subnetId": machine.get("SubnetId"),
        "vpcSecurityGroupIds": [one["GroupId"] for one in machine.get("SecurityGroups") or []],
        "availabilityZone": machine["Placement"]["AvailabilityZone"],
        "iamInstanceProfile": profile.rpartition("/")[2] if profile else None,
        "metadataOptions": options,
        "monitoring": machine.get("Monitoring", {}).get("State") == "enabled",
        "sourceDestCheck": machine.get("SourceDestCheck"),
        "privateIp": machine.get("PrivateIpAddress"),
        "privateDns": machine.get("PrivateDnsName"),
        "publicIp": machine.get("PublicIpAddress"),
        "publicDns": machine.get("PublicDnsName"),
        "instanceState": machine["State"]["Name"],
        "primaryNetworkInterfaceId": (machine.get("NetworkInterfaces") or [{}])[0].get(
            "NetworkInterfaceId"
        ),
    }
