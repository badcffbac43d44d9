"""Secrets Manager: values, their versions and stages.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
"""

from datetime import datetime, timedelta, timezone

import pytest

from aws import ACCOUNT_ID, refused


@pytest.fixture(scope="module")
def secrets(aws):
    return aws.client("secretsmanager")


@pytest.fixture
def secret(secrets, unique):
    """A secret of this test's own, with one value."""
    created = secrets.create_secret(Name=f"conformance/{unique}", SecretString="one")
    yield created
    secrets.delete_secret(SecretId=created["ARN"], ForceDeleteWithoutRecovery=True)


class TestCreate:
    """API_CreateSecret.html"""

    def test_what_comes_back(self, secret, secrets, unique):
        assert secret["Name"] == f"conformance/{unique}" and secret["VersionId"]
        arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT_ID}:secret:conformance/{unique}-"
        assert secret["ARN"].startswith(arn) and len(secret["ARN"]) == len(arn) + 6

    def test_a_name_twice(self, secret, secrets):
        with refused("ResourceExistsException", 400):
            secrets.create_secret(Name=secret["Name"], SecretString="two")

    def test_the_same_request_again(self, secrets, unique):
        """ClientRequestToken: a retry is no second secret."""
        asked = {"Name": f"conformance/{unique}", "SecretString": "one", "ClientRequestToken": unique}
        first = secrets.create_secret(**asked)
        assert first["VersionId"] == unique
        assert secrets.create_secret(**asked)["ARN"] == first["ARN"]
        secrets.delete_secret(SecretId=first["ARN"], ForceDeleteWithoutRecovery=True)

    @pytest.mark.parametrize("name", ["", "with blank", "semi;colon", "n" * 513])
    def test_names(self, aws, name):
        with pytest.raises(Exception) as raised:
            aws.client("secretsmanager", parameter_validation=False).create_secret(Name=name, SecretString="x")
        assert raised.value.response["Error"]["Code"] in ("InvalidParameterException", "ValidationException")


class TestGet:
    """API_GetSecretValue.html"""

    @pytest.mark.parametrize("by", ["Name", "ARN"])
    def test_by_name_and_by_arn(self, secret, secrets, by):
        value = secrets.get_secret_value(SecretId=secret[by])
        assert (value["SecretString"], value["VersionId"]) == ("one", secret["VersionId"])
        assert (value["Name"], value["ARN"]) == (secret["Name"], secret["ARN"])
        assert value["VersionStages"] == ["AWSCURRENT"] and "SecretBinary" not in value
        assert abs(datetime.now(timezone.utc) - value["CreatedDate"]) < timedelta(minutes=1)

    def test_what_is_not_there(self, secret, secrets, unique):
        for asked in (
            {"SecretId": "conformance/missing"},
            {"SecretId": secret["Name"], "VersionStage": "AWSPREVIOUS"},
            {"SecretId": secret["Name"], "VersionId": unique},
        ):
            with refused("ResourceNotFoundException", 400):
                secrets.get_secret_value(**asked)

    def test_a_secret_without_a_value(self, secrets):
        """The template's, before anybody has put one."""
        with refused("ResourceNotFoundException", 400):
            secrets.get_secret_value(SecretId="conformance/keys")

    def test_bytes(self, secret, secrets):
        value = bytes(range(256))
        secrets.put_secret_value(SecretId=secret["ARN"], SecretBinary=value)
        answer = secrets.get_secret_value(SecretId=secret["ARN"])
        assert answer["SecretBinary"] == value and "SecretString" not in answer


