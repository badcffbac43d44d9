"""Everything else is refused by name.

Calls each operation of botocore's service models that is not listed here, with the smallest parameters that the model
takes. None of them may succeed, and each answer has to name its operation, or the query parameter that sets it apart
from a neighbour with the same path: what quietly does nothing, or is taken for that neighbour, would fool a test.
"""

import botocore.session
import pytest
from botocore.exceptions import ClientError

from aws import ACCOUNT_ID, PLAIN, TABLE

IMPLEMENTED = {
    "s3": """
        AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject GetObject HeadBucket
        HeadObject ListBuckets ListMultipartUploads ListObjectsV2 ListParts PutObject UploadPart UploadPartCopy
    """,
    "sts": "AssumeRole GetCallerIdentity",
    "dynamodb": """
        BatchGetItem BatchWriteItem DeleteItem DescribeTable DescribeTimeToLive GetItem ListTables PutItem Query Scan
        TransactGetItems TransactWriteItems UpdateItem
    """,
    "sqs": "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage SendMessage",
    "cloudfront": "CreatePublicKey DeletePublicKey GetPublicKey ListPublicKeys",
    "secretsmanager": "CreateSecret DeleteSecret DescribeSecret GetSecretValue PutSecretValue RestoreSecret",
}

# What has no neighbour either, and what goes to another service of S3's.
UNNAMED = {
    "CreateBucketMetadataConfiguration": "Unknown operation",
    "ListDirectoryBuckets": "The service s3express",
    "WriteGetObjectResponse": "The service s3-object-lambda",
}

KNOWN_VALUES = {
    "Bucket": PLAIN,
    "CopySource": f"{PLAIN}/source",
    "QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT_ID}/conformance-messages",
    "TableName": TABLE,
    "SecretId": "conformance/keys",
    "AccountId": ACCOUNT_ID,
    "RequestRoute": "route",
}

SESSION = botocore.session.get_session()


def smallest(shape, name=None):
    """The smallest value that a shape of a service model takes."""
    if name in KNOWN_VALUES:
        return KNOWN_VALUES[name]
    kind = shape.type_name
    least = max(int(shape.metadata.get("min", 1)), 1)
    if kind == "structure":
        required = shape.required_members
        if getattr(shape, "is_tagged_union", False) and not required:
            required = list(shape.members)[:1]
        return {member: smallest(shape.members[member], member) for member in required}
    if kind == "list":
        return [smallest(shape.member)] * least
    if kind == "map":
        return {"a" * 3: smallest(shape.value)}
    if kind == "string":
        return shape.enum[0] if shape.enum else "arn:aws:iam::000000000000:role/conformance"[: max(least, 43)]
    return {
        "blob": b"x" * least,
        "boolean": True,
        "integer": least,
        "long": least,
        "float": 1.0,
        "double": 1.0,
        "timestamp": "2030-01-01T00:00:00Z",
    }[kind]


def operations():
    for service, listed in IMPLEMENTED.items():
        model = SESSION.get_service_model(service)
        assert set(listed.split()) <= set(model.operation_names)
        outside = set(model.operation_names) - set(listed.split())
        yield from ((service, operation) for operation in sorted(outside))


def path(service, operation):
    """Method and path of a CloudFront operation as far as they are fixed, which is all that a request tells of it."""
    http = SESSION.get_service_model(service).operation_model(operation).http
    return service == "cloudfront" and f"{http['method']} {http['requestUri'].partition('{')[0].partition('?')[0]}"


def subresource(service, operation):
    """What an S3 operation has in its query, e.g. `annotation`."""
    uri = SESSION.get_service_model(service).operation_model(operation).http["requestUri"]
    return uri.partition("?")[2].partition("=")[0].partition("&")[0]


@pytest.fixture(scope="module")
def clients(aws):
    return {service: aws.client(service, parameter_validation=False) for service in IMPLEMENTED}


@pytest.mark.parametrize("service, operation", list(operations()))
def test_an_operation_that_is_not_there(clients, service, operation):
    shape = SESSION.get_service_model(service).operation_model(operation).input_shape
    parameters = smallest(shape) if shape else {}
    with pytest.raises(ClientError) as raised:
        clients[service]._make_api_call(operation, parameters)
    error = raised.value.response["Error"]
    assert error["Code"] == "NotImplemented", error
    names = [operation, path(service, operation), subresource(service, operation), UNNAMED.get(operation)]
    assert any(name and name in error["Message"] for name in names), error


@pytest.mark.parametrize(
    "service, operation",
    [("iam", "ListRoles"), ("kms", "ListKeys"), ("lambda", "ListFunctions"), ("sns", "ListTopics")],
)
def test_a_service_that_is_not_there(aws, service, operation):
    with pytest.raises(ClientError) as raised:
        aws.client(service)._make_api_call(operation, {})
    assert "NotImplemented" in str(raised.value) and service in str(raised.value)


def test_the_bucket_is_untouched(s3):
    """Nothing of the above was carried out as something else."""
    listed = s3.list_objects_v2(Bucket=PLAIN, Prefix="arn:aws:iam")
    assert listed["KeyCount"] == 0, listed
