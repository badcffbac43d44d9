"""S3: presigned URLs, as botocore signs them, and every way of bending one.

"Authenticating Requests: Using Query Parameters (AWS Signature Version 4)",
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from datetime import datetime, timedelta, timezone
from unittest.mock import patch
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws import OPERATOR, PLAIN, REGION, VERSIONED
from checksums import sha256

BODY = b"hello world"


@pytest.fixture
def stored(s3, unique):
    s3.put_object(Bucket=PLAIN, Key=unique, Body=BODY)
    return unique


def signed_at(moment: datetime):
    """Lets botocore sign as if it were then."""
    return patch("botocore.auth.get_current_datetime", return_value=moment.replace(tzinfo=None))


def edit(url: str, **changes) -> str:
    """Changes, adds or (with None) removes query parameters; the order stays."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in changes.items():
        name = name.replace("_", "-")
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


class TestGet:
    """sigv4-query-string-auth.html"""

    def url(self, s3, key, seconds=60, **more):
        return s3.generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": key, **more}, ExpiresIn=seconds)

    def test_it_reads(self, aws, s3, stored):
        answer = aws.send("GET", self.url(s3, stored))
        assert (answer.status, answer.body) == (200, BODY)

    def test_a_range_need_not_be_signed(self, aws, s3, stored):
        answer = aws.send("GET", self.url(s3, stored), {"Range": "bytes=6-"})
        assert (answer.status, answer.body) == (206, b"world")

    def test_response_overrides_are_part_of_the_signature(self, aws, s3, stored):
        url = self.url(s3, stored, ResponseContentType="video/mp4")
        assert aws.send("GET", url).headers["content-type"] == "video/mp4"
        forged = aws.send("GET", edit(url, response_content_type="text/html"))
        assert (forged.status, forged.code) == (403, "SignatureDoesNotMatch")
        added = aws.send("GET", edit(self.url(s3, stored), response_content_type="text/html"))
        assert (added.status, added.code) == (403, "SignatureDoesNotMatch")

    def test_head_needs_a_url_of_its_own(self, aws, s3, stored):
        url = s3.generate_presigned_url("head_object", {"Bucket": PLAIN, "Key": stored})
        assert aws.send("HEAD", url).status == 200
        assert aws.send("HEAD", self.url(s3, stored)).status == 403
        assert aws.send("GET", url).status == 403

    @pytest.mark.parametrize("seconds", [1, 604800])
    def test_the_shortest_and_the_longest_life(self, aws, s3, stored, seconds):
        with signed_at(datetime.now(timezone.utc) + timedelta(seconds=30)):
            url = self.url(s3, stored, seconds)
        assert aws.send("GET", url).status == 200

    def test_expired(self, aws, s3, stored):
        with signed_at(datetime.now(timezone.utc) - timedelta(hours=1)):
            url = self.url(s3, stored, 3599)
        answer = aws.send("GET", url)
        assert (answer.status, answer.code, answer.message) == (403, "AccessDenied", "Request has expired")
        with signed_at(datetime.now(timezone.utc) - timedelta(hours=1)):
            url = self.url(s3, stored, 3660)
        assert aws.send("GET", url).status == 200

    def test_not_yet(self, aws, s3, stored):
        with signed_at(datetime.now(timezone.utc) + timedelta(hours=1)):
            url = self.url(s3, stored)
        assert aws.send("GET", url).status == 403

    def test_a_longer_life_than_a_week(self, aws, s3, stored):
        answer = aws.send("GET", self.url(s3, stored, 604801))
        assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


