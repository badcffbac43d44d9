"""S3: event notifications, as they arrive in the queue.

"Event message structure", https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
and "Supported event types", https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
"""

import json
import re
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_plus

import pytest

from aws import ACCOUNT_ID, PLAIN, VERSIONED

QUEUE_URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT_ID}/conformance-events"
MIB = 1024 * 1024


@pytest.fixture
def arriving(aws):
    """Takes what is in the queue: the records, in the order in which they came."""
    sqs = aws.client("sqs")

    def take(count):
        """Until there are that many, and a last look whether there are more; None takes whatever is left over."""
        records = []
        while True:
            missing = count is not None and len(records) < count
            answer = sqs.receive_message(
                QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=10 if missing else 0
            )
            messages = answer.get("Messages", [])
            if not messages:
                break
            for message in messages:
                sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                if body.get("Event") != "s3:TestEvent":
                    records += body["Records"]
        assert count is None or len(records) == count, records
        return records

    take(None)
    return take


def test_the_whole_record(s3, unique, arriving):
    key = f"events/{unique}/a b+c%d&é☃.mp4"
    put = s3.put_object(Bucket=VERSIONED, Key=key, Body=b"hello world")
    (record,) = arriving(1)
    assert re.fullmatch(r"2\.\d+", record["eventVersion"])
    assert (record["eventSource"], record["awsRegion"]) == ("aws:s3", "us-east-1")
    assert record["eventName"] == "ObjectCreated:Put"
    moment = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.now(timezone.utc) - moment) < timedelta(minutes=1)
    assert record["userIdentity"]["principalId"]
    assert record["requestParameters"]["sourceIPAddress"] == "127.0.0.1"
    assert record["responseElements"]["x-amz-request-id"] == put["ResponseMetadata"]["RequestId"]
    assert record["responseElements"]["x-amz-id-2"]
    described = record["s3"]
    assert described["s3SchemaVersion"] == "1.0" and described["configurationId"]
    assert described["bucket"]["name"] == VERSIONED
    assert described["bucket"]["arn"] == f"arn:aws:s3:::{VERSIONED}"
    assert described["bucket"]["ownerIdentity"]["principalId"]
    thing = described["object"]
    assert " " not in thing["key"] and unquote_plus(thing["key"]) == key
    assert thing["key"].startswith(f"events/{unique}/a+b%2Bc%25d%26%C3%A9")
    assert (thing["size"], thing["eTag"]) == (11, put["ETag"].strip('"'))
    assert thing["versionId"] == put["VersionId"]
    assert re.fullmatch("[0-9A-F]+", thing["sequencer"])


def test_every_way_in_has_its_name(aws, s3, unique, arriving):
    key = f"events/{unique}"
    s3.put_object(Bucket=PLAIN, Key=unique, Body=b"copied")
    s3.copy_object(Bucket=VERSIONED, Key=f"{key}/copy", CopySource={"Bucket": PLAIN, "Key": unique})
    upload = {"Bucket": VERSIONED, "Key": f"{key}/multipart"}
    upload_id = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, UploadId=upload_id, PartNumber=1, Body=b"p" * MIB)
    s3.complete_multipart_upload(
        **upload, UploadId=upload_id, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    form = s3.generate_presigned_post(VERSIONED, f"{key}/form")
    assert aws.send_form(form["url"], [*form["fields"].items(), ("file", ("a", b"form"))]).status == 204
    records = arriving(3)
    things = [record["s3"]["object"] for record in records]
    found = [(record["eventName"], thing["key"], thing["size"]) for record, thing in zip(records, things)]
    assert found == [
        ("ObjectCreated:Copy", f"{key}/copy", 6),
        ("ObjectCreated:CompleteMultipartUpload", f"{key}/multipart", MIB),
        ("ObjectCreated:Post", f"{key}/form", 4),
    ]
    for thing in things:
        head = s3.head_object(Bucket=VERSIONED, Key=thing["key"])
        assert (thing["eTag"], thing["versionId"]) == (head["ETag"].strip('"'), head["VersionId"])


def test_the_sequencer_orders_the_events_of_a_key(s3, unique, arriving):
    key = f"events/{unique}"
    versions = [s3.put_object(Bucket=VERSIONED, Key=key, Body=b"%d" % number)["VersionId"] for number in range(5)]
    records = arriving(5)
    assert {record["s3"]["object"]["versionId"] for record in records} == set(versions)
    width = max(len(record["s3"]["object"]["sequencer"]) for record in records)
    # Shorter values are filled up with zeros on the right before they are compared as text.
    ordered = sorted(records, key=lambda record: record["s3"]["object"]["sequencer"].ljust(width, "0"))
    assert [record["s3"]["object"]["versionId"] for record in ordered] == versions


def test_only_what_was_asked_for(s3, unique, arriving):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html"""
    s3.put_object(Bucket=VERSIONED, Key=f"elsewhere/{unique}", Body=b"x")
    s3.put_object(Bucket=VERSIONED, Key=f"copies/{unique}.mp4", Body=b"x")
    source = {"Bucket": VERSIONED, "Key": f"elsewhere/{unique}"}
    s3.copy_object(Bucket=VERSIONED, Key=f"copies/{unique}.txt", CopySource=source)
    s3.copy_object(Bucket=VERSIONED, Key=f"copies/{unique}-2.mp4", CopySource=source)
    (record,) = arriving(1)
    assert record["s3"]["object"]["key"] == f"copies/{unique}-2.mp4"


def test_what_was_refused_or_removed_is_not_announced(s3, unique, arriving):
    key = f"events/{unique}"
    s3.put_object(Bucket=VERSIONED, Key=key, Body=b"x", IfNoneMatch="*")
    for failing in ({"IfNoneMatch": "*"}, {"ChecksumSHA256": "A" * 43 + "="}):
        with pytest.raises(s3.exceptions.ClientError):
            s3.put_object(Bucket=VERSIONED, Key=key, Body=b"y", **failing)
    s3.delete_object(Bucket=VERSIONED, Key=key)
    upload = s3.create_multipart_upload(Bucket=VERSIONED, Key=key)["UploadId"]
    s3.abort_multipart_upload(Bucket=VERSIONED, Key=key, UploadId=upload)
    assert len(arriving(1)) == 1
