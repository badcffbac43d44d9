"""S3: cross-origin requests.

"Using cross-origin resource sharing (CORS)", https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html ("How
does Amazon S3 evaluate the CORS configuration on a bucket?"), and "OPTIONS object",
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
"""

import pytest

from aws import CLOSED, PLAIN, VERSIONED

APP, READER = "https://app.example.com", "https://reader.example.org"


def preflight(aws, bucket, origin, method, headers=None):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    asked = {name: value for name, value in asked.items() if value is not None}
    return aws.send("OPTIONS", f"/{bucket}/a/key", asked)


def cors_headers(answer):
    return {name.lower() for name in answer.headers if name.lower().startswith("access-control-")}


def listed(answer, name):
    return {value.strip().lower() for value in answer.headers[name].split(",")}


class TestPreflight:
    """RESTOPTIONSobject.html"""

    @pytest.mark.parametrize("origin", [APP, "https://a.b.example.com"])
    @pytest.mark.parametrize("headers", [None, "content-type", "Content-Type, X-Amz-Checksum-Sha256"])
    def test_allowed(self, aws, origin, headers):
        answer = preflight(aws, VERSIONED, origin, "PUT", headers)
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == origin
        assert listed(answer, "access-control-allow-methods") == {"put", "post"}
        assert listed(answer, "access-control-expose-headers") == {"etag", "x-amz-version-id"}
        assert answer.headers["access-control-max-age"] == "600"
        assert answer.headers["access-control-allow-credentials"] == "true"
        if headers:
            asked = {name.strip().lower() for name in headers.split(",")}
            assert asked <= listed(answer, "access-control-allow-headers")
        assert {"origin", "access-control-request-method", "access-control-request-headers"} <= listed(answer, "vary")

    @pytest.mark.parametrize(
        "origin, method, headers",
        [
            ("https://example.com", "PUT", None),
            ("http://app.example.com", "PUT", None),
            ("https://app.example.com.evil.org", "PUT", None),
            ("null", "PUT", None),
            (APP, "DELETE", None),
            (APP, "GET", None),
            (APP, "PUT", "authorization"),
            (APP, "PUT", "content-type, authorization"),
            (READER, "PUT", None),
            (READER, "GET", "content-type"),
        ],
    )
    def test_refused(self, aws, origin, method, headers):
        answer = preflight(aws, VERSIONED, origin, method, headers)
        assert (answer.status, answer.code) == (403, "AccessForbidden")
        assert cors_headers(answer) == set()

    def test_the_first_rule_that_fits_is_taken(self, aws):
        answer = preflight(aws, VERSIONED, READER, "GET", "range")
        assert answer.status == 200
        assert listed(answer, "access-control-allow-methods") == {"get", "head"}
        assert "access-control-max-age" not in answer.headers
        assert "access-control-expose-headers" not in answer.headers

    def test_any_origin(self, aws):
        answer = preflight(aws, PLAIN, "null", "GET", "range, x-anything")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert "access-control-allow-credentials" not in answer.headers

    @pytest.mark.parametrize("bucket", [CLOSED, "conformance-missing"])
    def test_a_bucket_without_rules(self, aws, bucket):
        answer = preflight(aws, bucket, APP, "PUT")
        assert (answer.status, answer.code) == (403, "AccessForbidden")

    @pytest.mark.parametrize("origin, method", [(None, "PUT"), (APP, None), (APP, "FETCH IT")])
    def test_incomplete(self, aws, origin, method):
        answer = preflight(aws, VERSIONED, origin, method)
        assert (answer.status, answer.code) == (400, "BadRequest")


class TestRequests:
    """cors.html: the rule is applied to the request itself too"""

    def test_success_and_refusal_both_carry_the_rule(self, aws, s3, unique):
        url = s3.generate_presigned_url("put_object", {"Bucket": VERSIONED, "Key": f"uploads/{unique}"})
        for target, status in ((url, 200), (f"/{VERSIONED}/uploads/{unique}", 403)):
            answer = aws.send("PUT", target, {"Origin": APP}, b"x")
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == APP
            assert listed(answer, "access-control-expose-headers") == {"etag", "x-amz-version-id"}

    def test_nothing_for_strangers(self, aws, s3, unique):
        url = s3.generate_presigned_url("put_object", {"Bucket": VERSIONED, "Key": f"uploads/{unique}"})
        for headers in ({"Origin": "https://evil.org"}, {}):
            answer = aws.send("PUT", url, headers, b"x")
            assert (answer.status, cors_headers(answer)) == (200, set())

    def test_nothing_for_another_method(self, aws, s3, unique):
        url = s3.generate_presigned_url("delete_object", {"Bucket": VERSIONED, "Key": f"uploads/{unique}"})
        answer = aws.send("DELETE", url, {"Origin": APP})
        assert (answer.status, cors_headers(answer)) == (204, set())

    def test_any_origin(self, aws, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=unique, Body=b"x")
        url = s3.generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": unique})
        answer = aws.send("GET", url, {"Origin": "null", "Range": "bytes=0-0"})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (206, "*")
