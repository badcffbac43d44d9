"""Every shell block of the README is run by something, and its table of parameters is the template's."""

import yaml

from readme import CI, REPOSITORY, RUNNERS, blocks, parameters


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's functions, which are not needed here."""


Template.add_multi_constructor("!", lambda loader, name, node: None)


def test_every_block_is_run():
    assert blocks(), "the README has shell blocks"
    assert [block for block in blocks() if block.runner() is None] == [], f"name what runs them, or add them to {CI}"


def test_every_runner_has_its_blocks():
    assert RUNNERS.keys() - {block.heading for block in blocks()} == set(), "headings that have no shell block"


def test_the_parameters_are_those_of_the_template():
    template = yaml.load((REPOSITORY / "template.yaml").read_text(), Template)
    declared = [(name, str(parameter["Default"])) for name, parameter in template["Parameters"].items()]
    assert parameters() == declared
