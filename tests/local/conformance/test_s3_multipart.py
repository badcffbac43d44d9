"""S3: multipart uploads.

"Uploading and copying objects using multipart upload in Amazon S3",
https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html, and its limits, .../userguide/qfacts.html
"""

import base64
import hashlib
import uuid
from urllib.parse import unquote

import pytest

from aws import PLAIN, VERSIONED, refused
from checksums import crc64nvme, sha256

MIB = 1024 * 1024
LARGE = bytes(range(256)) * (5 * MIB // 256)
SMALL = b"the last part may be small"


def md5(data: bytes) -> bytes:
    return hashlib.md5(data).digest()


def etag_of(*parts: bytes) -> str:
    return f'"{hashlib.md5(b"".join(md5(part) for part in parts)).hexdigest()}-{len(parts)}"'


class Upload:
    """An upload that has begun."""

    def __init__(self, s3, bucket, key, **more):
        self.s3 = s3
        self.name = {"Bucket": bucket, "Key": key}
        self.created = s3.create_multipart_upload(**self.name, **more)
        self.upload_id = self.created["UploadId"]
        self.parts = []

    def put(self, number, body, **more):
        answer = self.s3.upload_part(**self.name, UploadId=self.upload_id, PartNumber=number, Body=body, **more)
        self.parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        return answer

    def complete(self, parts=None, **more):
        parts = self.parts if parts is None else parts
        return self.s3.complete_multipart_upload(
            **self.name, UploadId=self.upload_id, MultipartUpload={"Parts": parts}, **more
        )

    def abort(self):
        return self.s3.abort_multipart_upload(**self.name, UploadId=self.upload_id)

    def list_parts(self, **more):
        return self.s3.list_parts(**self.name, UploadId=self.upload_id, **more)


@pytest.fixture(scope="module")
def bare(aws):
    """A client that adds no checksum of its own."""
    return aws.client("s3", request_checksum_calculation="when_required")


@pytest.fixture
def begin(bare, unique):
    def begin(bucket=PLAIN, key=f"multipart/{unique}", **more):
        return Upload(bare, bucket, key, **more)

    return begin


class TestCreate:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""

    def test_names_come_back(self, begin, unique):
        upload = begin()
        assert (upload.created["Bucket"], upload.created["Key"]) == (PLAIN, f"multipart/{unique}")
        assert upload.upload_id != begin().upload_id

    def test_its_metadata_becomes_the_objects(self, begin, s3):
        upload = begin(ContentType="video/mp4", CacheControl="no-store", Metadata={"a": "b"})
        upload.put(1, SMALL)
        upload.complete()
        head = s3.head_object(**upload.name)
        assert (head["ContentType"], head["CacheControl"], head["Metadata"]) == ("video/mp4", "no-store", {"a": "b"})

    def test_a_bucket_that_is_not_there(self, begin):
        with refused("NoSuchBucket", 404):
            begin(bucket="conformance-missing")


class TestUploadPart:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""

    def test_the_etag_is_the_md5_of_the_part(self, begin):
        assert begin().put(1, SMALL)["ETag"] == f'"{md5(SMALL).hex()}"'

    def test_the_same_number_replaces(self, begin, s3):
        upload = begin()
        upload.put(1, b"first")
        upload.parts.clear()
        upload.put(1, b"second")
        assert [part["Size"] for part in upload.list_parts()["Parts"]] == [6]
        upload.complete()
        assert s3.get_object(**upload.name)["Body"].read() == b"second"

    def test_numbers_are_1_to_10000(self, begin):
        upload = begin()
        upload.put(10_000, b"x")
        for number in (0, -1, 10_001):
            with refused("InvalidArgument", 400):
                upload.put(number, b"x")

    def test_an_upload_that_is_not_there(self, begin, bare, unique):
        upload = begin()
        for name, upload_id in (
            (upload.name, "made-up"),
            ({"Bucket": PLAIN, "Key": f"other/{unique}"}, upload.upload_id),
            ({"Bucket": VERSIONED, "Key": upload.name["Key"]}, upload.upload_id),
        ):
            with refused("NoSuchUpload", 404):
                bare.upload_part(**name, UploadId=upload_id, PartNumber=1, Body=b"x")

    def test_what_was_declared_is_compared(self, begin):
        upload = begin()
        with refused("BadDigest", 400):
            upload.put(1, SMALL, ContentMD5=base64.b64encode(md5(b"other")).decode())
        with refused("BadDigest", 400):
            upload.put(1, SMALL, ChecksumCRC64NVME=crc64nvme(b"other"))
        assert "Parts" not in upload.list_parts()
        upload.put(1, SMALL, ContentMD5=base64.b64encode(md5(SMALL)).decode())

    def test_presigned(self, aws, begin, bare, s3):
        upload = begin()
        asked = {**upload.name, "UploadId": upload.upload_id, "PartNumber": 1, "ContentLength": len(SMALL)}
        url = bare.generate_presigned_url("upload_part", asked)
        other = aws.send("PUT", url, body=SMALL + b"!")
        assert (other.status, other.code) == (403, "SignatureDoesNotMatch")
        answer = aws.send("PUT", url, body=SMALL)
        assert answer.status == 200
        second = aws.send("PUT", url.replace("partNumber=1", "partNumber=2"), body=SMALL)
        assert (second.status, second.code) == (403, "SignatureDoesNotMatch")
        upload.complete([{"PartNumber": 1, "ETag": answer.headers["etag"]}])
        assert s3.get_object(**upload.name)["Body"].read() == SMALL

    def test_parts_are_not_seen_before_they_are_complete(self, begin, s3):
        upload = begin()
        upload.put(1, SMALL)
        with refused("404", 404):
            s3.head_object(**upload.name)
        assert s3.list_objects_v2(Bucket=PLAIN, Prefix=upload.name["Key"])["KeyCount"] == 0


class TestUploadPartCopy:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html"""

    @pytest.fixture
    def source(self, bare, unique):
        bare.put_object(Bucket=PLAIN, Key=f"source/{unique}", Body=LARGE + SMALL)
        return {"Bucket": PLAIN, "Key": f"source/{unique}"}

    def copy(self, upload, source, number=1, **more):
        answer = upload.s3.upload_part_copy(
            **upload.name, UploadId=upload.upload_id, PartNumber=number, CopySource=source, **more
        )
        upload.parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
        return answer

    def test_ranges_put_together(self, begin, source, s3):
        upload = begin()
        first = self.copy(upload, source, 1, CopySourceRange=f"bytes=0-{5 * MIB - 1}")
        assert first["CopyPartResult"]["ETag"] == f'"{md5(LARGE).hex()}"' and first["CopyPartResult"]["LastModified"]
        self.copy(upload, source, 2, CopySourceRange=f"bytes={5 * MIB}-{5 * MIB + len(SMALL) - 1}")
        assert upload.complete()["ETag"] == etag_of(LARGE, SMALL)
        assert s3.get_object(**upload.name)["Body"].read() == LARGE + SMALL

    def test_the_whole(self, begin, source, s3):
        upload = begin()
        self.copy(upload, source)
        upload.complete()
        assert s3.head_object(**upload.name)["ContentLength"] == len(LARGE + SMALL)

    @pytest.mark.parametrize("asked", ["bytes=5-", "bytes=-5", "bytes=9-1", "0-1", f"bytes=0-{6 * MIB}"])
    def test_a_range_that_is_not_inside(self, begin, source, asked):
        with pytest.raises(Exception) as raised:
            self.copy(begin(), source, CopySourceRange=asked)
        response = raised.value.response
        assert response["Error"]["Code"] in ("InvalidArgument", "InvalidRange")
        assert response["ResponseMetadata"]["HTTPStatusCode"] in (400, 416)

    def test_a_range_is_of_an_object_of_more_than_5_mib(self, begin, bare, unique):
        bare.put_object(Bucket=PLAIN, Key=f"source/{unique}", Body=LARGE)
        source = {"Bucket": PLAIN, "Key": f"source/{unique}"}
        with refused("InvalidRequest", 400):
            self.copy(begin(), source, CopySourceRange="bytes=0-9")
        self.copy(begin(), source)

    def test_conditions_on_the_source(self, begin, source, s3):
        upload = begin()
        tag = s3.head_object(**source)["ETag"]
        self.copy(upload, source, CopySourceIfMatch=tag)
        with refused("PreconditionFailed", 412):
            self.copy(upload, source, CopySourceIfMatch='"other"')
        with refused("PreconditionFailed", 412):
            self.copy(upload, source, CopySourceIfNoneMatch=tag)

    def test_what_is_not_there(self, begin, source, bare):
        upload = begin()
        with refused("NoSuchKey", 404):
            self.copy(upload, {"Bucket": PLAIN, "Key": "source/missing"})
        with refused("NoSuchUpload", 404):
            bare.upload_part_copy(**upload.name, UploadId="made-up", PartNumber=1, CopySource=source)


class TestListParts:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html"""

    def test_pages(self, begin):
        upload = begin()
        for number in (7, 1, 3, 10_000, 2):
            upload.put(number, b"x" * number if number < 10 else b"")
        whole = upload.list_parts()
        assert [(part["PartNumber"], part["Size"]) for part in whole["Parts"]] == [
            (1, 1),
            (2, 2),
            (3, 3),
            (7, 7),
            (10_000, 0),
        ]
        assert whole["Parts"][0]["ETag"] == f'"{md5(b"x").hex()}"' and whole["Parts"][0]["LastModified"]
        assert (whole["IsTruncated"], whole["MaxParts"], whole["StorageClass"]) == (False, 1000, "STANDARD")
        assert (whole["Key"], whole["UploadId"]) == (upload.name["Key"], upload.upload_id)
        found, marker = [], 0
        while True:
            page = upload.list_parts(MaxParts=2, PartNumberMarker=marker)
            found += [part["PartNumber"] for part in page["Parts"]]
            marker = page["NextPartNumberMarker"]
            if not page["IsTruncated"]:
                break
            assert len(page["Parts"]) == 2 and marker == found[-1]
        assert found == [1, 2, 3, 7, 10_000]

    def test_nothing_yet(self, begin):
        assert "Parts" not in begin().list_parts()

    def test_an_upload_that_is_not_there(self, begin, bare):
        with refused("NoSuchUpload", 404):
            bare.list_parts(**begin().name, UploadId="made-up")


class TestListMultipartUploads:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html"""

    @pytest.fixture
    def uploads(self, bare, unique):
        keys = [f"uploads-{unique}/{name}" for name in ("b", "a/1", "a/2", "b")]
        return [Upload(bare, PLAIN, key) for key in keys]

    def test_in_order(self, bare, uploads, unique):
        b, a1, a2, b_again = uploads
        answer = bare.list_multipart_uploads(Bucket=PLAIN, Prefix=f"uploads-{unique}/")
        found = [(entry["Key"], entry["UploadId"]) for entry in answer["Uploads"]]
        assert found == [(one.name["Key"], one.upload_id) for one in (a1, a2, b, b_again)]
        assert answer["Uploads"][0]["Initiated"] and answer["IsTruncated"] is False

    def test_pages(self, bare, uploads, unique):
        found, more = [], {}
        while True:
            page = bare.list_multipart_uploads(Bucket=PLAIN, Prefix=f"uploads-{unique}/", MaxUploads=1, **more)
            found += [entry["UploadId"] for entry in page["Uploads"]]
            if not page["IsTruncated"]:
                break
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        b, a1, a2, b_again = uploads
        assert found == [one.upload_id for one in (a1, a2, b, b_again)]

    def test_a_delimiter_rolls_up(self, bare, uploads, unique):
        answer = bare.list_multipart_uploads(Bucket=PLAIN, Prefix=f"uploads-{unique}/", Delimiter="/")
        assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == [f"uploads-{unique}/a/"]
        assert [entry["Key"] for entry in answer["Uploads"]] == [f"uploads-{unique}/b"] * 2

    def test_what_ended_is_gone(self, bare, uploads, unique):
        uploads[0].abort()
        uploads[3].put(1, b"x")
        uploads[3].complete()
        answer = bare.list_multipart_uploads(Bucket=PLAIN, Prefix=f"uploads-{unique}/")
        assert [entry["UploadId"] for entry in answer["Uploads"]] == [uploads[1].upload_id, uploads[2].upload_id]


class TestComplete:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html"""

    def test_parts_become_one_object(self, begin, s3):
        upload = begin(bucket=VERSIONED)
        upload.put(3, SMALL)
        upload.put(1, LARGE)
        upload.parts.sort(key=lambda part: part["PartNumber"])
        answer = upload.complete()
        assert (answer["Bucket"], answer["Key"]) == (VERSIONED, upload.name["Key"])
        assert answer["ETag"] == etag_of(LARGE, SMALL) and unquote(answer["Location"]).endswith(upload.name["Key"])
        stored = s3.get_object(**upload.name)
        assert stored["Body"].read() == LARGE + SMALL
        assert (stored["ETag"], stored["VersionId"]) == (answer["ETag"], answer["VersionId"])
        inside = s3.get_object(**upload.name, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")["Body"].read()
        assert inside == LARGE[-2:] + SMALL[:2]

    def test_only_the_parts_that_are_named(self, begin, s3):
        upload = begin()
        for number in (1, 2, 3):
            upload.put(number, b"%d" % number)
        upload.complete([upload.parts[1]])
        assert s3.get_object(**upload.name)["Body"].read() == b"2"

    def test_every_part_but_the_last_has_5_mib(self, begin):
        upload = begin()
        upload.put(1, LARGE[:-1])
        upload.put(2, SMALL)
        with refused("EntityTooSmall", 400):
            upload.complete()
        upload.put(1, LARGE)
        upload.complete([upload.parts[2], upload.parts[1]])

    def test_parts_that_are_not_so(self, begin):
        upload = begin()
        upload.put(1, LARGE)
        upload.put(2, SMALL)
        one, two = upload.parts
        with refused("InvalidPart", 400):
            upload.complete([one, {"PartNumber": 3, "ETag": two["ETag"]}])
        with refused("InvalidPart", 400):
            upload.complete([{"PartNumber": 1, "ETag": two["ETag"]}, two])
        with refused("InvalidPartOrder", 400):
            upload.complete([two, one])
        with refused("InvalidPartOrder", 400):
            upload.complete([one, one])
        upload.complete([one, {"PartNumber": 2, "ETag": two["ETag"].strip('"')}])

    def test_no_parts(self, begin):
        upload = begin()
        with refused("MalformedXML", 400):
            upload.complete([])

    @pytest.mark.parametrize("body", [b"", b"<CompleteMultipartUpload>", b"<Other/>", b"{}"])
    def test_what_is_no_list(self, aws, begin, body):
        upload = begin()
        path = f"/{PLAIN}/{upload.name['Key']}?uploadId={upload.upload_id}"
        answer = aws.send_signed("POST", path, body=body)
        assert answer.status == 400 and answer.code in ("MalformedXML", "InvalidRequest"), answer

    def test_an_upload_that_is_not_there(self, begin, bare):
        with refused("NoSuchUpload", 404):
            bare.complete_multipart_upload(
                **begin().name, UploadId="made-up", MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"a"'}]}
            )

    def test_once(self, begin, s3):
        """A second one either is told the same, or that there is no such upload; it never makes a second object."""
        upload = begin(bucket=VERSIONED)
        upload.put(1, SMALL)
        first = upload.complete()
        try:
            assert upload.complete()["ETag"] == first["ETag"]
        except s3.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchUpload"
        assert s3.head_object(**upload.name)["VersionId"] == first["VersionId"]

    def test_conditions(self, begin, s3):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
        s3.put_object(**begin().name, Body=b"there")
        upload = begin()
        upload.put(1, SMALL)
        with refused("PreconditionFailed", 412):
            upload.complete(IfNoneMatch="*")
        with refused("PreconditionFailed", 412):
            upload.complete(IfMatch='"other"')
        upload.complete(IfMatch=s3.head_object(**upload.name)["ETag"])
        s3.delete_object(**upload.name)
        again = begin()
        again.put(1, SMALL)
        with refused("NoSuchKey", 404):
            again.complete(IfMatch='"other"')
        again.complete(IfNoneMatch="*")

    def test_the_expected_size(self, begin):
        upload = begin()
        upload.put(1, SMALL)
        with refused("InvalidRequest", 400):
            upload.complete(MpuObjectSize=len(SMALL) + 1)
        upload.complete(MpuObjectSize=len(SMALL))


@pytest.fixture(scope="module")
def whole():
    """The checksum of the two parts together; it takes a while."""
    return crc64nvme(LARGE + SMALL)


class TestChecksums:
    """"Checking object integrity for data uploads": full-object and composite checksums of multipart uploads,
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """

    def test_s3_computes_one_of_the_whole_object(self, begin, s3, whole):
        upload = begin()
        upload.put(1, LARGE)
        upload.put(2, SMALL)
        answer = upload.complete()
        assert (answer["ChecksumCRC64NVME"], answer["ChecksumType"]) == (whole, "FULL_OBJECT")
        head = s3.head_object(**upload.name, ChecksumMode="ENABLED")
        assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (whole, "FULL_OBJECT")

    def test_one_can_be_declared(self, begin, whole):
        upload = begin(ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
        assert (upload.created["ChecksumAlgorithm"], upload.created["ChecksumType"]) == ("CRC64NVME", "FULL_OBJECT")
        upload.put(1, LARGE, ChecksumCRC64NVME=crc64nvme(LARGE))
        upload.put(2, SMALL, ChecksumCRC64NVME=crc64nvme(SMALL))
        with refused("BadDigest", 400):
            upload.complete(ChecksumCRC64NVME=crc64nvme(b"other"), ChecksumType="FULL_OBJECT")
        assert upload.complete(ChecksumCRC64NVME=whole, ChecksumType="FULL_OBJECT")["ChecksumCRC64NVME"] == whole

    def test_one_of_the_whole_object_needs_none_of_its_parts(self, begin, whole):
        upload = begin(ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
        upload.put(1, LARGE)
        upload.put(2, SMALL)
        with refused("BadDigest", 400):
            upload.complete(ChecksumCRC64NVME=crc64nvme(b"other"))
        assert upload.complete(ChecksumCRC64NVME=whole)["ChecksumCRC64NVME"] == whole

    def test_sha_256_is_never_of_the_whole_object(self, begin):
        with refused("InvalidRequest", 400):
            begin(ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")

    def test_composite(self, begin, s3):
        """An algorithm that is declared at the start has to come with every part."""
        upload = begin(ChecksumAlgorithm="SHA256")
        with refused("InvalidRequest", 400):
            upload.put(1, LARGE)
        parts = []
        for number, body in ((1, LARGE), (2, SMALL)):
            assert upload.put(number, body, ChecksumSHA256=sha256(body))["ChecksumSHA256"] == sha256(body)
            parts.append({**upload.parts[-1], "ChecksumSHA256": sha256(body)})
        answer = upload.complete(parts)
        of_parts = b"".join(base64.b64decode(sha256(body)) for body in (LARGE, SMALL))
        assert (answer["ChecksumSHA256"], answer["ChecksumType"]) == (f"{sha256(of_parts)}-2", "COMPOSITE")

    def test_as_botocore_does_by_default(self, s3, unique):
        upload = Upload(s3, PLAIN, f"multipart/{unique}")
        upload.put(1, SMALL)
        assert upload.complete()["ETag"] == etag_of(SMALL)


class TestAbort:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""

    def test_nothing_is_left(self, begin, s3):
        upload = begin()
        upload.put(1, SMALL)
        assert upload.abort()["ResponseMetadata"]["HTTPStatusCode"] == 204
        for after in (upload.list_parts, upload.complete, lambda: upload.put(2, SMALL), upload.abort):
            with refused("NoSuchUpload", 404):
                after()
        with refused("404", 404):
            s3.head_object(**upload.name)


class TestPermissions:
    """"Multipart upload API and permissions", https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuAndPermissions.html"""

    def test_a_role_needs_no_more_than_put_object(self, aws):
        session = aws.client("s3", aws.assume("upload"), request_checksum_calculation="when_required")
        upload = Upload(session, VERSIONED, f"uploads/{uuid.uuid4().hex}")
        upload.put(1, SMALL)
        assert len(upload.list_parts()["Parts"]) == 1
        upload.complete()
        Upload(session, VERSIONED, "uploads/aborted").abort()
        with refused("AccessDenied", 403):
            Upload(session, VERSIONED, "elsewhere/a")
        with refused("AccessDenied", 403):
            session.list_multipart_uploads(Bucket=VERSIONED)
        stranger = aws.client("s3", aws.assume("reader"))
        with refused("AccessDenied", 403):
            Upload(stranger, VERSIONED, "uploads/a")
