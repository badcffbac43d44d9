"""Signature Version 4, both ways round: what botocore signs at random the stack verifies, and the vectors that our own
signers are compared with are what botocore still signs.

"Authenticating Requests (AWS Signature Version 4)",
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import os
import subprocess
import sys

from aws import OPERATOR, PLAIN, REGION
from stack import HERE


def run(script, *arguments, **environment):
    finished = subprocess.run(
        [sys.executable, HERE / script, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout


def test_botocore_signs_and_the_stack_verifies(aws):
    run(
        "signing.py",
        AWS_ENDPOINT_URL=aws.url,
        AWS_ACCESS_KEY_ID=OPERATOR.access_key,
        AWS_SECRET_ACCESS_KEY=OPERATOR.secret_key,
        AWS_REGION=REGION,
        BUCKET=PLAIN,
    )


def test_botocore_signs_what_our_vectors_say():
    run("presigned.py", "--check")
    run("cloudfront.py", "--check")
