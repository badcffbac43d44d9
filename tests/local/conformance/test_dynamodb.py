"""DynamoDB: items, conditions, transactions, pages, limits, and who may touch which partition.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
"""

import uuid

import pytest

from aws import TABLE, refused


def text(value):
    return {"S": value}


def number(value):
    return {"N": str(value)}


def item(partition, sort="A", **more):
    return {"PK": text(partition), "SK": text(sort), **more}


@pytest.fixture(scope="module")
def dynamodb(aws):
    return aws.client("dynamodb")


@pytest.fixture
def get(dynamodb):
    def get(partition, sort="A"):
        answer = dynamodb.get_item(TableName=TABLE, Key=item(partition, sort), ConsistentRead=True)
        return answer.get("Item")

    return get


class TestConditionalWrites:
    """"Condition expressions", https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html"""

    def test_create_once(self, dynamodb, get, unique):
        create = {"TableName": TABLE, "ConditionExpression": "attribute_not_exists(PK)"}
        dynamodb.put_item(**create, Item=item(unique, a=number(1)))
        with refused("ConditionalCheckFailedException", 400) as answer:
            dynamodb.put_item(
                **create, Item=item(unique, a=number(2)), ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        assert answer["Error"]["Message"] == "The conditional request failed"
        assert answer["Item"] == item(unique, a=number(1)) == get(unique)

    def test_optimistic_locking(self, dynamodb, get, unique):
        """BestPractices_ImplementingVersionControl: a version number as a condition."""
        dynamodb.put_item(TableName=TABLE, Item=item(unique, version=number(1)))
        update = {
            "TableName": TABLE,
            "Key": item(unique),
            "UpdateExpression": "SET #v = #v + :one",
            "ConditionExpression": "#v = :read",
            "ExpressionAttributeNames": {"#v": "version"},
            "ExpressionAttributeValues": {":one": number(1), ":read": number(1)},
        }
        answer = dynamodb.update_item(**update, ReturnValues="ALL_NEW")
        assert answer["Attributes"]["version"] == number(2)
        with refused("ConditionalCheckFailedException", 400):
            dynamodb.update_item(**update)
        with refused("ConditionalCheckFailedException", 400):
            dynamodb.delete_item(
                TableName=TABLE,
                Key=item(unique),
                ConditionExpression="#v = :read",
                ExpressionAttributeNames={"#v": "version"},
                ExpressionAttributeValues={":read": number(1)},
            )
        assert get(unique)["version"] == number(2)

    @pytest.mark.parametrize(
        "condition, passes",
        [
            ("attribute_exists(n)", True),
            ("attribute_type(n, :number)", True),
            ("begins_with(t, :start)", True),
            ("contains(l, :in)", True),
            ("size(t) = :five", True),
            ("n BETWEEN :five AND :nine", True),
            ("n IN (:five, :seven)", True),
            ("n > :seven", False),
            ("NOT attribute_exists(n)", False),
            ("attribute_exists(n) AND (n < :five OR t = :start)", False),
        ],
    )
    def test_operators(self, dynamodb, unique, condition, passes):
        values = {
            ":number": text("N"),
            ":start": text("he"),
            ":in": text("b"),
            ":five": number(5),
            ":seven": number(7),
            ":nine": number(9),
        }
        thing = item(unique, n=number(7), t=text("hello"), l={"L": [text("a"), text("b")]})
        dynamodb.put_item(TableName=TABLE, Item=thing)
        used = {name: value for name, value in values.items() if name in condition}
        delete = {"TableName": TABLE, "Key": item(unique), "ConditionExpression": condition}
        delete |= {"ExpressionAttributeValues": used} if used else {}
        if passes:
            assert dynamodb.delete_item(**delete, ReturnValues="ALL_OLD")["Attributes"] == thing
        else:
            with refused("ConditionalCheckFailedException"):
                dynamodb.delete_item(**delete)


class TestUpdates:
    """"Update expressions", https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html"""

    def test_set_add_remove_delete(self, dynamodb, get, unique):
        dynamodb.put_item(
            TableName=TABLE,
            Item=item(unique, count=number(1), list={"L": [text("a")]}, set={"SS": ["x", "y"]}, gone=text("z")),
        )
        answer = dynamodb.update_item(
            TableName=TABLE,
            Key=item(unique),
            UpdateExpression="SET #l = list_append(#l, :more), started = if_not_exists(started, :one) "
            "ADD #c :one REMOVE gone DELETE #s :y",
            ExpressionAttributeNames={"#l": "list", "#c": "count", "#s": "set"},
            ExpressionAttributeValues={":more": {"L": [text("b")]}, ":one": number(1), ":y": {"SS": ["y"]}},
            ReturnValues="UPDATED_NEW",
        )
        assert answer["Attributes"]["count"] == number(2)
        assert get(unique) == item(
            unique, count=number(2), list={"L": [text("a"), text("b")]}, set={"SS": ["x"]}, started=number(1)
        )

    def test_an_update_creates(self, dynamodb, get, unique):
        dynamodb.update_item(
            TableName=TABLE,
            Key=item(unique),
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": number(1)},
        )
        assert get(unique) == item(unique, n=number(1))

    @pytest.mark.parametrize(
        "expression", ["SET count = :x", "SET PK = :x", "SET a", "SET a = :missing", "SET a = :x, a = :x", "ADD t :x"]
    )
    def test_expressions_that_are_none(self, dynamodb, unique, expression):
        """COUNT is a reserved word; a key cannot be changed; two paths must not overlap; ADD takes numbers and sets."""
        dynamodb.put_item(TableName=TABLE, Item=item(unique, t=text("t")))
        with refused("ValidationException", 400):
            dynamodb.update_item(
                TableName=TABLE,
                Key=item(unique),
                UpdateExpression=expression,
                ExpressionAttributeValues={":x": text("x")},
            )


class TestTransactions:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""

    def put(self, partition, sort="A", condition=None, **more):
        put = {"TableName": TABLE, "Item": item(partition, sort, **more)}
        if condition:
            put |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        return {"Put": put}

    def test_all(self, dynamodb, get, unique):
        dynamodb.put_item(TableName=TABLE, Item=item(unique, "gone"))
        dynamodb.transact_write_items(
            TransactItems=[
                self.put(unique, "A", "attribute_not_exists(PK)"),
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": item(unique, "B"),
                        "UpdateExpression": "SET a = :a",
                        "ExpressionAttributeValues": {":a": text("a")},
                    }
                },
                {"Delete": {"TableName": TABLE, "Key": item(unique, "gone")}},
                {
                    "ConditionCheck": {
                        "TableName": TABLE,
                        "Key": item(unique, "never"),
                        "ConditionExpression": "attribute_not_exists(PK)",
                    }
                },
            ]
        )
        assert get(unique, "A") and get(unique, "B") and not get(unique, "gone")

    def test_or_nothing_with_a_reason_for_each(self, dynamodb, get, unique):
        dynamodb.put_item(TableName=TABLE, Item=item(unique, "B", old=text("yes")))
        with refused("TransactionCanceledException", 400) as answer:
            dynamodb.transact_write_items(
                TransactItems=[
                    self.put(unique, "A"),
                    self.put(unique, "B", "attribute_not_exists(PK)"),
                    self.put(unique, "C"),
                ]
            )
        reasons = answer["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None"]
        assert reasons[1]["Message"] == "The conditional request failed"
        assert reasons[1]["Item"] == item(unique, "B", old=text("yes"))
        assert "[None, ConditionalCheckFailed, None]" in answer["Error"]["Message"]
        assert get(unique, "A") is None and get(unique, "C") is None

    def test_no_item_twice(self, dynamodb, unique):
        with refused("ValidationException", 400):
            dynamodb.transact_write_items(TransactItems=[self.put(unique), self.put(unique)])

    def test_at_most_100_actions(self, aws, get, unique):
        dynamodb = aws.client("dynamodb", parameter_validation=False)
        puts = [self.put(unique, f"{index:03}") for index in range(101)]
        with refused("ValidationException", 400):
            dynamodb.transact_write_items(TransactItems=puts)
        dynamodb.transact_write_items(TransactItems=puts[:100])
        assert get(unique, "099")
        with refused("ValidationException", 400):
            dynamodb.transact_write_items(TransactItems=[])

    def test_a_token_makes_it_once(self, dynamodb, get, unique):
        """API_TransactWriteItems.html, ClientRequestToken: the same request within ten minutes changes nothing."""
        add = {
            "Update": {
                "TableName": TABLE,
                "Key": item(unique),
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": number(1)},
            }
        }
        for _ in range(2):
            dynamodb.transact_write_items(TransactItems=[add], ClientRequestToken=unique)
        assert get(unique)["n"] == number(1)
        with refused("IdempotentParameterMismatchException", 400):
            dynamodb.transact_write_items(TransactItems=[self.put(unique, "B")], ClientRequestToken=unique)

    def test_reads(self, dynamodb, unique):
        """API_TransactGetItems.html"""
        dynamodb.put_item(TableName=TABLE, Item=item(unique, "A"))
        gets = [{"Get": {"TableName": TABLE, "Key": item(unique, sort)}} for sort in ("A", "missing")]
        found = dynamodb.transact_get_items(TransactItems=gets)["Responses"]
        assert found == [{"Item": item(unique, "A")}, {}]


