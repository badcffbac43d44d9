"""SQS: messages, their visibility, and where they end.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
"""

import hashlib
import time

import pytest

from aws import ACCOUNT_ID, refused


def url(name):
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT_ID}/conformance-{name}"


@pytest.fixture(scope="module")
def sqs(aws):
    return aws.client("sqs")


class Queue:
    """One queue, empty at the start."""

    def __init__(self, sqs, name):
        self.sqs, self.url = sqs, url(name)
        self.name = f"conformance-{name}"
        while messages := self.receive(10, VisibilityTimeout=30):
            for message in messages:
                self.delete(message)

    def send(self, body, **more):
        return self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def receive(self, most=1, **more):
        return self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=most, **more).get("Messages", [])

    def delete(self, message):
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, message, seconds):
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def count(self, kind=""):
        name = f"ApproximateNumberOfMessages{kind}"
        return int(self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])


@pytest.fixture
def messages(sqs):
    return Queue(sqs, "messages")


@pytest.fixture
def visibility(sqs):
    return Queue(sqs, "visibility")


class TestSendAndReceive:
    """API_SendMessage.html, API_ReceiveMessage.html, API_DeleteMessage.html"""

    def test_there_and_gone(self, messages):
        body = "héllo ☃ <&>\t\n"
        sent = messages.send(body)
        assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
        (message,) = messages.receive(10, AttributeNames=["All"])
        assert (message["Body"], message["MessageId"]) == (body, sent["MessageId"])
        assert message["MD5OfBody"] == sent["MD5OfMessageBody"] and message["ReceiptHandle"]
        attributes = message["Attributes"]
        assert attributes["ApproximateReceiveCount"] == "1" and attributes["SenderId"]
        assert abs(int(attributes["SentTimestamp"]) / 1000 - time.time()) < 60
        assert int(attributes["ApproximateFirstReceiveTimestamp"]) >= int(attributes["SentTimestamp"])
        assert messages.receive(10) == []
        messages.delete(message)
        messages.delete(message)
        assert (messages.count(), messages.count("NotVisible")) == (0, 0)

    def test_at_most_ten_at_once(self, messages):
        for index in range(12):
            messages.send(str(index))
        first = messages.receive(10)
        rest = messages.receive(10)
        assert len(first) <= 10 and len(first) + len(rest) == 12
        assert {message["Body"] for message in first + rest} == {str(index) for index in range(12)}
        assert messages.count("NotVisible") == 12
        for message in first + rest:
            messages.delete(message)

    def test_a_delay(self, messages):
        messages.send("later", DelaySeconds=1)
        assert messages.count("Delayed") == 1 and messages.receive() == []
        (message,) = messages.receive(WaitTimeSeconds=10)
        messages.delete(message)

    def test_waiting_ends_with_a_message_or_without(self, messages):
        """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""
        started = time.monotonic()
        assert messages.receive(WaitTimeSeconds=1) == []
        assert 0.9 < time.monotonic() - started < 10

    @pytest.mark.parametrize(
        "asked", [{"MaxNumberOfMessages": 0}, {"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}]
    )
    def test_what_cannot_be_asked(self, aws, asked):
        with refused("InvalidParameterValue", 400):
            aws.client("sqs").receive_message(QueueUrl=url("messages"), **asked)

    def test_what_cannot_be_sent(self, messages):
        messages.delete(messages.send("x" * 1024) and messages.receive()[0])
        for asked in ({"body": "x" * 1025}, {"body": "x", "DelaySeconds": 901}):
            with refused("InvalidParameterValue", 400):
                messages.send(**asked)
        with refused("InvalidMessageContents", 400):
            messages.send("\u0001")
        with refused("MissingParameter", 400):
            messages.send("")
        assert messages.count() == 0

    def test_what_would_be_ignored_is_refused(self, messages):
        for asked in (
            {"MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}},
            {"MessageGroupId": "a"},
        ):
            with refused("NotImplemented"):
                messages.send("x", **asked)

    def test_receipts(self, messages):
        with refused("ReceiptHandleIsInvalid"):
            messages.delete({"ReceiptHandle": "made up"})


class TestVisibility:
    """"Amazon SQS visibility timeout",
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

    def test_it_comes_back(self, visibility):
        visibility.send("again")
        (first,) = visibility.receive(VisibilityTimeout=1, AttributeNames=["ApproximateReceiveCount"])
        (second,) = visibility.receive(WaitTimeSeconds=10, AttributeNames=["ApproximateReceiveCount"])
        assert first["MessageId"] == second["MessageId"]
        assert [one["Attributes"]["ApproximateReceiveCount"] for one in (first, second)] == ["1", "2"]
        visibility.delete(second)
        assert visibility.count("NotVisible") == 0

    def test_at_once(self, visibility):
        """API_ChangeMessageVisibility.html: 0 gives it back."""
        visibility.send("again")
        (message,) = visibility.receive()
        visibility.hide(message, 0)
        (again,) = visibility.receive()
        visibility.delete(again)

    def test_longer(self, visibility):
        visibility.send("long")
        (message,) = visibility.receive(VisibilityTimeout=1)
        visibility.hide(message, 600)
        assert visibility.receive(WaitTimeSeconds=2) == []
        visibility.delete(message)

    def test_bounds(self, visibility):
        visibility.send("x")
        (message,) = visibility.receive()
        with refused("InvalidParameterValue", 400):
            visibility.hide(message, 43_201)
        with refused("InvalidParameterValue", 400):
            visibility.receive(VisibilityTimeout=43_201)
        visibility.hide(message, 0)
        with refused("AWS.SimpleQueueService.MessageNotInflight", 400):
            visibility.hide(message, 10)
        (message,) = visibility.receive()
        visibility.delete(message)


