"""What botocore signs for fixed times, credentials and inputs, as vectors for our own signers.

    presigned.py            writes vectors/presigned.json
    presigned.py --check    fails if botocore signs otherwise than the vectors say

`shared/buckets/src/vectors.rs` compares the platform's signers with them, byte for byte.
"""

import datetime
import pathlib

import botocore.auth
import botocore.config
import botocore.session
import botocore.signers

from vector_file import write_or_check

VECTORS = pathlib.Path(__file__).parent / "vectors" / "presigned.json"

# The credentials of AWS's own examples.
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEBYaCWV1LWNlbnRyYWwtMSJHMEUCIQD+/=="
CHECKSUM_SHA256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
SOURCE_KEY = "uploads/0197a3b2-7c1d-7e40-9f00-0123456789ab/source"
MINIATURE_KEY = "uploads/0197a3b2-7c1d-7e40-9f00-0123456789ab/miniature"
UPLOAD_SECONDS = 3600

# Who signs, and for where: on AWS, on AWS's oldest region, against an endpoint of one's own.
SIGNERS = [
    {"now": "2026-11-20T08:15:30Z", "region": "eu-central-1", "endpoint_url": None, "session_token": SESSION_TOKEN},
    {"now": "2028-02-29T23:59:59Z", "region": "us-east-1", "endpoint_url": None, "session_token": None},
    {
        "now": "2027-01-01T00:00:00Z",
        "region": "us-west-2",
        "endpoint_url": "http://127.0.0.1:4566",
        "session_token": SESSION_TOKEN,
    },
]

# Keys of published files, and keys that need encoding.
PLAYBACK_KEYS = [
    "media/0197a3b2-7c1d-7e40-9f00-0123456789ab/source.mp4",
    "media/a b+c%d/é&=?#~'()*!/ü😀",
    "media//double//slashes/",
]


def at(time):
    """Makes botocore believe that it is `time`."""
    now = datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ")
    for module in (botocore.auth, botocore.signers):
        module.get_current_datetime = lambda *_, **__: now


def client(signer):
    at(signer["now"])
    own_endpoint = signer["endpoint_url"] is not None
    return botocore.session.Session().create_client(
        "s3",
        region_name=signer["region"],
        endpoint_url=signer["endpoint_url"],
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        aws_session_token=signer["session_token"],
        config=botocore.config.Config(
            signature_version="s3v4",
            # A host name for each bucket and region, as the platform's own SDK addresses them.
            s3={
                "addressing_style": "path" if own_endpoint else "virtual",
                "us_east_1_regional_endpoint": "regional",
            },
            request_checksum_calculation="when_required",
        ),
    )


def vector(signer, operation, expires_in, more):
    return {
        "operation": operation,
        **signer,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "expires_in": expires_in,
        **more,
    }


def put_object(signer, bucket, key, size_bytes, content_type, checksum_sha256):
    parameters = {
        "Bucket": bucket,
        "Key": key,
        "ContentLength": size_bytes,
        "ContentType": content_type,
        "IfNoneMatch": "*",
    }
    headers = {"content-type": content_type, "if-none-match": "*"}
    if checksum_sha256:
        parameters["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = checksum_sha256
    url = client(signer).generate_presigned_url("put_object", Params=parameters, ExpiresIn=UPLOAD_SECONDS)
    more = {
        "bucket": bucket,
        "key": key,
        "size_bytes": size_bytes,
        "content_type": content_type,
        "checksum_sha256": checksum_sha256,
        "url": url,
        "headers": headers,
    }
    return vector(signer, "put_object", UPLOAD_SECONDS, more)


def post_object(signer, bucket, key, content_length_range, content_type, checksum_sha256):
    fields = {"Content-Type": content_type}
    if checksum_sha256:
        fields["x-amz-checksum-sha256"] = checksum_sha256
    conditions = [{name: value} for name, value in fields.items()]
    conditions.append(["content-length-range", *content_length_range])
    post = client(signer).generate_presigned_post(
        bucket, key, Fields=fields, Conditions=conditions, ExpiresIn=UPLOAD_SECONDS
    )
    more = {
        "bucket": bucket,
        "key": key,
        "content_length_range": content_length_range,
        "content_type": content_type,
        "checksum_sha256": checksum_sha256,
        "url": post["url"],
        # As pairs, since their order counts.
        "fields": [[name, value] for name, value in post["fields"].items()],
    }
    return vector(signer, "post_object", UPLOAD_SECONDS, more)


def playback(signer, operation, bucket, key, expires_in, overrides=None):
    parameters = {"Bucket": bucket, "Key": key, **(overrides or {})}
    url = client(signer).generate_presigned_url(operation, Params=parameters, ExpiresIn=expires_in)
    more = {"bucket": bucket, "key": key, "url": url}
    if overrides is None:
        return vector(signer, operation, expires_in, more)
    return vector(signer, f"{operation}_with_overrides", expires_in, {**more, "overrides": overrides})


def upload_part(signer, bucket, key, upload_id, part_number, size_bytes):
    # In the order in which they come, botocore writes them into the URL.
    parameters = {
        "Bucket": bucket,
        "Key": key,
        "PartNumber": part_number,
        "UploadId": upload_id,
        "ContentLength": size_bytes,
    }
    url = client(signer).generate_presigned_url("upload_part", Params=parameters, ExpiresIn=UPLOAD_SECONDS)
    more = {
        "bucket": bucket,
        "key": key,
        "upload_id": upload_id,
        "part_number": part_number,
        "size_bytes": size_bytes,
        "url": url,
    }
    return vector(signer, "upload_part", UPLOAD_SECONDS, more)


def vectors():
    for signer in SIGNERS:
        yield put_object(signer, "stack-ingest", SOURCE_KEY, 11, "video/mp4", CHECKSUM_SHA256)
        yield put_object(signer, "stack-ingest", MINIATURE_KEY, 5_368_709_120, "audio/mpeg", None)
        yield post_object(signer, "stack-ingest", SOURCE_KEY, [11, 11], "video/mp4", CHECKSUM_SHA256)
        yield post_object(signer, "stack-ingest", MINIATURE_KEY, [0, 5_368_709_120], "audio/mpeg", None)
        for key in PLAYBACK_KEYS:
            for operation in ("get_object", "head_object"):
                yield playback(signer, operation, "stack-media", key, 900)
        overrides = {
            "ResponseContentType": "video/mp4",
            "ResponseContentDisposition": 'attachment; filename="a b+c.mp4"',
            "ResponseCacheControl": "no-store",
        }
        yield playback(signer, "get_object", "stack-media", PLAYBACK_KEYS[0], 604_800, overrides)
        yield upload_part(signer, "stack-ingest", SOURCE_KEY, "VXBsb2FkIElE.a_b-c", 1, 5_242_880)
        yield upload_part(signer, "stack-ingest", SOURCE_KEY, "VXBsb2FkIElE.a_b-c", 10_000, 7)


if __name__ == "__main__":
    write_or_check(__doc__, VECTORS, vectors())