@pytest.fixture(scope="module")
def series(dynamodb):
    """Thirty items of one partition; every second is in the index."""
    partition = uuid.uuid4().hex
    for index in range(30):
        indexed = {"GSI1PK": text(partition), "GSI1SK": text(f"{99 - index}")} if index % 2 == 0 else {}
        dynamodb.put_item(TableName=TABLE, Item=item(partition, f"{index:02}", n=number(index), **indexed))
    return partition


def sorts(answer):
    return [one["SK"]["S"] for one in answer["Items"]]


class TestQuery:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""

    def ask(self, dynamodb, partition, condition="PK = :p", values=None, **more):
        values = {":p": text(partition), **(values or {})}
        return dynamodb.query(
            TableName=TABLE, KeyConditionExpression=condition, ExpressionAttributeValues=values, **more
        )

    def test_in_order_and_backwards(self, dynamodb, series):
        forwards = sorts(self.ask(dynamodb, series))
        assert forwards == [f"{index:02}" for index in range(30)]
        assert sorts(self.ask(dynamodb, series, ScanIndexForward=False)) == forwards[::-1]

    @pytest.mark.parametrize(
        "condition, values, expected",
        [
            ("PK = :p AND SK > :a", {":a": "27"}, ["28", "29"]),
            ("PK = :p AND SK BETWEEN :a AND :b", {":a": "03", ":b": "05"}, ["03", "04", "05"]),
            ("PK = :p AND begins_with(SK, :a)", {":a": "2"}, [str(index) for index in range(20, 30)]),
            ("PK = :p AND SK = :a", {":a": "none"}, []),
        ],
    )
    def test_sort_keys(self, dynamodb, series, condition, values, expected):
        values = {name: text(value) for name, value in values.items()}
        assert sorts(self.ask(dynamodb, series, condition, values)) == expected

    @pytest.mark.parametrize("limit", [1, 7, 10, 30])
    def test_pages(self, dynamodb, series, limit):
        """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html"""
        found, more = [], {}
        while True:
            page = self.ask(dynamodb, series, Limit=limit, **more)
            assert page["Count"] == len(page["Items"]) <= limit
            found += sorts(page)
            if "LastEvaluatedKey" not in page:
                break
            assert page["LastEvaluatedKey"] == item(series, found[-1])
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert found == [f"{index:02}" for index in range(30)]

    def test_a_filter_goes_after_the_limit(self, dynamodb, series):
        page = self.ask(dynamodb, series, values={":n": number(5)}, Limit=10, FilterExpression="n < :n")
        assert (page["Count"], page["ScannedCount"]) == (5, 10)
        assert page["LastEvaluatedKey"] == item(series, "09")

    def test_an_index_holds_only_what_has_its_keys(self, dynamodb, series):
        """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html"""
        answer = self.ask(dynamodb, series, "GSI1PK = :p", IndexName="GSI1", Limit=3)
        assert sorts(answer) == ["28", "26", "24"]
        assert set(answer["LastEvaluatedKey"]) == {"PK", "SK", "GSI1PK", "GSI1SK"}
        rest = self.ask(
            dynamodb, series, "GSI1PK = :p", IndexName="GSI1", ExclusiveStartKey=answer["LastEvaluatedKey"]
        )
        assert len(rest["Items"]) == 12
        with refused("ValidationException", 400):
            self.ask(dynamodb, series, "GSI1PK = :p", IndexName="GSI1", ConsistentRead=True)
        with refused("ValidationException", 400):
            self.ask(dynamodb, series, IndexName="GSI9")

    def test_projections_and_counts(self, dynamodb, series):
        answer = self.ask(dynamodb, series, Limit=1, ProjectionExpression="n")
        assert answer["Items"] == [{"n": number(0)}]
        counted = self.ask(dynamodb, series, Select="COUNT")
        assert counted["Count"] == 30 and "Items" not in counted

    def test_a_page_is_at_most_a_megabyte(self, dynamodb, unique):
        for index in range(4):
            dynamodb.put_item(TableName=TABLE, Item=item(unique, str(index), blob=text("x" * 390_000)))
        page = self.ask(dynamodb, unique)
        assert len(page["Items"]) < 4 and "LastEvaluatedKey" in page
        rest = self.ask(dynamodb, unique, ExclusiveStartKey=page["LastEvaluatedKey"])
        assert sorts(page) + sorts(rest) == ["0", "1", "2", "3"]

    @pytest.mark.parametrize("condition", ["SK = :p", "PK > :p", "PK = :p AND n = :p", "begins_with(PK, :p)"])
    def test_the_partition_has_to_be_one(self, dynamodb, series, condition):
        with refused("ValidationException", 400):
            self.ask(dynamodb, series, condition)


