"""What botocore's CloudFrontSigner makes of fixed inputs, as vectors for our own signer.

    cloudfront.py            writes vectors/cloudfront.json
    cloudfront.py --check    fails if botocore signs otherwise than the vectors say

An ECDSA signature is another one each time, so the digest of the policy stands for it: what is compared is the policy, how
it is encoded, and how the URL is put together. botocore says no `Hash-Algorithm`; the platform adds it. `shared/buckets`
compares its signer with these, byte for byte. Its real signatures are verified by the local stack's CDN, in
`tests/integration`, and that CDN is held to botocore and the AWS CLI by `test_cloudfront_urls.py`.
"""

import datetime
import hashlib
import pathlib

from botocore.signers import CloudFrontSigner

from vector_file import write_or_check

VECTORS = pathlib.Path(__file__).parent / "vectors" / "cloudfront.json"

DISTRIBUTIONS = [
    ("https://d111111abcdef8.cloudfront.net", "K2JCJMDEHXQW5F"),
    ("http://127.0.0.1:3001", "KLOCAL0000001"),
]
FILE = "media/0197a3b2-7c1d-7e40-9f00-0123456789ab/source"
FOLDER = "media/0197a3b2-7c1d-7e40-9f00-0123456789ab/"
DOWNLOAD = FILE + "?response-content-disposition=attachment%3B%20filename%3D%22a%20b%2Bc.mp4%22"

# When it ends, from when on it works, and from where.
CONDITIONS = [
    (1795162530, None, None),
    (1795162530, 1795162470, None),
    (1795162530, None, "203.0.113.7"),
    (4102444800, 1795162470, "203.0.113.0/24"),
]


def digest(message):
    return hashlib.sha256(message).digest()


def moment(seconds):
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def vectors():
    for url, key_pair_id in DISTRIBUTIONS:
        signer = CloudFrontSigner(key_pair_id, digest)
        for expires_at, not_before, ip in CONDITIONS:
            common = {
                "distribution_url": url,
                "key_pair_id": key_pair_id,
                "expires_at": expires_at,
                "not_before": not_before,
                "ip": ip,
            }
            for key in (FILE, DOWNLOAD):
                resource = f"{url}/{key}"
                policy = signer.build_policy(resource, moment(expires_at), moment(not_before), ip)
                if not_before is None and ip is None:
                    signed = signer.generate_presigned_url(resource, date_less_than=moment(expires_at))
                else:
                    signed = signer.generate_presigned_url(resource, policy=policy)
                yield {**common, "key": key, "folder": None, "policy": policy, "url": signed}
            policy = signer.build_policy(f"{url}/{FOLDER}*", moment(expires_at), moment(not_before), ip)
            signed = signer.generate_presigned_url(f"{url}/{FILE}", policy=policy)
            yield {**common, "key": FILE, "folder": FOLDER, "policy": policy, "url": signed}


if __name__ == "__main__":
    write_or_check(__doc__, VECTORS, vectors())
