"""S3: single objects, written, read, copied, deleted."""

import hashlib
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from aws import CLOSED, PLAIN, refused

BODY = bytes(range(256)) * 8


@pytest.fixture
def stored(s3, unique):
    """An object with everything that S3 keeps beside the bytes."""
    answer = s3.put_object(
        Bucket=PLAIN,
        Key=unique,
        Body=BODY,
        ContentType="video/mp4",
        CacheControl="max-age=60",
        ContentDisposition='attachment; filename="a.mp4"',
        ContentEncoding="identity",
        ContentLanguage="de",
        Metadata={"Title": "A film", "empty": ""},
    )
    return unique, answer


class TestPutObject:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""

    def test_the_etag_is_the_md5_of_the_bytes(self, stored):
        assert stored[1]["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'

    def test_a_bucket_that_is_not_there(self, s3, unique):
        with refused("NoSuchBucket", 404):
            s3.put_object(Bucket="conformance-missing", Key=unique, Body=b"")

    @pytest.mark.parametrize("key", ["a b+c%/é☃", "a//b", "a/", "..a", "%2F", "a&b=c;d", "ünï/" + "k" * 500])
    def test_any_key_comes_back(self, s3, unique, key):
        key = f"{unique}/{key}"
        s3.put_object(Bucket=PLAIN, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=PLAIN, Key=key)["Body"].read() == key.encode()
        listed = s3.list_objects_v2(Bucket=PLAIN, Prefix=unique)["Contents"]
        assert [entry["Key"] for entry in listed] == [key]

    def test_a_key_is_at_most_1024_bytes(self, s3):
        s3.put_object(Bucket=CLOSED, Key="k" * 1024, Body=b"")
        with refused("KeyTooLongError", 400):
            s3.put_object(Bucket=CLOSED, Key="k" * 1025, Body=b"")

    def test_an_empty_object(self, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"")
        answer = s3.get_object(Bucket=PLAIN, Key=unique)
        assert (answer["ContentLength"], answer["Body"].read()) == (0, b"")

    def test_a_later_object_replaces_the_earlier_one_with_its_metadata(self, s3, stored):
        key, _ = stored
        s3.put_object(Bucket=PLAIN, Key=key, Body=b"later")
        answer = s3.get_object(Bucket=PLAIN, Key=key)
        assert (answer["Body"].read(), answer["Metadata"]) == (b"later", {})
        assert answer["ContentType"] == "binary/octet-stream"

    def test_content_md5_is_compared(self, aws, unique):
        wrong = aws.send_signed("PUT", f"/{PLAIN}/{unique}", {"Content-MD5": "CY9rzUYh03PK3k6DJie09g=="}, b"other")
        assert (wrong.status, wrong.code) == (400, "BadDigest")
        malformed = aws.send_signed("PUT", f"/{PLAIN}/{unique}", {"Content-MD5": "short"}, b"test")
        assert (malformed.status, malformed.code) == (400, "InvalidDigest")
        right = aws.send_signed("PUT", f"/{PLAIN}/{unique}", {"Content-MD5": "CY9rzUYh03PK3k6DJie09g=="}, b"test")
        assert right.status == 200

    def test_user_metadata_is_at_most_2_kib(self, s3, unique):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", Metadata={"k": "v" * 2000})
        with refused("MetadataTooLarge", 400):
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", Metadata={"k": "v" * 2049})

    @pytest.mark.parametrize(
        "asked",
        [
            {"StorageClass": "GLACIER"},
            {"ServerSideEncryption": "aws:kms"},
            {"Tagging": "a=b"},
            {"ACL": "public-read"},
            {"WebsiteRedirectLocation": "/elsewhere"},
            {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2040, 1, 1)},
        ],
        ids=lambda asked: next(iter(asked)),
    )
    def test_what_would_be_ignored_is_refused(self, s3, unique, asked):
        """What this S3 neither stores nor enforces must not pass for stored or enforced."""
        with refused("NotImplemented"):
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", **asked)
        with refused("404", 404):
            s3.head_object(Bucket=PLAIN, Key=unique)