class TestTampering:
    """Each changed part of a URL, and what S3 calls it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """

    @pytest.fixture
    def url(self, s3, stored):
        return s3.generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": stored}, ExpiresIn=60)

    @pytest.mark.parametrize(
        "changes, status, code",
        [
            ({"X_Amz_Signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
            ({"X_Amz_Signature": "short"}, 403, "SignatureDoesNotMatch"),
            ({"X_Amz_Expires": "61"}, 403, "SignatureDoesNotMatch"),
            ({"x_unsigned": "1"}, 403, "SignatureDoesNotMatch"),
            ({"versionId": "null"}, 403, "SignatureDoesNotMatch"),
            ({"X_Amz_Signature": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Expires": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Date": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_SignedHeaders": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Credential": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Algorithm": None}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Algorithm": "AWS4-HMAC-SHA1"}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Expires": "-1"}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Expires": "soon"}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Credential": "local"}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Date": "yesterday"}, 400, "AuthorizationQueryParametersError"),
            ({"X_Amz_Security_Token": "made up"}, 400, "InvalidToken"),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
    )
    def test_query(self, aws, url, changes, status, code):
        answer = aws.send("GET", edit(url, **changes))
        assert (answer.status, answer.code) == (status, code), answer

    def scoped(self, url, **parts):
        scope = dict(parse_qsl(urlsplit(url).query))["X-Amz-Credential"].split("/")
        for index, value in parts.items():
            scope[int(index[1:])] = value
        return edit(url, X_Amz_Credential="/".join(scope))

    def test_scope(self, aws, url):
        unknown = aws.send("GET", self.scoped(url, _0="AKIAIOSFODNN7EXAMPLE"))
        assert (unknown.status, unknown.code) == (403, "InvalidAccessKeyId")
        for changed in ({"_1": "20200101"}, {"_2": "eu-west-1"}, {"_4": "aws3_request"}):
            answer = aws.send("GET", self.scoped(url, **changed))
            assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError"), changed
        assert aws.send("GET", self.scoped(url, _3="dynamodb")).status >= 400

    def test_path(self, aws, s3, url, stored, unique):
        s3.put_object(Bucket=PLAIN, Key=unique + "-other", Body=b"secret")
        answer = aws.send("GET", url.replace(stored, unique + "-other"))
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
        answer = aws.send("GET", url.replace(PLAIN, VERSIONED))
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
    def test_method(self, aws, url, s3, stored, method):
        assert aws.send(method, url, body=b"x" if method == "PUT" else None).status == 403
        assert s3.get_object(Bucket=PLAIN, Key=stored)["Body"].read() == BODY

    def test_host(self, aws, url):
        answer = aws.send("GET", url, {"Host": "s3.amazonaws.com"})
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    def test_amz_headers_that_were_not_signed(self, aws, url):
        answer = aws.send("GET", url, {"x-amz-checksum-mode": "ENABLED"})
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert "not signed" in answer.message

    def test_a_parameter_twice(self, aws, url):
        assert aws.send("GET", url + "&X-Amz-Expires=604800").status in (400, 403)

    def test_two_mechanisms_at_once(self, aws, url):
        answer = aws.send("GET", url, {"Authorization": "AWS4-HMAC-SHA256 Credential=local/x"})
        assert (answer.status, answer.code) == (400, "InvalidArgument")

    def test_another_secret(self, aws, stored):
        s3 = aws.client("s3", Credentials("local", "not-the-secret"))
        answer = aws.send("GET", s3.generate_presigned_url("get_object", {"Bucket": PLAIN, "Key": stored}))
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    def test_version_2_is_no_longer_taken(self, aws, stored):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/auth-request-sig-v2.html"""
        answer = aws.send("GET", f"/{PLAIN}/{stored}?AWSAccessKeyId=local&Expires=9999999999&Signature=AAAA")
        assert (answer.status, answer.code) == (400, "InvalidRequest")

    def test_nothing_is_public(self, aws, stored):
        answer = aws.send("GET", f"/{PLAIN}/{stored}")
        assert (answer.status, answer.code) == (403, "AccessDenied")


class TestPut:
    """What is signed holds: https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html"""

    @pytest.fixture
    def promise(self, aws, unique):
        """A URL for one upload of exactly these bytes, of this type, once."""
        s3 = aws.client("s3", request_checksum_calculation="when_required")
        wanted = {
            "Bucket": VERSIONED,
            "Key": f"uploads/{unique}",
            "ContentLength": len(BODY),
            "ContentType": "video/mp4",
            "ChecksumSHA256": sha256(BODY),
            "IfNoneMatch": "*",
        }
        headers = {
            "Content-Type": "video/mp4",
            "x-amz-checksum-sha256": sha256(BODY),
            "If-None-Match": "*",
        }
        return s3.generate_presigned_url("put_object", wanted), headers

    def put(self, aws, promise, body=BODY, **changes):
        url, headers = promise
        headers = {name: value for name, value in {**headers, **changes}.items() if value is not None}
        return aws.send("PUT", url, headers, body)

    def test_once(self, aws, promise):
        answer = self.put(aws, promise)
        assert answer.status == 200, answer
        again = self.put(aws, promise)
        assert (again.status, again.code) == (412, "PreconditionFailed")

    @pytest.mark.parametrize("body", [b"", BODY + b"!", BODY[:-1]])
    def test_another_length(self, aws, promise, body):
        answer = self.put(aws, promise, body)
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    def test_other_bytes(self, aws, promise):
        answer = self.put(aws, promise, BODY[::-1])
        assert (answer.status, answer.code) == (400, "BadDigest")

    @pytest.mark.parametrize("kind", ["video/webm", None])
    def test_another_type(self, aws, promise, kind):
        answer = self.put(aws, promise, **{"Content-Type": kind})
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    @pytest.mark.parametrize("name, value", [("x-amz-acl", "public-read"), ("x-amz-meta-a", "1")])
    def test_headers_in_the_query_are_not_overlooked(self, aws, s3, unique, name, value):
        """sigv4-query-string-auth.html: S3 takes x-amz-* headers from the query too; here they may also be refused."""
        request = AWSRequest("PUT", f"{aws.url}/{PLAIN}/{unique}", params={name: value})
        S3SigV4QueryAuth(OPERATOR, "s3", REGION, expires=60).add_auth(request)
        answer = aws.send("PUT", request.prepare().url, body=BODY)
        if answer.status == 200:
            assert s3.head_object(Bucket=PLAIN, Key=unique)["Metadata"] == {"a": "1"}
        else:
            assert (answer.status, answer.code) == (501, "NotImplemented") and name in answer.message

    def test_without_its_condition(self, aws, promise):
        answer = self.put(aws, promise, **{"If-None-Match": None})
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    def test_another_condition(self, aws, promise):
        answer = self.put(aws, promise, **{"If-Match": "*"})
        assert answer.status in (400, 403, 404, 501)


class TestHeaders:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""

    def test_a_clock_that_is_wrong(self, aws, stored):
        """ErrorResponses.html, RequestTimeTooSkewed: more than 15 minutes."""
        for minutes in (-20, 20):
            with signed_at(datetime.now(timezone.utc) + timedelta(minutes=minutes)):
                answer = aws.send_signed("GET", f"/{PLAIN}/{stored}")
            assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")
        with signed_at(datetime.now(timezone.utc) - timedelta(minutes=14)):
            assert aws.send_signed("GET", f"/{PLAIN}/{stored}").status == 200

    def test_a_scope_of_another_day(self, aws, stored):
        request = aws.signed("GET", f"/{PLAIN}/{stored}")
        headers = dict(request.headers)
        today = headers["X-Amz-Date"][:8]
        headers["Authorization"] = headers["Authorization"].replace(f"/{today}/", "/20200101/")
        answer = aws.send("GET", request.url, headers)
        assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
        assert "Invalid credential date" in answer.message

    def test_a_changed_header(self, aws, unique):
        request = aws.signed("PUT", f"/{PLAIN}/{unique}", {"x-amz-meta-a": "1"}, BODY)
        answer = aws.send("PUT", request.url, {**dict(request.headers), "x-amz-meta-a": "2"}, BODY)
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")

    def test_an_added_header(self, aws, unique):
        request = aws.signed("PUT", f"/{PLAIN}/{unique}", body=BODY)
        answer = aws.send("PUT", request.url, {**dict(request.headers), "x-amz-meta-a": "2"}, BODY)
        assert (answer.status, answer.code) == (403, "AccessDenied")

    @pytest.mark.parametrize(
        "header, code",
        [
            ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
            ("AWS4-HMAC-SHA256 Credential=local", "AuthorizationHeaderMalformed"),
            ("Bearer abc", "InvalidArgument"),
        ],
    )
    def test_a_malformed_header(self, aws, stored, header, code):
        answer = aws.send("GET", f"/{PLAIN}/{stored}", {"Authorization": header})
        assert (answer.status, answer.code) == (400, code)

    def test_a_temporary_key_needs_its_token(self, aws, s3, unique):
        s3.put_object(Bucket=PLAIN, Key=f"readable/{unique}", Body=BODY)
        session = aws.assume("reader")
        path = f"/{PLAIN}/readable/{unique}"
        assert aws.send_signed("GET", path, credentials=session).status == 200
        without = Credentials(session.access_key, session.secret_key)
        answer = aws.send_signed("GET", path, credentials=without)
        assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
        other = Credentials(session.access_key, session.secret_key, aws.assume("reader").token)
        answer = aws.send_signed("GET", path, credentials=other)
        assert (answer.status, answer.code) == (400, "InvalidToken")
        permanent = Credentials(OPERATOR.access_key, OPERATOR.secret_key, session.token)
        answer = aws.send_signed("GET", path, credentials=permanent)
        assert (answer.status, answer.code) == (400, "InvalidToken")
