"""S3: checksums of single objects. Those of multipart uploads are in test_s3_multipart.py.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

import base64

import pytest

from aws import PLAIN, refused
from checksums import crc64nvme, sha256

BODY = b"123456789"
CHECKS = {"SHA256": sha256, "CRC64NVME": crc64nvme}


def test_the_suites_own_arithmetic():
    """The check value of the CRC catalogue."""
    assert base64.b64decode(crc64nvme(BODY)).hex() == "ae8b14860a799888"


@pytest.fixture
def bare(aws):
    """A client that adds no checksum of its own."""
    return aws.client("s3", request_checksum_calculation="when_required")


class TestDeclared:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, x-amz-checksum-*"""

    @pytest.mark.parametrize("name", CHECKS)
    def test_a_right_one_is_kept_and_told(self, bare, unique, name):
        field, value = f"Checksum{name}", CHECKS[name](BODY)
        assert bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY, **{field: value})[field] == value
        told = bare.head_object(Bucket=PLAIN, Key=unique, ChecksumMode="ENABLED")
        assert (told[field], told["ChecksumType"]) == (value, "FULL_OBJECT")
        assert field not in bare.head_object(Bucket=PLAIN, Key=unique)

    @pytest.mark.parametrize("name", CHECKS)
    def test_a_wrong_one_is_refused_and_nothing_is_kept(self, bare, unique, name):
        with refused("BadDigest", 400):
            bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY, **{f"Checksum{name}": CHECKS[name](b"other")})
        with refused("404", 404):
            bare.head_object(Bucket=PLAIN, Key=unique)

    @pytest.mark.parametrize("value", ["x", "AAAA", "not base64 at all!"])
    def test_a_malformed_one_is_refused(self, bare, unique, value):
        with refused("InvalidRequest", 400):
            bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY, ChecksumSHA256=value)

    def test_more_than_one_is_refused(self, bare, unique):
        with refused("InvalidRequest", 400):
            bare.put_object(
                Bucket=PLAIN, Key=unique, Body=BODY, ChecksumSHA256=sha256(BODY), ChecksumCRC64NVME=crc64nvme(BODY)
            )


class TestNamed:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, x-amz-sdk-checksum-algorithm"""

    def test_what_is_named_has_to_come(self, aws, bare, unique):
        for headers in ({}, {"x-amz-checksum-crc64nvme": crc64nvme(BODY)}):
            answer = aws.send_signed(
                "PUT", f"/{PLAIN}/{unique}", {"x-amz-sdk-checksum-algorithm": "SHA256", **headers}, BODY
            )
            assert answer.status == 400, answer
        with refused("404", 404):
            bare.head_object(Bucket=PLAIN, Key=unique)


class TestComputed:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html: without a checksum in
    the request, S3 computes CRC64NVME."""

    def test_s3_computes_a_crc64nvme(self, bare, unique):
        assert bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY)["ChecksumCRC64NVME"] == crc64nvme(BODY)
        told = bare.get_object(Bucket=PLAIN, Key=unique, ChecksumMode="ENABLED")
        assert (told["ChecksumCRC64NVME"], told["Body"].read()) == (crc64nvme(BODY), BODY)

    def test_botocore_computes_a_sha256(self, bare, unique):
        answer = bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY, ChecksumAlgorithm="SHA256")
        assert answer["ChecksumSHA256"] == sha256(BODY)

    def test_a_part_of_the_bytes_comes_without(self, bare, unique):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
        bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY)
        part = bare.get_object(Bucket=PLAIN, Key=unique, Range="bytes=0-3", ChecksumMode="ENABLED")
        assert part["Body"].read() == BODY[:4]

    def test_a_copy_keeps_it(self, bare, unique):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, Checksums"""
        bare.put_object(Bucket=PLAIN, Key=unique, Body=BODY, ChecksumSHA256=sha256(BODY))
        source = {"Bucket": PLAIN, "Key": unique}
        answer = bare.copy_object(Bucket=PLAIN, Key=f"copy-{unique}", CopySource=source)
        assert answer["CopyObjectResult"]["ChecksumSHA256"] == sha256(BODY)
        told = bare.head_object(Bucket=PLAIN, Key=f"copy-{unique}", ChecksumMode="ENABLED")
        assert told["ChecksumSHA256"] == sha256(BODY)


class TestPayloadHash:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, x-amz-content-sha256"""

    def test_the_signed_hash_must_be_that_of_the_body(self, aws, unique):
        request = aws.signed("PUT", f"/{PLAIN}/{unique}", body=BODY)
        request.headers.replace_header("X-Amz-Content-SHA256", "0" * 64)
        forged = aws.send("PUT", request.url, dict(request.headers), BODY)
        assert (forged.status, forged.code) == (403, "SignatureDoesNotMatch")
        request = aws.signed("PUT", f"/{PLAIN}/{unique}", body=BODY)
        other = aws.send("PUT", request.url, dict(request.headers), b"987654321")
        assert (other.status, other.code) == (400, "XAmzContentSHA256Mismatch")
        assert aws.send_signed("HEAD", f"/{PLAIN}/{unique}").status == 404

    def test_it_is_required(self, aws, unique):
        request = aws.signed("PUT", f"/{PLAIN}/{unique}", body=BODY)
        headers = {name: value for name, value in request.headers.items() if name != "X-Amz-Content-SHA256"}
        answer = aws.send("PUT", request.url, headers, BODY)
        assert answer.status in (400, 403)


class TestTrailing:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html, "unsigned payload trailer" """

    def put(self, aws, key, trailer: bytes, announced="x-amz-checksum-sha256", length=len(BODY)):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (BODY[:4], BODY[4:]))
        body = chunks + b"0\r\n" + trailer + b"\r\n"
        headers = {
            "Content-Encoding": "aws-chunked",
            "Content-Length": str(len(body)),
            "X-Amz-Decoded-Content-Length": str(length),
            "X-Amz-Trailer": announced,
        }
        return aws.send_signed("PUT", f"/{PLAIN}/{key}", headers, body, trailer=True)

    @pytest.mark.parametrize("name", CHECKS)
    def test_a_right_one(self, aws, bare, unique, name):
        header = f"x-amz-checksum-{name.lower()}"
        answer = self.put(aws, unique, f"{header}:{CHECKS[name](BODY)}\r\n".encode(), header)
        assert (answer.status, answer.headers.get(header)) == (200, CHECKS[name](BODY)), answer
        stored = bare.get_object(Bucket=PLAIN, Key=unique)
        assert stored["Body"].read() == BODY
        assert stored.get("ContentEncoding", "") == ""

    @pytest.mark.parametrize("name", CHECKS)
    def test_a_wrong_one(self, aws, bare, unique, name):
        header = f"x-amz-checksum-{name.lower()}"
        answer = self.put(aws, unique, f"{header}:{CHECKS[name](b'other')}\r\n".encode(), header)
        assert (answer.status, answer.code) == (400, "BadDigest")
        with refused("404", 404):
            bare.head_object(Bucket=PLAIN, Key=unique)

    def test_one_that_was_announced_and_did_not_come(self, aws, bare, unique):
        assert self.put(aws, unique, b"").status == 400
        with refused("404", 404):
            bare.head_object(Bucket=PLAIN, Key=unique)

    def test_a_length_that_is_not_the_true_one(self, aws, bare, unique):
        trailer = f"x-amz-checksum-sha256:{sha256(BODY)}\r\n".encode()
        assert self.put(aws, unique, trailer, length=len(BODY) + 1).status == 400
        with refused("404", 404):
            bare.head_object(Bucket=PLAIN, Key=unique)
