"""STS: who one is, and the credentials of another role.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and API_GetCallerIdentity.html
"""

import json
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from botocore.credentials import Credentials

from aws import ACCOUNT_ID, OPERATOR, PLAIN, TABLE, VERSIONED, refused, role_arn

POLICY_VERSION = "2012-10-17"


def policy(*statements):
    return json.dumps({"Version": POLICY_VERSION, "Statement": list(statements)})


def allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.fixture(scope="module")
def sts(aws):
    return aws.client("sts")


@pytest.fixture(scope="module")
def readable(s3):
    for key in ("readable/a", "readable/b", "readable/denied/a", "elsewhere/a"):
        s3.put_object(Bucket=PLAIN, Key=key, Body=key.encode())


class TestGetCallerIdentity:
    """API_GetCallerIdentity.html"""

    def test_the_operator(self, sts):
        answer = sts.get_caller_identity()
        assert answer["Account"] == ACCOUNT_ID
        assert answer["Arn"].startswith(f"arn:aws:iam::{ACCOUNT_ID}:") and answer["UserId"]

    def test_a_session(self, aws):
        session = aws.assume("reader", session_name="me@example.com")
        answer = aws.client("sts", session).get_caller_identity()
        assert answer["Account"] == ACCOUNT_ID
        assert answer["Arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/conformance-reader/me@example.com"
        assert answer["UserId"].endswith(":me@example.com")

    def test_no_permission_can_be_taken_away(self, aws):
        nothing = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
        session = aws.assume("reader", Policy=nothing)
        assert aws.client("sts", session).get_caller_identity()["Account"] == ACCOUNT_ID


class TestAssumeRole:
    """API_AssumeRole.html"""

    def test_what_comes_back(self, sts):
        answer = sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one")
        credentials = answer["Credentials"]
        assert credentials["AccessKeyId"].startswith("ASIA") and credentials["SessionToken"]
        left = credentials["Expiration"] - datetime.now(timezone.utc)
        assert timedelta(minutes=59) < left <= timedelta(hours=1)
        user = answer["AssumedRoleUser"]
        assert user["Arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/conformance-reader/one"
        assert user["AssumedRoleId"].endswith(":one")
        again = sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one")
        assert again["Credentials"]["AccessKeyId"] != credentials["AccessKeyId"]

    @pytest.mark.parametrize("seconds", [900, 7200])
    def test_durations(self, sts, seconds):
        answer = sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one", DurationSeconds=seconds)
        left = answer["Credentials"]["Expiration"] - datetime.now(timezone.utc)
        assert timedelta(seconds=seconds - 30) < left <= timedelta(seconds=seconds)

    @pytest.mark.parametrize("seconds", [899, 7201, 43_201])
    def test_durations_outside(self, aws, seconds):
        sts = aws.client("sts", parameter_validation=False)
        with refused("ValidationError", 400):
            sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one", DurationSeconds=seconds)

    @pytest.mark.parametrize("name", ["a", "a" * 65, "with blank", "semi;colon", "ünï"])
    def test_session_names(self, aws, name):
        sts = aws.client("sts", parameter_validation=False)
        with refused("ValidationError", 400):
            sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName=name)

    def test_the_trust_policy_is_asked(self, aws, sts):
        aws.assume("upload", session_name="upload-1")
        for denied in (
            {"RoleArn": role_arn("upload"), "RoleSessionName": "download-1"},
            {"RoleArn": role_arn("foreign"), "RoleSessionName": "one"},
            {"RoleArn": role_arn("chained"), "RoleSessionName": "one"},
            {"RoleArn": role_arn("missing"), "RoleSessionName": "one"},
        ):
            with refused("AccessDenied", 403) as answer:
                sts.assume_role(**denied)
            assert "is not authorized to perform: sts:AssumeRole on resource" in answer["Error"]["Message"]

    def test_the_callers_policy_is_asked(self, aws):
        uploader = aws.client("sts", aws.assume("upload"))
        with refused("AccessDenied", 403):
            uploader.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one")

    @pytest.mark.parametrize(
        "text, code",
        [
            ("no json", "MalformedPolicyDocument"),
            ('{"Version": "2012-10-17"}', "MalformedPolicyDocument"),
            (policy({"Effect": "Perhaps", "Action": "s3:*", "Resource": "*"}), "MalformedPolicyDocument"),
        ],
    )
    def test_session_policies_that_are_none(self, sts, text, code):
        with refused(code, 400):
            sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one", Policy=text)

    def test_what_would_be_ignored_is_refused(self, sts):
        for asked in (
            {"Tags": [{"Key": "a", "Value": "b"}]},
            {"SerialNumber": "arn:aws:iam::000000000000:mfa/me", "TokenCode": "123456"},
            {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
        ):
            with refused("NotImplemented"):
                sts.assume_role(RoleArn=role_arn("reader"), RoleSessionName="one", **asked)


@pytest.mark.usefixtures("readable")
class TestPermissions:
    """"Policy evaluation logic", https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""

    def reads(self, aws, session, key):
        return aws.client("s3", session).get_object(Bucket=PLAIN, Key=key)["Body"].read() == key.encode()

    def test_a_role_can_do_what_its_policy_says(self, aws):
        session = aws.assume("reader")
        assert self.reads(aws, session, "readable/a")
        s3 = aws.client("s3", session)
        for denied in (
            lambda: s3.get_object(Bucket=PLAIN, Key="elsewhere/a"),
            lambda: s3.put_object(Bucket=PLAIN, Key="readable/a", Body=b""),
            lambda: s3.delete_object(Bucket=PLAIN, Key="readable/a"),
            lambda: s3.get_object(Bucket=PLAIN, Key="readable/denied/a"),
            lambda: s3.list_objects_v2(Bucket=PLAIN),
            lambda: s3.list_buckets(),
        ):
            with refused("AccessDenied", 403):
                denied()

    def test_who_may_not_list_is_not_told_what_is_missing(self, aws):
        """API_GetObject.html, Permissions: without s3:ListBucket a missing key is 403."""
        with refused("AccessDenied", 403):
            aws.client("s3", aws.assume("reader")).get_object(Bucket=PLAIN, Key="readable/missing")

    def test_a_session_policy_narrows(self, aws):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session"""
        only_a = aws.assume("reader", Policy=policy(allow("s3:GetObject", f"arn:aws:s3:::{PLAIN}/readable/a")))
        assert self.reads(aws, only_a, "readable/a")
        with refused("AccessDenied", 403):
            self.reads(aws, only_a, "readable/b")

    def test_and_never_widens(self, aws):
        everything = aws.assume("reader", Policy=policy(allow("*", "*")))
        assert self.reads(aws, everything, "readable/b")
        for key in ("elsewhere/a", "readable/denied/a"):
            with refused("AccessDenied", 403):
                self.reads(aws, everything, key)

    def test_a_presigned_url_is_no_more_than_its_signer(self, aws):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""
        session = aws.assume("reader", Policy=policy(allow("s3:GetObject", f"arn:aws:s3:::{PLAIN}/readable/a")))
        s3 = aws.client("s3", session)
        outcomes = [
            aws.send("GET", s3.generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": key})).status
            for key in ("readable/a", "readable/b")
        ]
        assert outcomes == [200, 403]


@pytest.mark.usefixtures("readable")
class TestRoleChaining:
    """"Role chaining", https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html"""

    def test_at_most_an_hour(self, aws):
        reader = aws.client("sts", aws.assume("reader"))
        with refused("ValidationError", 400) as answer:
            reader.assume_role(RoleArn=role_arn("chained"), RoleSessionName="one", DurationSeconds=3601)
        assert "role chaining" in answer["Error"]["Message"]
        answer = reader.assume_role(RoleArn=role_arn("chained"), RoleSessionName="one", DurationSeconds=3600)
        assert answer["Credentials"]["Expiration"] - datetime.now(timezone.utc) <= timedelta(hours=1)

    def test_the_second_role_has_its_own_permissions(self, aws):
        chained = aws.assume("chained", aws.assume("reader"))
        s3 = aws.client("s3", chained)
        assert s3.get_object(Bucket=PLAIN, Key="elsewhere/a")["Body"].read() == b"elsewhere/a"

    def test_a_session_policy_reaches_to_the_next_role(self, aws):
        narrowed = aws.assume("reader", Policy=policy(allow("s3:GetObject", "*")))
        with refused("AccessDenied", 403):
            aws.assume("chained", narrowed)


class TestEveryServiceChecksCredentials:
    """"Common Errors" of each service's API reference, e.g.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html, and S3's ErrorResponses.html.
    SQS tells the codes of its query protocol, as "AWS SQS JSON protocol" says, and botocore goes by them."""

    CALLS = {
        "s3": lambda client: client.list_objects_v2(Bucket=VERSIONED),
        "sts": lambda client: client.get_caller_identity(),
        "dynamodb": lambda client: client.describe_table(TableName=TABLE),
        "sqs": lambda client: client.get_queue_url(QueueName="conformance-messages"),
        "secretsmanager": lambda client: client.get_secret_value(SecretId="conformance/keys"),
    }
    INVALID_TOKEN, MISMATCH = ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)
    UNKNOWN_KEY = {"s3": ("InvalidAccessKeyId", 403), "sts": INVALID_TOKEN, "sqs": INVALID_TOKEN}
    WRONG_TOKEN = {"s3": ("InvalidToken", 400), "sts": INVALID_TOKEN, "sqs": INVALID_TOKEN}
    WRONG_SECRET = {"s3": MISMATCH, "sts": MISMATCH, "sqs": MISMATCH}
    SKEWED = {"s3": ("RequestTimeTooSkewed", 403), "sts": MISMATCH, "sqs": MISMATCH}

    def refused(self, aws, service, credentials, codes, default):
        with refused(*codes.get(service, default)):
            self.CALLS[service](aws.client(service, credentials))

    @pytest.mark.parametrize("service", CALLS)
    def test_unknown(self, aws, service):
        unknown = Credentials("AKIAIOSFODNN7EXAMPLE", "secret")
        self.refused(aws, service, unknown, self.UNKNOWN_KEY, ("UnrecognizedClientException", 400))

    @pytest.mark.parametrize("service", CALLS)
    def test_a_wrong_secret(self, aws, service):
        wrong = Credentials(OPERATOR.access_key, "not-the-secret")
        self.refused(aws, service, wrong, self.WRONG_SECRET, ("InvalidSignatureException", 400))

    @pytest.mark.parametrize("service", CALLS)
    def test_a_tampered_token(self, aws, service):
        session = aws.assume("reader")
        middle = len(session.token) // 2
        other = "A" if session.token[middle] != "A" else "B"
        tampered = Credentials(
            session.access_key, session.secret_key, session.token[:middle] + other + session.token[middle + 1 :]
        )
        self.refused(aws, service, tampered, self.WRONG_TOKEN, ("UnrecognizedClientException", 400))

    @pytest.mark.parametrize("service", CALLS)
    def test_a_token_of_another_session(self, aws, service):
        mixed = Credentials(aws.assume("reader").access_key, "secret", aws.assume("reader").token)
        self.refused(aws, service, mixed, self.WRONG_TOKEN, ("UnrecognizedClientException", 400))

    @pytest.mark.parametrize("service", CALLS)
    def test_a_wrong_clock(self, aws, service):
        earlier = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(hours=1)
        with patch("botocore.auth.get_current_datetime", return_value=earlier):
            self.refused(aws, service, OPERATOR, self.SKEWED, ("InvalidSignatureException", 400))

    @pytest.mark.parametrize("service", ["sts", "dynamodb", "sqs", "secretsmanager"])
    def test_another_region(self, aws, service):
        other = aws.session.create_client(
            service,
            region_name="eu-west-1",
            endpoint_url=aws.url,
            aws_access_key_id=OPERATOR.access_key,
            aws_secret_access_key=OPERATOR.secret_key,
        )
        with refused("SignatureDoesNotMatch" if service in ("sts", "sqs") else "InvalidSignatureException"):
            self.CALLS[service](other)

    def test_no_signature(self, aws):
        for headers, code in (
            ({"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"MissingAuthenticationToken"),
            ({"X-Amz-Target": "secretsmanager.GetSecretValue"}, b"MissingAuthenticationToken"),
            ({"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, b"MissingAuthenticationToken"),
        ):
            answer = aws.send("POST", "/", {"Content-Type": "application/x-amz-json-1.0", **headers}, b"{}")
            assert answer.status in (400, 403) and code in answer.body, answer
