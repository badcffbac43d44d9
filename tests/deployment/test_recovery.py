"""The table goes back to an earlier state as the runbook says, and the deployment goes on with it."""

from deployment import read_me
from test_deployment import expect, new_account


def test_a_restored_table_takes_the_place_of_the_other(deployment):
    account = new_account()
    expect(deployment.request("POST", "/auth/signup", json=account), 201)
    name = deployment.outputs["TableName"]
    dynamodb = deployment.emulator.client("dynamodb")
    declared = dynamodb.describe_table(TableName=name)["Table"]

    for block in read_me("The table as it was"):
        deployment.shell.run(block)

    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["TableId"] != declared["TableId"]
    for setting in ("KeySchema", "DeletionProtectionEnabled"):
        assert table[setting] == declared[setting]
    time_to_live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    token = expect(deployment.request("POST", "/auth/login", json=account), 200)["access_token"]
    expect(deployment.request("GET", "/media", token), 200)