class TestLimits:
    """"Quotas in Amazon DynamoDB", https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""

    def test_an_item_is_at_most_400_kb(self, dynamodb, unique):
        # Names count as well as values: PK, SK and blob.
        room = 400 * 1024 - len("PK" + unique + "SK" + "A" + "blob")
        dynamodb.put_item(TableName=TABLE, Item=item(unique, blob=text("x" * room)))
        with refused("ValidationException", 400) as answer:
            dynamodb.put_item(TableName=TABLE, Item=item(unique, blob=text("x" * (room + 1))))
        assert "Item size has exceeded the maximum allowed size" in answer["Error"]["Message"]
        with refused("ValidationException", 400) as answer:
            dynamodb.update_item(
                TableName=TABLE,
                Key=item(unique),
                UpdateExpression="SET more = :x",
                ExpressionAttributeValues={":x": text("x")},
            )
        assert "size" in answer["Error"]["Message"]

    def test_keys(self, dynamodb, unique):
        dynamodb.put_item(TableName=TABLE, Item=item("p" * 2048, unique))
        for partition, sort in (("p" * 2049, "A"), (unique, "s" * 1025), ("", "A"), (unique, "")):
            with refused("ValidationException", 400):
                dynamodb.put_item(TableName=TABLE, Item=item(partition, sort))
        for wrong in ({"PK": text(unique)}, {"PK": text(unique), "SK": number(1)}):
            with refused("ValidationException", 400):
                dynamodb.put_item(TableName=TABLE, Item=wrong)

    def test_numbers(self, dynamodb, get, unique):
        exact = "1234567890123456789012345678901234567.8"
        dynamodb.put_item(TableName=TABLE, Item=item(unique, n=number(exact)))
        assert get(unique)["n"] == number(exact)
        for wrong in ("1" * 39, "1E126", "abc", ""):
            with refused("ValidationException", 400):
                dynamodb.put_item(TableName=TABLE, Item=item(unique, n=number(wrong)))

    def test_batches(self, aws, dynamodb, unique):
        """API_BatchWriteItem.html and API_BatchGetItem.html"""
        raw = aws.client("dynamodb", parameter_validation=False)
        puts = [{"PutRequest": {"Item": item(unique, f"{index:03}")}} for index in range(26)]
        with refused("ValidationException", 400):
            raw.batch_write_item(RequestItems={TABLE: puts})
        assert dynamodb.batch_write_item(RequestItems={TABLE: puts[:25]})["UnprocessedItems"] == {}
        keys = [item(unique, f"{index:03}") for index in range(101)]
        with refused("ValidationException", 400):
            raw.batch_get_item(RequestItems={TABLE: {"Keys": keys}})
        answer = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys[:100]}})
        assert len(answer["Responses"][TABLE]) == 25 and answer["UnprocessedKeys"] == {}
        with refused("ValidationException", 400):
            dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": [keys[0], keys[0]]}})

    def test_a_table_that_is_not_there(self, dynamodb, unique):
        with refused("ResourceNotFoundException", 400):
            dynamodb.put_item(TableName="missing", Item=item(unique))


class TestTimeToLive:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html: an expired item is still
    there, typically for some days, and readers have to filter."""

    def test_it_is_on(self, dynamodb):
        told = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
        assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}

    def test_it_hides_nothing(self, dynamodb, get, unique):
        dynamodb.put_item(TableName=TABLE, Item=item(unique, expires_at=number(1_000_000_000)))
        assert get(unique)["expires_at"] == number(1_000_000_000)
        found = dynamodb.query(
            TableName=TABLE, KeyConditionExpression="PK = :p", ExpressionAttributeValues={":p": text(unique)}
        )
        assert found["Count"] == 1


