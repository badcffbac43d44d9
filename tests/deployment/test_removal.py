"""Deleting the stack keeps what users gave. The last file by name, since nothing works afterwards."""

from deployment import STACK_NAME


def test_deleting_the_stack_keeps_table_and_buckets(deployment):
    emulator = deployment.emulator
    cloudformation = emulator.client("cloudformation")
    cloudformation.delete_stack(StackName=STACK_NAME)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1})
    assert emulator.client("lambda").list_functions()["Functions"] == []
    emulator.client("dynamodb").describe_table(TableName=deployment.outputs["TableName"])
    for bucket in ("IngestBucketName", "MediaBucketName"):
        emulator.client("s3").head_bucket(Bucket=deployment.outputs[bucket])
