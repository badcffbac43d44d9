"""S3: ListObjectsV2.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and "Organizing objects using prefixes",
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
"""

import uuid

import pytest

from aws import PLAIN, refused

NAMES = ["a.txt", "b/1.txt", "b/2.txt", "b/c/3.txt", "d e+f.txt", "z.txt", "é.txt"]


@pytest.fixture(scope="module")
def prefix(s3):
    prefix = f"listing-{uuid.uuid4().hex}/"
    for name in NAMES:
        s3.put_object(Bucket=PLAIN, Key=prefix + name, Body=name.encode())
    return prefix


def keys(answer):
    return [entry["Key"] for entry in answer.get("Contents", [])]


def common_prefixes(answer):
    return [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]


def test_keys_are_in_the_order_of_their_utf_8_bytes(s3, prefix):
    answer = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix)
    assert keys(answer) == [prefix + name for name in sorted(NAMES, key=str.encode)]
    assert (answer["KeyCount"], answer["IsTruncated"], answer["MaxKeys"]) == (len(NAMES), False, 1000)
    assert (answer["Name"], answer["Prefix"]) == (PLAIN, prefix)
    first = answer["Contents"][0]
    head = s3.head_object(Bucket=PLAIN, Key=first["Key"])
    assert (first["ETag"], first["Size"], first["StorageClass"]) == (head["ETag"], 5, "STANDARD")
    assert first["LastModified"].replace(microsecond=0) == head["LastModified"]


def test_a_delimiter_rolls_up(s3, prefix):
    answer = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix, Delimiter="/")
    assert common_prefixes(answer) == [prefix + "b/"]
    assert keys(answer) == [prefix + name for name in NAMES if "/" not in name]
    assert answer["KeyCount"] == len(NAMES) - 3 + 1
    inner = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix + "b/", Delimiter="/")
    assert (keys(inner), common_prefixes(inner)) == ([prefix + "b/1.txt", prefix + "b/2.txt"], [prefix + "b/c/"])


@pytest.mark.parametrize("page_size", [1, 2, 3])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_are_the_whole(s3, prefix, page_size, delimiter):
    asked = {"Bucket": PLAIN, "Prefix": prefix} | ({"Delimiter": delimiter} if delimiter else {})
    whole = s3.list_objects_v2(**asked)
    found, more, pages = [], {}, 0
    while True:
        page = s3.list_objects_v2(**asked, **more, MaxKeys=page_size)
        assert page["KeyCount"] == len(keys(page)) + len(common_prefixes(page)) <= page_size
        found += keys(page) + common_prefixes(page)
        pages += 1
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    assert sorted(found) == sorted(keys(whole) + common_prefixes(whole))
    assert len(found) == len(set(found)) and pages == -(-len(found) // page_size)


def test_start_after(s3, prefix):
    answer = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix, StartAfter=prefix + "b/2.txt")
    assert keys(answer)[0] == prefix + "b/c/3.txt"
    assert answer["StartAfter"] == prefix + "b/2.txt"


def test_a_start_inside_a_common_prefix(s3, prefix):
    answer = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix, Delimiter="/", StartAfter=prefix + "b/1.txt")
    assert common_prefixes(answer) == [prefix + "b/"]


def test_max_keys(s3, prefix):
    none = s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix, MaxKeys=0)
    assert (keys(none), none["KeyCount"], none["IsTruncated"]) == ([], 0, False)
    assert s3.list_objects_v2(Bucket=PLAIN, Prefix=prefix, MaxKeys=5000)["MaxKeys"] == 1000
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=PLAIN, MaxKeys=-1)


def test_a_continuation_token_that_is_none(s3):
    with refused("InvalidArgument", 400) as answer:
        s3.list_objects_v2(Bucket=PLAIN, ContinuationToken="none of ours")
    assert "continuation token" in answer["Error"]["Message"].lower()


def test_keys_can_be_asked_for_url_encoded(aws, prefix):
    """botocore asks for it and decodes by itself, so this one looks at the XML."""
    answer = aws.send_signed("GET", f"/{PLAIN}?encoding-type=url&list-type=2&prefix={prefix.replace('/', '%2F')}d")
    assert (answer.status, answer.element("EncodingType")) == (200, "url")
    assert answer.element("Key") in (prefix + "d+e%2Bf.txt", prefix + "d%20e%2Bf.txt")


def test_nothing_under_a_prefix(s3, unique):
    answer = s3.list_objects_v2(Bucket=PLAIN, Prefix=unique)
    assert (answer["KeyCount"], "Contents" in answer) == (0, False)


def test_a_bucket_that_is_not_there(s3):
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket="conformance-missing")