class TestPut:
    """API_PutSecretValue.html"""

    def test_the_new_value_is_current_and_the_old_one_previous(self, secret, secrets):
        second = secrets.put_secret_value(SecretId=secret["Name"], SecretString="two")
        assert second["VersionStages"] == ["AWSCURRENT"] and second["VersionId"] != secret["VersionId"]
        assert secrets.get_secret_value(SecretId=secret["Name"])["SecretString"] == "two"
        previous = secrets.get_secret_value(SecretId=secret["Name"], VersionStage="AWSPREVIOUS")
        assert (previous["SecretString"], previous["VersionId"]) == ("one", secret["VersionId"])
        by_version = secrets.get_secret_value(SecretId=secret["Name"], VersionId=secret["VersionId"])
        assert by_version["SecretString"] == "one" and by_version["VersionStages"] == ["AWSPREVIOUS"]

    def test_with_stages_of_ones_own(self, secret, secrets):
        pending = secrets.put_secret_value(SecretId=secret["Name"], SecretString="two", VersionStages=["AWSPENDING"])
        assert pending["VersionStages"] == ["AWSPENDING"]
        assert secrets.get_secret_value(SecretId=secret["Name"])["SecretString"] == "one"
        asked = {"SecretId": secret["Name"], "VersionStage": "AWSPENDING"}
        assert secrets.get_secret_value(**asked)["SecretString"] == "two"
        with refused("ResourceNotFoundException", 400):
            secrets.get_secret_value(**{**asked, "VersionStage": "OTHER"})

    def test_a_stage_and_a_version_that_do_not_go_together(self, secret, secrets):
        second = secrets.put_secret_value(SecretId=secret["Name"], SecretString="two")
        asked = {"SecretId": secret["Name"], "VersionId": second["VersionId"], "VersionStage": "AWSPREVIOUS"}
        with pytest.raises(secrets.exceptions.ClientError) as raised:
            secrets.get_secret_value(**asked)
        assert raised.value.response["Error"]["Code"] in ("ResourceNotFoundException", "InvalidRequestException")

    def test_a_token_makes_it_once(self, secret, secrets, unique):
        """ClientRequestToken: the same value again changes nothing, another one is refused."""
        asked = {"SecretId": secret["Name"], "ClientRequestToken": unique}
        for _ in range(2):
            assert secrets.put_secret_value(**asked, SecretString="two")["VersionId"] == unique
        previous = secrets.get_secret_value(SecretId=secret["Name"], VersionStage="AWSPREVIOUS")
        assert previous["SecretString"] == "one"
        with refused("ResourceExistsException", 400):
            secrets.put_secret_value(**asked, SecretString="three")

    def test_a_value_is_at_most_64_kib(self, secret, secrets):
        """https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"""
        secrets.put_secret_value(SecretId=secret["Name"], SecretString="x" * 65_536)
        with pytest.raises(Exception) as raised:
            secrets.put_secret_value(SecretId=secret["Name"], SecretString="x" * 65_537)
        assert "65536" in str(raised.value)

    def test_a_secret_that_is_not_there(self, secrets):
        with refused("ResourceNotFoundException", 400):
            secrets.put_secret_value(SecretId="conformance/missing", SecretString="x")


class TestDelete:
    """API_DeleteSecret.html"""

    @pytest.fixture
    def doomed(self, secrets, unique):
        return secrets.create_secret(Name=f"conformance/doomed-{unique}", SecretString="one")

    def test_with_a_window(self, doomed, secrets):
        answer = secrets.delete_secret(SecretId=doomed["Name"], RecoveryWindowInDays=7)
        left = answer["DeletionDate"] - datetime.now(timezone.utc)
        assert timedelta(days=6, hours=23) < left < timedelta(days=7, hours=1)
        for after in (
            lambda: secrets.get_secret_value(SecretId=doomed["Name"]),
            lambda: secrets.put_secret_value(SecretId=doomed["Name"], SecretString="two"),
            lambda: secrets.create_secret(Name=doomed["Name"], SecretString="two"),
        ):
            with refused("InvalidRequestException", 400):
                after()

    def test_and_back(self, doomed, secrets):
        """API_RestoreSecret.html"""
        secrets.delete_secret(SecretId=doomed["Name"])
        secrets.restore_secret(SecretId=doomed["Name"])
        assert secrets.get_secret_value(SecretId=doomed["Name"])["SecretString"] == "one"
        secrets.delete_secret(SecretId=doomed["Name"], ForceDeleteWithoutRecovery=True)

    def test_without(self, doomed, secrets):
        secrets.delete_secret(SecretId=doomed["Name"], ForceDeleteWithoutRecovery=True)
        with refused("ResourceNotFoundException", 400):
            secrets.get_secret_value(SecretId=doomed["Name"])
        secrets.create_secret(Name=doomed["Name"], SecretString="two")
        secrets.delete_secret(SecretId=doomed["Name"], ForceDeleteWithoutRecovery=True)

    def test_windows(self, doomed, secrets):
        for asked in (
            {"RecoveryWindowInDays": 6},
            {"RecoveryWindowInDays": 31},
            {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
        ):
            with refused("InvalidParameterException", 400):
                secrets.delete_secret(SecretId=doomed["Name"], **asked)
        secrets.delete_secret(SecretId=doomed["Name"], ForceDeleteWithoutRecovery=True)

    def test_what_is_not_there(self, secrets):
        with refused("ResourceNotFoundException", 400):
            secrets.delete_secret(SecretId="conformance/missing")


def test_a_role_without_permission(aws):
    with refused("AccessDeniedException", 400):
        aws.client("secretsmanager", aws.assume("reader")).get_secret_value(SecretId="conformance/keys")
