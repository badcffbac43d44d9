"""S3: versions and delete markers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html and DeleteMarker.html
"""

import pytest

from aws import PLAIN, VERSIONED, refused


@pytest.fixture
def versions(s3, unique):
    """Two versions of one key."""
    key = f"versions/{unique}"
    return key, [s3.put_object(Bucket=VERSIONED, Key=key, Body=body)["VersionId"] for body in (b"one", b"two")]


class TestVersions:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetrievingObjectVersions.html"""

    def test_each_write_is_a_version(self, s3, versions):
        key, (first, second) = versions
        assert first != second and "null" not in (first, second)
        current = s3.get_object(Bucket=VERSIONED, Key=key)
        assert (current["Body"].read(), current["VersionId"]) == (b"two", second)
        old = s3.get_object(Bucket=VERSIONED, Key=key, VersionId=first)
        assert (old["Body"].read(), old["VersionId"]) == (b"one", first)
        assert s3.head_object(Bucket=VERSIONED, Key=key, VersionId=first)["ContentLength"] == 3

    def test_versions_that_are_not_there(self, s3, versions, unique):
        key, (first, _) = versions
        with refused("NoSuchVersion", 404):
            s3.get_object(Bucket=VERSIONED, Key=f"versions/other-{unique}", VersionId=first)
        with refused("InvalidArgument", 400):
            s3.get_object(Bucket=VERSIONED, Key=key, VersionId="not a version id")

    def test_a_bucket_without_versioning_tells_no_version(self, s3, unique):
        assert "VersionId" not in s3.put_object(Bucket=PLAIN, Key=unique, Body=b"")
        assert "VersionId" not in s3.get_object(Bucket=PLAIN, Key=unique)
        assert s3.get_object(Bucket=PLAIN, Key=unique, VersionId="null")["Body"].read() == b""

    def test_an_old_version_can_be_copied(self, s3, versions, unique):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
        key, (first, _) = versions
        source = {"Bucket": VERSIONED, "Key": key, "VersionId": first}
        answer = s3.copy_object(Bucket=VERSIONED, Key=f"versions/copy-{unique}", CopySource=source)
        assert answer["CopySourceVersionId"] == first
        copied = s3.get_object(Bucket=VERSIONED, Key=f"versions/copy-{unique}")
        assert (copied["Body"].read(), copied["VersionId"]) == (b"one", answer["VersionId"])


class TestDeleteMarkers:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html and userguide/DeleteMarker.html"""

    def test_deleting_hides_and_keeps(self, s3, versions):
        key, (first, second) = versions
        marker = s3.delete_object(Bucket=VERSIONED, Key=key)
        assert marker["DeleteMarker"] is True and marker["VersionId"] not in (first, second)
        with refused("NoSuchKey", 404) as answer:
            s3.get_object(Bucket=VERSIONED, Key=key)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amz-delete-marker"] == "true"
        assert headers["x-amz-version-id"] == marker["VersionId"]
        assert s3.get_object(Bucket=VERSIONED, Key=key, VersionId=second)["Body"].read() == b"two"
        assert s3.list_objects_v2(Bucket=VERSIONED, Prefix=key)["KeyCount"] == 0

    def test_a_marker_cannot_be_read(self, s3, versions):
        key, _ = versions
        marker = s3.delete_object(Bucket=VERSIONED, Key=key)["VersionId"]
        with refused("MethodNotAllowed", 405) as answer:
            s3.get_object(Bucket=VERSIONED, Key=key, VersionId=marker)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert (headers["x-amz-delete-marker"], headers["allow"]) == ("true", "DELETE")
        with refused("405", 405):
            s3.head_object(Bucket=VERSIONED, Key=key, VersionId=marker)

    def test_without_its_marker_an_object_is_back(self, s3, versions):
        key, (_, second) = versions
        marker = s3.delete_object(Bucket=VERSIONED, Key=key)["VersionId"]
        removed = s3.delete_object(Bucket=VERSIONED, Key=key, VersionId=marker)
        assert (removed["DeleteMarker"], removed["VersionId"]) == (True, marker)
        assert s3.get_object(Bucket=VERSIONED, Key=key)["VersionId"] == second

    def test_a_version_is_removed_for_good(self, s3, versions):
        key, (first, second) = versions
        removed = s3.delete_object(Bucket=VERSIONED, Key=key, VersionId=second)
        assert removed["VersionId"] == second and "DeleteMarker" not in removed
        assert s3.get_object(Bucket=VERSIONED, Key=key)["VersionId"] == first
        with refused("NoSuchVersion", 404):
            s3.get_object(Bucket=VERSIONED, Key=key, VersionId=second)
        assert s3.delete_object(Bucket=VERSIONED, Key=key, VersionId=second)["ResponseMetadata"]["HTTPStatusCode"] == 204

    def test_a_marker_counts_as_absence(self, s3, versions):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
        key, (_, second) = versions
        with refused("PreconditionFailed", 412):
            s3.put_object(Bucket=VERSIONED, Key=key, Body=b"", IfNoneMatch="*")
        tag = s3.head_object(Bucket=VERSIONED, Key=key, VersionId=second)["ETag"]
        s3.delete_object(Bucket=VERSIONED, Key=key)
        with refused("NoSuchKey", 404):
            s3.put_object(Bucket=VERSIONED, Key=key, Body=b"", IfMatch=tag)
        s3.put_object(Bucket=VERSIONED, Key=key, Body=b"three", IfNoneMatch="*")

    def test_a_key_that_was_never_there_gets_a_marker_too(self, s3, unique):
        answer = s3.delete_object(Bucket=VERSIONED, Key=f"versions/never-{unique}")
        assert answer["DeleteMarker"] is True
