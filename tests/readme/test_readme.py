"""Every shell block of the README is run by something, and its tables of routes and of parameters are the template's."""

import pytest
import yaml

from readme import CI, REPOSITORY, RUNNERS, blocks, parameters, routes


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's functions, which are not needed here."""


Template.add_multi_constructor("!", lambda loader, tag, node: None)


@pytest.fixture(scope="module")
def template() -> dict:
    return yaml.load((REPOSITORY / "template.yaml").read_text(), Template)


@pytest.fixture(scope="module")
def declared_routes(template) -> set[tuple[str, str]]:
    """But `$default`, which is no route of its own."""
    resources = template["Resources"].values()
    functions = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::Serverless::Function"]
    events = [event for function in functions for event in function.get("Events", {}).values()]
    routes = [event["Properties"] for event in events if event["Type"] == "HttpApi"]
    return {(route["Method"], route["Path"]) for route in routes if "Path" in route}


def test_every_block_is_run():
    assert blocks(), "the README has shell blocks"
    assert [block for block in blocks() if block.runner() is None] == [], f"name what runs them, or add them to {CI}"


def test_every_runner_has_its_blocks():
    assert RUNNERS.keys() - {block.heading for block in blocks()} == set(), "headings that have no shell block"


def test_the_routes_are_those_of_the_template(declared_routes):
    assert routes("Routes", column=1) == declared_routes


def test_what_is_said_of_replaced_routes_is_about_routes(declared_routes):
    replaced = routes("Coming from the replaced systems", column=0)
    assert replaced and replaced <= declared_routes


def test_the_parameters_are_those_of_the_template(template):
    declared = [(name, str(parameter["Default"])) for name, parameter in template["Parameters"].items()]
    assert parameters() == declared
