"""What the types of EC2 share: tags that are set by id."""

from __future__ import annotations

from tests.support.aws.kind import Kind, tag_list, tag_map


class Ec2(Kind):
    """A type of EC2."""

    def tags_of(self, id_: str) -> dict[str, str]:
        """Return the tags, where describing the resource itself does not tell them."""
        found = self.cloud("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [id_]}])
        return tag_map(found["Tags"])

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        """Take tags away and set others."""
        ec2, named = self.cloud("ec2"), [id_]
        if gone:
            ec2.delete_tags(Resources=named, Tags=[{"Key": key} for key in gone])
        if tags:
            ec2.create_tags(Resources=named, Tags=tag_list(tags))
