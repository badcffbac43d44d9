"""`template.yaml`, built and deployed to the emulator by the README's commands, and a client of the API that comes out.

They are run where a copy of the template is, with `samconfig.toml` beside it. What `sam build` calls is not cargo-lambda,
which would compile for an hour, but `bin/cargo-lambda`: it hands over what cargo has built. (`test_release` has
cargo-lambda build some.)

What the emulator does otherwise than AWS is made up for here, never in the product:

- It does not read an API's OpenAPI body, so the routes and integrations in it are created one by one.
- It starts a function with numbers in its environment, where AWS makes text of them.
- It gives a new secret an empty text, where AWS gives it none: each gets an empty set of keys.
- The host that an event names has no port, and nothing resolves it: `Deployment.request` sends what is meant for it to
  the emulator.
- It knows no metric math: alarms on a sum of metrics are left out.
- It takes no CloudFront key group: `CdnEnabled` stays "false".
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from samtranslator.yaml_helper import yaml_parse

from emulator import REGION, Emulator
from readme import REPOSITORY, Runner, blocks
from shell import Shell

TARGET = REPOSITORY / "target"
STAGE = TARGET / "deployment"
STACK_NAME = "media-platform"


@dataclass
class Deployment:
    """A deployed stack."""

    emulator: Emulator
    shell: Shell
    outputs: dict[str, str]
    template: dict
    api_id: str
    http: urllib3.PoolManager

    def request(self, method: str, url: str, token: str | None = None, **options) -> urllib3.BaseHTTPResponse:
        """Asks the API, if `url` is a path or one of its URLs, or whoever else it names. Redirects are not followed."""
        headers = dict(options.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        host = f"{self.api_id}.execute-api.localhost"
        address = urlsplit(url)
        if address.hostname in (None, host):
            headers["Host"] = host
            url = self.emulator.url + address._replace(scheme="", netloc="").geturl()
        return self.http.request(method, url, headers=headers, redirect=False, **options)


def read_me(heading: str) -> list[str]:
    """The README's commands under a heading, block by block."""
    return [block.text for block in blocks(Runner.DEPLOYMENT) if block.heading == heading]


def build():
    """Builds every function as the tests have it, and puts the template where it is deployed from."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bins"], cwd=REPOSITORY, check=True)
    template = for_the_emulator(yaml_parse((REPOSITORY / "template.yaml").read_text()))
    template["Globals"]["Function"]["CodeUri"] = str(REPOSITORY)
    template["Parameters"]["Architecture"]["Default"] = "x86_64"
    STAGE.mkdir(parents=True, exist_ok=True)
    (STAGE / "template.yaml").write_text(json.dumps(template))
    shutil.copy(REPOSITORY / "samconfig.toml", STAGE)


def environment(emulator: Emulator) -> dict[str, str]:
    """For the README's commands: the tools on the path, the emulator in place of AWS."""
    own = emulator.environment()
    path = [Path(__file__).parent / "bin", TARGET / "venv/bin", TARGET / "cli/bin", own["PATH"]]
    return own | {
        "PATH": os.pathsep.join(map(str, path)),
        "AWS_PAGER": "",
        "BUILT": str(TARGET / "debug"),
        "CARGO_TARGET_DIR": str(STAGE),
    }


def for_the_emulator(template: dict) -> dict:
    """The template with what the emulator would do otherwise said outright."""
    for _, function in of_type(template, "AWS::Serverless::Function"):
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        variables.update({name: str(value) for name, value in variables.items() if isinstance(value, int)})
    for _, secret in of_type(template, "AWS::SecretsManager::Secret"):
        secret["Properties"]["SecretString"] = '{"keys": []}'
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm"):
        if "Metrics" in alarm["Properties"]:
            del template["Resources"][name]
    return template


def of_type(template: dict, resource_type: str) -> list[tuple[str, dict]]:
    """The resources of this type, with their names."""
    return [(name, one) for name, one in template["Resources"].items() if one["Type"] == resource_type]


def deploy(emulator: Emulator, shell: Shell) -> Deployment:
    """Deploys as the README says."""
    build()
    shell.run(read_me("Deploy")[0], answers="y\n")
    cloudformation = emulator.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    template = cloudformation.get_template(StackName=STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    create_routes(emulator, template["Resources"]["Api"]["Properties"]["Body"]["paths"], names)
    return Deployment(
        emulator=emulator,
        shell=shell,
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        template=template,
        api_id=names["Api"],
        http=emulator.http(timeout=60),
    )


def create_routes(emulator: Emulator, paths: dict, names: dict[str, str]):
    """What API Gateway does with an API's OpenAPI body."""
    gateway = emulator.client("apigatewayv2")
    for path, methods in paths.items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            function = integration["uri"]["Fn::Sub"].split("${")[-1].split(".")[0]
            created = gateway.create_integration(
                ApiId=names["Api"],
                IntegrationType="AWS_PROXY",
                IntegrationUri=f"arn:aws:lambda:{REGION}:000000000000:function:{names[function]}",
                PayloadFormatVersion=integration["payloadFormatVersion"],
            )
            gateway.create_route(
                ApiId=names["Api"],
                RouteKey=path if path == "$default" else f"{method.upper()} {path}",
                Target=f"integrations/{created['IntegrationId']}",
            )
