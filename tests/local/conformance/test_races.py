"""Thirty-two writers, one winner, again and again.

"How to prevent object overwrites with conditional writes",
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html; "Condition expressions",
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from aws import TABLE, VERSIONED

WRITERS = 32
ROUNDS = 10


@pytest.fixture(scope="module")
def s3(aws):
    return aws.client("s3", request_checksum_calculation="when_required")


def race(write):
    """Lets all writers go at once; answers what the winners got, and the losers' codes."""
    start = threading.Barrier(WRITERS)

    def one(number):
        start.wait()
        try:
            return number, write(number), None
        except ClientError as error:
            return number, None, error.response["Error"]["Code"]

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(one, range(WRITERS)))
    winners = [(number, answer) for number, answer, code in outcomes if code is None]
    return winners, {code for _, _, code in outcomes if code is not None}


# S3 may answer that another write is under way instead of that the object is there.
LOST = {"PreconditionFailed", "ConditionalRequestConflict"}


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_one_creates_an_object(s3, unique, round_number):
    key = f"races/{unique}"
    winners, lost = race(lambda n: s3.put_object(Bucket=VERSIONED, Key=key, Body=b"%d" % n, IfNoneMatch="*"))
    ((number, answer),) = winners
    assert lost <= LOST
    stored = s3.get_object(Bucket=VERSIONED, Key=key)
    assert (stored["Body"].read(), stored["VersionId"]) == (b"%d" % number, answer["VersionId"])


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_one_replaces_an_object(s3, unique, round_number):
    key = f"races/{unique}"
    tag = s3.put_object(Bucket=VERSIONED, Key=key, Body=b"first")["ETag"]
    winners, lost = race(lambda n: s3.put_object(Bucket=VERSIONED, Key=key, Body=b"%d" % n, IfMatch=tag))
    ((number, _),) = winners
    assert lost <= LOST
    assert s3.get_object(Bucket=VERSIONED, Key=key)["Body"].read() == b"%d" % number


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_one_completes_an_upload(s3, unique, round_number):
    """Those who come later are told that there is no such upload, or the same again; there is one version."""
    name = {"Bucket": VERSIONED, "Key": f"races/{unique}"}
    upload_id = s3.create_multipart_upload(**name)["UploadId"]
    part = s3.upload_part(**name, UploadId=upload_id, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    winners, lost = race(lambda _: s3.complete_multipart_upload(**name, UploadId=upload_id, MultipartUpload=parts))
    assert winners and lost <= {"NoSuchUpload", "OperationAborted"}
    assert len({answer["VersionId"] for _, answer in winners}) == 1
    assert s3.get_object(**name)["Body"].read() == b"part"


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_one_creates_an_item(aws, unique, round_number):
    """As a sign-up does: the e-mail address is taken once, and the account is made with it or not at all."""
    dynamodb = aws.client("dynamodb")

    def put(partition, number):
        return {
            "Put": {
                "TableName": TABLE,
                "Item": {"PK": {"S": partition}, "SK": {"S": "A"}, "by": {"N": str(number)}},
                "ConditionExpression": "attribute_not_exists(PK)",
            }
        }

    def sign_up(number):
        items = [put(f"EMAIL#{unique}", number), put(f"USER#{unique}#{number}", number)]
        return dynamodb.transact_write_items(TransactItems=items)

    winners, lost = race(sign_up)
    ((number, _),) = winners
    assert lost == {"TransactionCanceledException"}
    keys = [{"PK": {"S": f"USER#{unique}#{n}"}, "SK": {"S": "A"}} for n in range(WRITERS)]
    found = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys}})["Responses"][TABLE]
    assert [one["by"]["N"] for one in found] == [str(number)]


def test_every_message_is_received_once(aws, unique):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
    sqs = aws.client("sqs")
    queue = sqs.get_queue_url(QueueName="conformance-visibility")["QueueUrl"]
    for number in range(WRITERS):
        sqs.send_message(QueueUrl=queue, MessageBody=f"{unique} {number}")
    winners, lost = race(lambda _: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=3).get("Messages", []))
    received = [message for _, messages in winners for message in messages]
    assert not lost and len(received) == len({message["MessageId"] for message in received}) == WRITERS
    for message in received:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