class TestGetObject:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""

    def test_everything_comes_back_as_it_was_stored(self, s3, stored):
        key, put = stored
        for answer in (s3.get_object(Bucket=PLAIN, Key=key), s3.head_object(Bucket=PLAIN, Key=key)):
            assert answer["ContentType"] == "video/mp4"
            assert answer["CacheControl"] == "max-age=60"
            assert answer["ContentDisposition"] == 'attachment; filename="a.mp4"'
            assert answer["ContentEncoding"] == "identity"
            assert answer["ContentLanguage"] == "de"
            assert answer["Metadata"] == {"title": "A film", "empty": ""}
            assert answer["AcceptRanges"] == "bytes"
            assert (answer["ContentLength"], answer["ETag"]) == (len(BODY), put["ETag"])
            age = datetime.now(timezone.utc) - answer["LastModified"]
            assert timedelta(seconds=-1) <= age < timedelta(minutes=1)

    def test_missing_keys(self, s3, unique):
        with refused("NoSuchKey", 404) as answer:
            s3.get_object(Bucket=PLAIN, Key=unique)
        assert answer["Error"]["Message"] == "The specified key does not exist."
        assert answer["ResponseMetadata"]["RequestId"]
        with refused("404", 404):
            s3.head_object(Bucket=PLAIN, Key=unique)

    def test_response_headers_can_be_replaced(self, s3, stored):
        answer = s3.get_object(
            Bucket=PLAIN,
            Key=stored[0],
            ResponseContentType="audio/mpeg",
            ResponseContentDisposition="inline",
            ResponseCacheControl="no-store",
            ResponseContentEncoding="br",
            ResponseContentLanguage="en",
            ResponseExpires=datetime(2030, 1, 1, tzinfo=timezone.utc),
        )
        assert answer["ContentType"] == "audio/mpeg"
        assert answer["ContentDisposition"] == "inline"
        assert answer["CacheControl"] == "no-store"
        assert answer["ContentEncoding"] == "br"
        assert answer["ContentLanguage"] == "en"
        head = s3.head_object(
            Bucket=PLAIN, Key=stored[0], ResponseContentType="audio/mpeg", ResponseContentDisposition="inline"
        )
        assert (head["ContentType"], head["ContentDisposition"]) == ("audio/mpeg", "inline")
        assert answer["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Tue, 01 Jan 2030 00:00:00 GMT"
        assert s3.head_object(Bucket=PLAIN, Key=stored[0])["ContentType"] == "video/mp4"


class TestRanges:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, Range; RFC 9110, section 14.2"""

    @pytest.mark.parametrize(
        "asked, first, last",
        [
            ("bytes=0-0", 0, 0),
            ("bytes=10-19", 10, 19),
            ("bytes=2000-", 2000, 2047),
            ("bytes=2040-9999", 2040, 2047),
            ("bytes=-8", 2040, 2047),
            ("bytes=-9999", 0, 2047),
        ],
    )
    def test_a_part_of_the_bytes(self, s3, stored, asked, first, last):
        answer = s3.get_object(Bucket=PLAIN, Key=stored[0], Range=asked)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {first}-{last}/{len(BODY)}"
        assert answer["Body"].read() == BODY[first : last + 1]
        head = s3.head_object(Bucket=PLAIN, Key=stored[0], Range=asked)
        assert head["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert head["ContentLength"] == last - first + 1

    @pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=2048-2050", "bytes=-0"])
    def test_nothing_there(self, s3, stored, asked):
        with refused("InvalidRange", 416) as answer:
            s3.get_object(Bucket=PLAIN, Key=stored[0], Range=asked)
        assert answer["ResponseMetadata"]["HTTPHeaders"]["content-range"] == f"bytes */{len(BODY)}"

    @pytest.mark.parametrize("ignored", ["bytes=9-1", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5"])
    def test_what_is_no_single_range_is_ignored(self, aws, stored, ignored):
        url = aws.client("s3").generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": stored[0]})
        answer = aws.send("GET", url, {"Range": ignored})
        assert (answer.status, answer.body) == (200, BODY)

    def test_a_range_of_an_empty_object(self, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"")
        with refused("InvalidRange", 416):
            s3.get_object(Bucket=PLAIN, Key=unique, Range="bytes=0-0")


class TestConditionalReads:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html; RFC 9110, section 13.2.2"""

    @pytest.fixture
    def times(self, s3, stored):
        modified = s3.head_object(Bucket=PLAIN, Key=stored[0])["LastModified"]
        return {"past": modified - timedelta(hours=1), "then": modified, "future": modified + timedelta(hours=1)}

    def outcome(self, s3, key, **conditions):
        try:
            answer = s3.get_object(Bucket=PLAIN, Key=key, **conditions)
        except ClientError as error:
            answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    def test_if_match(self, s3, stored):
        key, put = stored
        assert self.outcome(s3, key, IfMatch=put["ETag"]) == 200
        assert self.outcome(s3, key, IfMatch="*") == 200
        with refused("PreconditionFailed", 412):
            s3.get_object(Bucket=PLAIN, Key=key, IfMatch='"other"')

    def test_if_none_match(self, s3, stored):
        key, put = stored
        assert self.outcome(s3, key, IfNoneMatch='"other"') == 200
        assert self.outcome(s3, key, IfNoneMatch=put["ETag"]) == 304
        assert self.outcome(s3, key, IfNoneMatch="*") == 304

    def test_times(self, s3, stored, times):
        key = stored[0]
        # Not later than now: a date in the future is no condition (RFC 9110, section 13.1.3).
        assert self.outcome(s3, key, IfModifiedSince=times["past"]) == 200
        assert self.outcome(s3, key, IfModifiedSince=times["then"]) == 304
        assert self.outcome(s3, key, IfUnmodifiedSince=times["then"]) == 200
        assert self.outcome(s3, key, IfUnmodifiedSince=times["past"]) == 412

    def test_tags_go_before_times(self, s3, stored, times):
        key, put = stored
        assert self.outcome(s3, key, IfMatch=put["ETag"], IfUnmodifiedSince=times["past"]) == 200
        assert self.outcome(s3, key, IfNoneMatch=put["ETag"], IfModifiedSince=times["past"]) == 304

    def test_a_304_has_its_validators_and_no_body(self, aws, stored):
        key, put = stored
        answer = aws.send_signed("GET", f"/{PLAIN}/{key}", {"If-None-Match": put["ETag"]})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == put["ETag"]
        assert "last-modified" in answer.headers


class TestConditionalWrites:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""

    def test_create_once(self, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"first", IfNoneMatch="*")
        with refused("PreconditionFailed", 412) as answer:
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"second", IfNoneMatch="*")
        assert answer["Error"]["Message"] == "At least one of the pre-conditions you specified did not hold"
        assert s3.get_object(Bucket=PLAIN, Key=unique)["Body"].read() == b"first"

    def test_create_again_after_it_was_deleted(self, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", IfNoneMatch="*")
        s3.delete_object(Bucket=PLAIN, Key=unique)
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", IfNoneMatch="*")

    def test_replace_what_was_read(self, s3, unique):
        first = s3.put_object(Bucket=PLAIN, Key=unique, Body=b"first")["ETag"]
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"second", IfMatch=first)
        with refused("PreconditionFailed", 412):
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"third", IfMatch=first)
        assert s3.get_object(Bucket=PLAIN, Key=unique)["Body"].read() == b"second"

    def test_replace_what_is_not_there(self, s3, unique):
        with refused("NoSuchKey", 404):
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", IfMatch='"other"')

    def test_only_an_asterisk_in_if_none_match(self, s3, unique):
        with refused("NotImplemented", 501):
            s3.put_object(Bucket=PLAIN, Key=unique, Body=b"", IfNoneMatch='"other"')


