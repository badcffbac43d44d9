"""Deleting the stack keeps what users gave, until that is removed, too. The last file by name, since nothing works afterwards."""

import pytest
from botocore.exceptions import ClientError

from deployment import read_me

BUCKETS = ("IngestBucketName", "MediaBucketName")


def test_everything_is_removed_in_two_steps(deployment):
    delete_stack, remove_data = read_me("How to remove everything")
    emulator, outputs = deployment.emulator, deployment.outputs
    dynamodb, s3 = emulator.client("dynamodb"), emulator.client("s3")

    # Whether the stack is to go, and what SAM uploaded for it.
    deployment.shell.run(delete_stack, answers="y\ny\n")
    assert emulator.client("lambda").list_functions()["Functions"] == []
    dynamodb.describe_table(TableName=outputs["TableName"])
    for bucket in BUCKETS:
        s3.head_bucket(Bucket=outputs[bucket])

    deployment.shell.run(remove_data)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb.describe_table(TableName=outputs["TableName"])
    for bucket in BUCKETS:
        with pytest.raises(ClientError, match="404"):
            s3.head_bucket(Bucket=outputs[bucket])
