"""Who signs CloudFront's URLs: botocore's `CloudFrontSigner` with keys of `cryptography`, and the AWS CLI.

botocore composes the policy and the URL; the signature is what a callback makes of the policy. Of `Hash-Algorithm` it knows
nothing, so that is appended where it is not SHA-1.
"""

import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def public_pem(private_key) -> str:
    public_key = private_key.public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(encoding, form).decode()


@dataclass
class BotocoreSigner:
    """One private key, and how it signs."""

    key_id: str
    private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    hash_algorithm: str | None = None

    def _sign(self, message: bytes) -> bytes:
        digest = hashes.SHA256() if self.hash_algorithm == "SHA256" else hashes.SHA1()
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return self.private_key.sign(message, ec.ECDSA(digest))
        return self.private_key.sign(message, padding.PKCS1v15(), digest)

    def _with_hash_algorithm(self, url: str) -> str:
        return url if self.hash_algorithm is None else f"{url}&Hash-Algorithm={self.hash_algorithm}"

    def canned(self, url: str, expires: int) -> str:
        signer = CloudFrontSigner(self.key_id, self._sign)
        return self._with_hash_algorithm(signer.generate_presigned_url(url, date_less_than=at(expires)))

    def custom(self, url: str, expires: int, resource=None, not_before=None, ip_address=None) -> str:
        signer = CloudFrontSigner(self.key_id, self._sign)
        begin = None if not_before is None else at(not_before)
        policy = signer.build_policy(resource or url, at(expires), begin, ip_address)
        return self._with_hash_algorithm(signer.generate_presigned_url(url, policy=policy))


@dataclass
class AwsCli:
    """`aws cloudfront sign`, which takes an RSA key and signs over SHA-1."""

    key_id: str
    private_key_path: Path

    @staticmethod
    def write_key(private_key: rsa.RSAPrivateKey, path: Path):
        form = serialization.PrivateFormat.TraditionalOpenSSL
        path.write_bytes(private_key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))

    def sign(self, url: str, expires: int, *more: str) -> str:
        command = [Path(sys.executable).parent / "aws", "cloudfront", "sign", "--url", url]
        command += ["--key-pair-id", self.key_id, "--private-key", f"file://{self.private_key_path}"]
        command += ["--date-less-than", at(expires).isoformat(), *more]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