class TestCopyObject:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""

    def copy(self, s3, key, unique, **more):
        return s3.copy_object(Bucket=CLOSED, Key=unique, CopySource={"Bucket": PLAIN, "Key": key}, **more)

    def test_bytes_and_metadata_are_copied(self, s3, stored, unique):
        key, put = stored
        answer = self.copy(s3, key, unique)["CopyObjectResult"]
        assert answer["ETag"] == put["ETag"]
        assert answer["LastModified"].tzinfo is not None
        copied = s3.get_object(Bucket=CLOSED, Key=unique)
        assert (copied["Body"].read(), copied["ContentType"]) == (BODY, "video/mp4")
        assert copied["Metadata"] == {"title": "A film", "empty": ""}

    def test_metadata_can_be_replaced(self, s3, stored, unique):
        self.copy(s3, stored[0], unique, MetadataDirective="REPLACE", ContentType="audio/mp4", Metadata={"a": "b"})
        copied = s3.head_object(Bucket=CLOSED, Key=unique)
        assert (copied["ContentType"], copied["Metadata"]) == ("audio/mp4", {"a": "b"})
        assert "CacheControl" not in copied

    def test_onto_itself_something_has_to_change(self, s3, stored):
        key = stored[0]
        source = {"Bucket": PLAIN, "Key": key}
        with refused("InvalidRequest", 400):
            s3.copy_object(Bucket=PLAIN, Key=key, CopySource=source)
        s3.copy_object(Bucket=PLAIN, Key=key, CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"})
        assert s3.head_object(Bucket=PLAIN, Key=key)["Metadata"] == {"new": "1"}

    def test_conditions_on_the_source(self, s3, stored, unique):
        key, put = stored
        self.copy(s3, key, unique, CopySourceIfMatch=put["ETag"])
        hour = timedelta(hours=1)
        modified = s3.head_object(Bucket=PLAIN, Key=key)["LastModified"]
        for failing in (
            {"CopySourceIfMatch": '"other"'},
            {"CopySourceIfNoneMatch": put["ETag"]},
            {"CopySourceIfUnmodifiedSince": modified - hour},
            {"CopySourceIfModifiedSince": modified},
        ):
            with refused("PreconditionFailed", 412):
                self.copy(s3, key, unique, **failing)

    def test_a_source_that_is_not_there(self, s3, unique):
        with refused("NoSuchKey", 404):
            self.copy(s3, unique, unique)
        with refused("NoSuchBucket", 404):
            s3.copy_object(Bucket=CLOSED, Key=unique, CopySource={"Bucket": "conformance-missing", "Key": "a"})


class TestDeleteObject:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""

    def test_gone_and_gone_again(self, s3, stored):
        key = stored[0]
        for _ in range(2):
            answer = s3.delete_object(Bucket=PLAIN, Key=key)
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        with refused("NoSuchKey", 404):
            s3.get_object(Bucket=PLAIN, Key=key)


class TestBuckets:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html and API_ListBuckets.html"""

    def test_head(self, s3):
        assert s3.head_bucket(Bucket=PLAIN)["BucketRegion"] == "us-east-1"
        with refused("404", 404):
            s3.head_bucket(Bucket="conformance-missing")

    def test_list(self, s3):
        answer = s3.list_buckets()
        assert [bucket["Name"] for bucket in answer["Buckets"]] == sorted(
            ["conformance-versioned", "conformance-plain", "conformance-closed"]
        )
        assert all(bucket["CreationDate"] for bucket in answer["Buckets"])
        assert answer["Owner"]["ID"]
