"""The cases of machines, identities and keys."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.integration.aws.cases import Case, first, policy
from tests.integration.aws.world import TRUST, World
from tests.support.aws.direct import Made


def retagged(aws: Any, it: Made) -> None:
    """Have somebody tag a resource of EC2."""
    aws("ec2").create_tags(Resources=[it.id], Tags=[{"Key": "who", "Value": "me"}])


def _template(w: World) -> dict[str, Any]:
    return {
        "imageId": w.image,
        "instanceType": "c7i.large",
        "vpcSecurityGroupIds": [w.group.id],
        "iamInstanceProfile": {"name": w.profile.id},
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "monitoring": {"enabled": True},
        "ebsOptimized": "true",
        "userData": base64.b64encode(b"#!/bin/sh").decode(),
        "placement": {"groupName": w.placement.id, "tenancy": "dedicated"},
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/sda1",
                "ebs": {"volumeSize": 20, "volumeType": "gp3", "encrypted": "true"},
            }
        ],
        "tagSpecifications": [{"resourceType": "instance", "tags": {"tier": "daily"}}],
        "updateDefaultVersion": True,
    }


def _launched(aws: Any, it: Made) -> list[Any]:
    found = aws("ec2").describe_launch_template_versions(
        LaunchTemplateId=it.id, Versions=["$Default"]
    )
    data = first(found["LaunchTemplateVersions"])["LaunchTemplateData"]
    return [
        data["InstanceType"],
        data["MetadataOptions"]["HttpTokens"],
        first(data["BlockDeviceMappings"])["Ebs"]["Encrypted"],
    ]


def _machine(aws: Any, it: Made) -> list[Any]:
    found = first(aws("ec2").describe_instances(InstanceIds=[it.id])["Reservations"])
    machine = first(found["Instances"])
    disk = machine["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    [volume] = aws("ec2").describe_volumes(VolumeIds=[disk])["Volumes"]
    return [
        machine["InstanceType"],
        machine["MetadataOptions"]["HttpTokens"],
        machine.get("PublicIpAddress"),
        [volume["Encrypted"], volume["Size"], volume["VolumeType"]],
    ]


MACHINES = (
    Case(
        "aws:ec2/launchTemplate:LaunchTemplate",
        _template,
        _launched,
        ["c7i.large", "required", True],
        update={"instanceType": "c7i.xlarge"},
        updated=["c7i.xlarge", "required", True],
        replace={"name": "another"},
        drift=lambda aws, it: aws("ec2").create_launch_template_version(
            LaunchTemplateId=it.id,
            SourceVersion="1",
            LaunchTemplateData={**_data(aws, it), "InstanceType": "t3.nano"},
        ),
        drifted="instanceType",
    ),
    Case(
        "aws:ec2/instance:Instance",
        lambda w: {
            "ami": w.image,
            "instanceType": "c7i.large",
            "subnetId": w.subnet_a.id,
            "vpcSecurityGroupIds": [w.group.id],
            "iamInstanceProfile": w.profile.id,
            "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
            "monitoring": True,
            "placementGroup": w.placement.id,
            "cpuOptions": {"coreCount": 1, "threadsPerCore": 1},
            "maintenanceOptions": {"autoRecovery": "default"},
            "associatePublicIpAddress": False,
            "rootBlockDevice": {
                "encrypted": True,
                "volumeType": "gp3",
                "volumeSize": 30,
                "kmsKeyId": w.key["arn"],
            },
        },
        _machine,
        ["c7i.large", "required", None, [True, 30, "gp3"]],
        update={"instanceType": "c7i.xlarge", "monitoring": False},
        updated=["c7i.xlarge", "required", None, [True, 30, "gp3"]],
        replace={"placementGroup": "another"},
        drift=lambda aws, it: aws("ec2").modify_instance_metadata_options(
            InstanceId=it.id, HttpTokens="optional"
        ),
        drifted="metadataOptions",
    ),
    Case(
        "aws:ec2/placementGroup:PlacementGroup",
        lambda w: {"strategy": "spread", "spreadLevel": "rack"},
        lambda aws, it: json.loads(
            aws("ssm").get_parameter(Name=f"/beside/PlacementGroup/{it.id}")["Parameter"]["Value"]
        )["strategy"],
        "spread",
        replace={"strategy": "cluster"},
        drift=lambda aws, it: aws("ssm").delete_parameter(Name=f"/beside/PlacementGroup/{it.id}"),
    ),
    Case(
        "aws:ebs/volume:Volume",
        lambda w: {
            "availabilityZone": "eu-central-1a",
            "size": 100,
            "type": "gp3",
            "iops": 4000,
            "encrypted": True,
            "kmsKeyId": w.key["arn"],
        },
        lambda aws, it: [
            first(aws("ec2").describe_volumes(VolumeIds=[it.id])["Volumes"])[name]
            for name in ("Size", "VolumeType", "Encrypted", "AvailabilityZone")
        ],
        [100, "gp3", True, "eu-central-1a"],
        update={"size": 200},
        updated=[200, "gp3", True, "eu-central-1a"],
        replace={"encrypted": None, "kmsKeyId": None},
        drift=lambda aws, it: aws("ec2").modify_volume(VolumeId=it.id, Size=150),
        drifted="size",
    ),
    Case(
        "aws:ec2/volumeAttachment:VolumeAttachment",
        lambda w: {
            "deviceName": "/dev/sdf",
            "volumeId": w.volume.id,
            "instanceId": w.machine.id,
        },
        lambda aws, it: first(
            first(aws("ec2").describe_volumes(VolumeIds=[it["volumeId"]])["Volumes"])["Attachments"]
        )["Device"],
        "/dev/sdf",
        replace={"deviceName": "/dev/sdg"},
        drift=lambda aws, it: aws("ec2").detach_volume(
            VolumeId=it["volumeId"], InstanceId=it["instanceId"]
        ),
    ),
)


def _data(aws: Any, it: Made) -> dict[str, Any]:
    found = aws("ec2").describe_launch_template_versions(
        LaunchTemplateId=it.id, Versions=["$Latest"]
    )
    data: dict[str, Any] = first(found["LaunchTemplateVersions"])["LaunchTemplateData"]
    return data


OTHER_TRUST = TRUST.replace("ec2.amazonaws.com", "ssm.amazonaws.com")

IDENTITIES = (
    Case(
        "aws:iam/role:Role",
        lambda w: {"assumeRolePolicy": TRUST, "description": "hosts", "maxSessionDuration": 7200},
        lambda aws, it: [
            aws("iam").get_role(RoleName=it.id)["Role"]["MaxSessionDuration"],
            "ec2.amazonaws.com"
            in json.dumps(aws("iam").get_role(RoleName=it.id)["Role"]["AssumeRolePolicyDocument"]),
        ],
        [7200, True],
        update={"assumeRolePolicy": OTHER_TRUST, "maxSessionDuration": 3600},
        updated=[3600, False],
        replace={"path": "/hosts/"},
        drift=lambda aws, it: aws("iam").update_assume_role_policy(
            RoleName=it.id, PolicyDocument=OTHER_TRUST
        ),
        drifted="assumeRolePolicy",
    ),
    Case(
        "aws:iam/rolePolicy:RolePolicy",
        lambda w: {"role": w.role.id, "policy": policy("s3:GetObject")},
        lambda aws, it: aws("iam").get_role_policy(RoleName=it["role"], PolicyName=it["name"])[
            "PolicyDocument"
        ]["Statement"][0]["Action"],
        "s3:GetObject",
        update={"policy": policy("s3:PutObject")},
        updated="s3:PutObject",
        replace={"name": "another"},
        drift=lambda aws, it: aws("iam").put_role_policy(
            RoleName=it["role"], PolicyName=it["name"], PolicyDocument=policy("*")
        ),
        drifted="policy",
    ),
    Case(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda w: {
            "role": w.role.id,
            "policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        },
        lambda aws, it: [
            one["PolicyName"]
            for one in aws("iam").list_attached_role_policies(RoleName=it["role"])[
                "AttachedPolicies"
            ]
        ],
        ["AmazonSSMManagedInstanceCore"],
        replace={"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        drift=lambda aws, it: aws("iam").detach_role_policy(
            RoleName=it["role"], PolicyArn=it["policyArn"]
        ),
    ),
    Case(
        "aws:iam/instanceProfile:InstanceProfile",
        lambda w: {"role": w.role.id},
        lambda aws, it: (
            [
                one["RoleName"]
                for one in aws("iam").get_instance_profile(InstanceProfileName=it.id)[
                    "InstanceProfile"
                ]["Roles"]
            ]
            == [it.outputs.get("role")]
        ),
        True,
        replace={"path": "/hosts/"},
        drift=lambda aws, it: aws("iam").remove_role_from_instance_profile(
            InstanceProfileName=it.id, RoleName=it["role"]
        ),
        drifted="role",
    ),
    Case(
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        lambda w: {
            "url": "https://ci.example.com",
            "clientIdLists": ["sts.amazonaws.com"],
            "thumbprintLists": ["6938fd4d98bab03faadb97b34396831e3780aea1"],
        },
        lambda aws, it: aws("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=it.id)[
            "ThumbprintList"
        ],
        ["6938fd4d98bab03faadb97b34396831e3780aea1"],
        update={"thumbprintLists": ["1c58a3a8518e8759bf075b76b750d4f2df264fcd"]},
        updated=["1c58a3a8518e8759bf075b76b750d4f2df264fcd"],
        replace={"url": "https://other.example.com"},
        drift=lambda aws, it: aws("iam").update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=it.id, ThumbprintList=["0" * 40]
        ),
        drifted="thumbprintLists",
    ),
    Case(
        "aws:kms/key:Key",
        lambda w: {"description": "data", "enableKeyRotation": True, "deletionWindowInDays": 7},
        lambda aws, it: [
            aws("kms").get_key_rotation_status(KeyId=it.id)["KeyRotationEnabled"],
            aws("kms").describe_key(KeyId=it.id)["KeyMetadata"]["Description"],
        ],
        [True, "data"],
        update={"description": "backups"},
        updated=[True, "backups"],
        replace={"customerMasterKeySpec": "RSA_2048"},
        drift=lambda aws, it: aws("kms").disable_key_rotation(KeyId=it.id),
        drifted="enableKeyRotation",
    ),
    Case(
        "aws:kms/alias:Alias",
        lambda w: {"name": "alias/trading/data", "targetKeyId": w.key["keyId"]},
        lambda aws, it: (
            aws("kms").describe_key(KeyId=it.id)["KeyMetadata"]["KeyId"] == it["targetKeyId"]
        ),
        True,
        replace={"name": "alias/trading/other"},
        drift=lambda aws, it: aws("kms").delete_alias(AliasName=it.id),
    ),
    Case(
        "aws:secretsmanager/secret:Secret",
        lambda w: {
            "name": "trading/daily/postgres",
            "description": "the password",
            "kmsKeyId": w.key["arn"],
            "recoveryWindowInDays": 0,
        },
        lambda aws, it: aws("secretsmanager").describe_secret(SecretId=it.id)["Description"],
        "the password",
        update={"description": "another"},
        updated="another",
        replace={"name": "trading/daily/other"},
        drift=lambda aws, it: aws("secretsmanager").update_secret(
            SecretId=it.id, Description="mine"
        ),
        drifted="description",
    ),
)
