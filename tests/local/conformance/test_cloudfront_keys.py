"""CloudFront's API: the public keys that signed URLs are verified by.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreatePublicKey.html, API_GetPublicKey.html,
API_ListPublicKeys.html and API_DeletePublicKey.html
"""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from aws import refused
from cloudfront_signers import public_pem


@pytest.fixture(scope="module")
def cloudfront(aws):
    return aws.client("cloudfront")


@pytest.fixture(scope="module")
def pem():
    return public_pem(ec.generate_private_key(ec.SECP256R1()))


def create(cloudfront, name, pem, **more):
    config = {"CallerReference": name, "Name": name, "EncodedKey": pem, **more}
    return cloudfront.create_public_key(PublicKeyConfig=config)


class TestCreatePublicKey:
    def test_both_kinds_of_key(self, cloudfront, unique, pem):
        rsa_pem = public_pem(rsa.generate_private_key(65537, 2048))
        for name, key in [(f"{unique}-ec", pem), (f"{unique}-rsa", rsa_pem)]:
            created = create(cloudfront, name, key, Comment="a <comment> & more")
            assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
            public_key = created["PublicKey"]
            assert created["Location"].endswith(f"/2020-05-31/public-key/{public_key['Id']}")
            found = cloudfront.get_public_key(Id=public_key["Id"])
            assert found["PublicKey"] == public_key and found["ETag"] == created["ETag"]
            assert found["PublicKey"]["PublicKeyConfig"] == {
                "CallerReference": name,
                "Name": name,
                "EncodedKey": key,
                "Comment": "a <comment> & more",
            }

    def test_name_and_caller_reference_are_used_once(self, cloudfront, unique, pem):
        create(cloudfront, unique, pem)
        for more in [{}, {"Name": f"{unique}-2"}, {"CallerReference": f"{unique}-2"}]:
            with refused("PublicKeyAlreadyExists", 409):
                create(cloudfront, unique, pem, **more)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "none",
            public_pem(ec.generate_private_key(ec.SECP384R1())),
            public_pem(rsa.generate_private_key(65537, 3072)),
        ],
        ids=["empty", "no PEM", "P-384", "RSA 3072"],
    )
    def test_any_other_key(self, cloudfront, unique, key):
        with refused("InvalidArgument", 400):
            create(cloudfront, unique, key)

    def test_a_long_comment(self, cloudfront, unique, pem):
        with refused("InvalidArgument", 400):
            create(cloudfront, unique, pem, Comment="x" * 129)


class TestListPublicKeys:
    def test_pages(self, cloudfront, unique, pem):
        ids = {create(cloudfront, f"{unique}-{number}", pem)["PublicKey"]["Id"] for number in range(5)}
        found, marker = [], {}
        while True:
            page = cloudfront.list_public_keys(MaxItems="2", **marker)["PublicKeyList"]
            assert page["MaxItems"] == 2 and page["Quantity"] == len(page["Items"]) <= 2
            found += [item["Id"] for item in page["Items"]]
            if "NextMarker" not in page:
                break
            assert page["NextMarker"] == page["Items"][-1]["Id"]
            marker = {"Marker": page["NextMarker"]}
        assert len(found) == len(set(found)) and ids <= set(found)

    def test_an_item_has_everything_but_the_caller_reference(self, cloudfront, unique, pem):
        created = create(cloudfront, unique, pem)["PublicKey"]
        items = cloudfront.list_public_keys()["PublicKeyList"]["Items"]
        [item] = [item for item in items if item["Id"] == created["Id"]]
        assert (item["Name"], item["EncodedKey"], item["CreatedTime"]) == (unique, pem, created["CreatedTime"])

    @pytest.mark.parametrize("items", ["0", "x"])
    def test_a_wrong_number(self, cloudfront, items):
        with refused("InvalidArgument", 400):
            cloudfront.list_public_keys(MaxItems=items)


class TestDeletePublicKey:
    def test_by_its_version(self, cloudfront, unique, pem):
        created = create(cloudfront, unique, pem)
        key_id = created["PublicKey"]["Id"]
        with refused("InvalidIfMatchVersion", 400):
            cloudfront.delete_public_key(Id=key_id)
        with refused("PreconditionFailed", 412):
            cloudfront.delete_public_key(Id=key_id, IfMatch="E0")
        deleted = cloudfront.delete_public_key(Id=key_id, IfMatch=created["ETag"])
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
        for call in [
            lambda: cloudfront.get_public_key(Id=key_id),
            lambda: cloudfront.delete_public_key(Id=key_id, IfMatch=created["ETag"]),
        ]:
            with refused("NoSuchPublicKey", 404):
                call()
        # Name and caller reference are free again.
        create(cloudfront, unique, pem)


class TestWhoAsks:
    def test_nothing_is_done_without_permission(self, aws, cloudfront, unique, pem):
        reader = aws.client("cloudfront", aws.assume("reader"))
        with refused("AccessDenied", 403) as answer:
            create(reader, unique, pem)
        assert "cloudfront:CreatePublicKey" in answer["Error"]["Message"]
        with refused("AccessDenied", 403):
            reader.list_public_keys()

    def test_a_wrong_secret(self, aws):
        from botocore.credentials import Credentials

        with refused("SignatureDoesNotMatch", 403):
            aws.client("cloudfront", Credentials("local", "wrong")).list_public_keys()
