"""What schemathesis is told of the platform: who asks, what is there, and which of its objections are none.

`run.py` says who asks by `CONTRACT_ROLE`, and which world it has made by `CONTRACT_WORLD`.
"""

import collections
import json
import os
import re
import threading

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse

from world import World

WORLD = World(os.environ["CONTRACT_API"], json.loads(os.environ["CONTRACT_WORLD"]))
CALLER = WORLD.people[os.environ["CONTRACT_ROLE"]]

# One in so many requests keeps the ids that were made up, and finds nothing.
FINDS_NOTHING = 6
# Operations that leave nothing for the next request to find: what they name is made for each.
USES_UP = {
    ("DELETE", "media_id"),
    ("DELETE", "upload_id"),
    ("DELETE", "user_id"),
    ("POST", "upload_id"),
}

_lock = threading.Lock()
_asked = collections.Counter()
_made = {}


if CALLER.token:

    @schemathesis.auth()
    class AccessToken:
        """The access token of who asks, on every request."""

        def get(self, case, context):
            return CALLER.token

        def set(self, case, token, context):
            case.headers["Authorization"] = f"Bearer {token}"


def something(method, name):
    """What a request can find under this parameter of its path, or None."""
    known = {"media_id": WORLD.media["id"], "key": WORLD.thumbnail_key(), "num": "1"}
    fresh = {"media_id": WORLD.media_id, "upload_id": WORLD.upload_id, "user_id": WORLD.user_id}
    if (method.upper(), name) in USES_UP:
        return fresh[name]()
    if name in fresh and name not in known:
        if name not in _made:
            _made[name] = fresh[name]()
        return _made[name]
    return known.get(name)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets paths name what is there, unless they are to be wrong, or name what an answer has named."""
    if case.meta is None or case.meta.phase.name == "stateful":
        return
    with _lock:
        _asked[case.operation.label] += 1
        if _asked[case.operation.label] % FINDS_NOTHING == 0:
            return
        if case.path_parameters and not case.meta.is_negative_at(ParameterLocation.PATH):
            found = {name: something(case.method, name) for name in case.path_parameters}
            case.path_parameters.update({name: value for name, value in found.items() if value is not None})


# What a field's schema cannot say, by JSON pointer and by what the answer says of it.
BEYOND_SCHEMAS = [
    # How easy a password is to guess is zxcvbn's to say, not a pattern's.
    (r"/(new_)?password", "too easy to guess"),
    (r"/current_password", ""),
    # Which pages a list has, only their answers say.
    (r"\?cursor", "must be the next_cursor"),
    # How many parts an upload has, it says itself; and each is named once, whatever else is said of it.
    (r"/(parts|part_numbers)|\{(num|part_number)\}", "must be a part number from 1 to"),
    (r"/(parts|part_numbers)", "must name each part once"),
    # For JSON Schema, 1.0 is a whole number.
    (r"/parts", "invalid type: floating point"),
    # A number that is above 0 as it is written, and not as it is read.
    (r"/duration", "above 0"),
    # How large the numbers of an address may be is no pattern that people can read.
    (r"\?ip", "must be an IPv4 address"),
    # What is too late depends on the time, and on another parameter.
    (r"\?not_before", "must be before the end"),
    # Of Uppy's files, the name has to tell the type that is not told.
    (r"[/?]type", "must be a video/… or audio/… media type"),
    # What is left of it without its folders counts; and to Python, a text that ends in a line break ends before it.
    (r".*[/?]filename", "without folders"),
    # How large a file may be is a deployment's to say, and only parts have a size of their own.
    (r"(/files/\d+)?(/miniature)?/size_bytes", "must be a whole number from 1 to"),
    (r"(/files/\d+)?/part_size_bytes", "goes with upload_method"),
    # Some ways of uploading have to be told a size, others need none.
    (r"(/files/\d+)?/size_bytes", "is required"),
    # The tags of a form are one text, and each of them a line.
    (r"/tags", "must be on one line"),
    # What a file is, its bytes say.
    (r"/(file|miniature)", "does not tell its media type"),
    (r"/(file|miniature)", "bytes long"),
]
# What no schema is about: an earlier request, and what is made up beside the fields of a form, under names that cannot
# be written in one, or many times.
NOT_OF_SCHEMAS = {"idempotency_key_reused", "malformed_form"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops objections that are none: what the document cannot say, and what API Gateway cannot do."""
    problem = problem_of(response)
    if isinstance(failure, UnsupportedMethodResponse):
        # An HTTP API has no 405: where no route has the method, it is a route that is not there, or another route
        # whose parameter is written so.
        return not 400 <= response.status_code < 500
    if isinstance(failure, RejectedPositiveData):
        errors = problem.get("errors", [])
        return not (problem.get("code") in NOT_OF_SCHEMAS or errors and all(map(is_beyond_schemas, errors)))
    if isinstance(failure, AcceptedNegativeData) and case.operation.path.endswith("/s3/multipart"):
        # Of what Uppy tells of a file, that which cannot be read counts as not told.
        return False
    if isinstance(failure, AcceptedNegativeData) and case.operation.path.endswith("/bulk-upload"):
        # One bad file fails no other: it is refused in its place.
        uploads = response.json()["uploads"] if response.status_code == 200 else []
        return not any("error" in upload for upload in uploads)
    return True


def problem_of(response):
    """The problem that an answer is, or an empty one."""
    content_type = response.headers.get("content-type", [""])[0]
    return response.json() if content_type == "application/problem+json" else {}


def is_beyond_schemas(error):
    """Whether no schema could have said that a field is wrong."""
    return any(
        re.fullmatch(pointer, error["pointer"]) and detail in error["detail"]
        for pointer, detail in BEYOND_SCHEMAS
    )