class TestTable:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html"""

    def test_it_is_the_templates(self, dynamodb):
        table = dynamodb.describe_table(TableName=TABLE)["Table"]
        assert (table["TableName"], table["TableStatus"]) == (TABLE, "ACTIVE")
        assert table["KeySchema"] == [
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ]
        assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["GSI1"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert TABLE in dynamodb.list_tables()["TableNames"]


class TestLeadingKeys:
    """"Using IAM policy conditions for fine-grained access control",
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html"""

    @pytest.fixture
    def tenant(self, aws):
        return aws.client("dynamodb", aws.assume("tenant"))

    OWN, OTHER = "TENANT#1#a", "TENANT#2#a"

    def calls(self, tenant, key):
        set_a = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": text("a")}}
        return {
            "PutItem": lambda: tenant.put_item(TableName=TABLE, Item=item(key)),
            "GetItem": lambda: tenant.get_item(TableName=TABLE, Key=item(key)),
            "UpdateItem": lambda: tenant.update_item(TableName=TABLE, Key=item(key), **set_a),
            "DeleteItem": lambda: tenant.delete_item(TableName=TABLE, Key=item(key)),
            "Query": lambda: tenant.query(
                TableName=TABLE, KeyConditionExpression="PK = :p", ExpressionAttributeValues={":p": text(key)}
            ),
            "BatchGetItem": lambda: tenant.batch_get_item(
                RequestItems={TABLE: {"Keys": [item(self.OWN), item(key, "B")]}}
            ),
            "BatchWriteItem": lambda: tenant.batch_write_item(
                RequestItems={TABLE: [{"PutRequest": {"Item": item(one, "C")}} for one in (self.OWN + "x", key)]}
            ),
            "TransactWriteItems": lambda: tenant.transact_write_items(
                TransactItems=[{"Put": {"TableName": TABLE, "Item": item(one, "D")}} for one in (self.OWN + "x", key)]
            ),
            "TransactGetItems": lambda: tenant.transact_get_items(
                TransactItems=[{"Get": {"TableName": TABLE, "Key": item(one)}} for one in (self.OWN + "x", key)]
            ),
        }

    def test_ones_own(self, tenant):
        for call in self.calls(tenant, self.OWN).values():
            call()

    @pytest.mark.parametrize("key", [OTHER, "TENANT#1", "tenant#1#a", "xTENANT#1#a"])
    def test_anothers(self, tenant, key):
        for call in self.calls(tenant, key).values():
            with refused("AccessDeniedException", 400):
                call()

    def test_what_cannot_be_narrowed(self, tenant):
        for call in (
            lambda: tenant.scan(TableName=TABLE),
            lambda: tenant.query(
                TableName=TABLE,
                IndexName="GSI1",
                KeyConditionExpression="GSI1PK = :p",
                ExpressionAttributeValues={":p": text(self.OWN)},
            ),
            lambda: tenant.list_tables(),
            lambda: tenant.describe_table(TableName=TABLE),
        ):
            with refused("AccessDeniedException", 400):
                call()

    def test_what_is_denied_is_not_done(self, tenant, dynamodb, unique):
        stolen = f"TENANT#2#{unique}"
        with refused("AccessDeniedException"):
            tenant.put_item(TableName=TABLE, Item=item(stolen))
        assert "Item" not in dynamodb.get_item(TableName=TABLE, Key=item(stolen))