class TestRedrive:
    """"Using dead-letter queues in Amazon SQS",
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"""

    def test_after_its_last_receive_a_message_moves(self, sqs):
        queue, dead = Queue(sqs, "redrive"), Queue(sqs, "dead-letters")
        sent = queue.send("poison")
        for _ in range(2):
            (message,) = queue.receive(VisibilityTimeout=0)
            assert message["MessageId"] == sent["MessageId"]
        assert queue.receive() == []
        (moved,) = dead.receive(WaitTimeSeconds=5, AttributeNames=["All"])
        assert (moved["Body"], moved["MessageId"]) == ("poison", sent["MessageId"])
        source = moved["Attributes"]["DeadLetterQueueSourceArn"]
        assert source == f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:conformance-redrive"
        dead.delete(moved)
        assert queue.count() == queue.count("NotVisible") == 0


class TestQueues:
    """API_GetQueueUrl.html and API_GetQueueAttributes.html"""

    def test_names(self, sqs):
        assert sqs.get_queue_url(QueueName="conformance-messages")["QueueUrl"].endswith(
            f"/{ACCOUNT_ID}/conformance-messages"
        )
        with refused("AWS.SimpleQueueService.NonExistentQueue", 400):
            sqs.get_queue_url(QueueName="missing")
        with refused("AWS.SimpleQueueService.NonExistentQueue", 400):
            sqs.receive_message(QueueUrl=url("missing"))

    def test_attributes(self, sqs):
        attributes = sqs.get_queue_attributes(QueueUrl=url("redrive"), AttributeNames=["All"])["Attributes"]
        assert attributes["QueueArn"] == f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:conformance-redrive"
        assert attributes["VisibilityTimeout"] == "30"
        assert attributes["MessageRetentionPeriod"] == "345600"
        assert '"maxReceiveCount":2' in attributes["RedrivePolicy"].replace(" ", "")
        some = sqs.get_queue_attributes(QueueUrl=url("messages"), AttributeNames=["MaximumMessageSize"])
        assert some["Attributes"] == {"MaximumMessageSize": "1024"}

    def test_a_role_without_permission(self, aws):
        with refused("AccessDenied", 403):
            aws.client("sqs", aws.assume("reader")).send_message(QueueUrl=url("messages"), MessageBody="x")
