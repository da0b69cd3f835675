#!/usr/bin/env python3
"""Checks recorded responses, and the examples of an OpenAPI document, against the document.

    conforms.py DOCUMENT RESPONSES

RESPONSES is a JSON array of {"method", "path" (as the document spells it), "status", "headers" (names in lower case),
"body" (JSON, or null)}. Prints one line per difference, and exits with status 1 if there is any.
"""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


class Document:
    def __init__(self, document):
        self.document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:document", resource)
        self.differences = []

    def resolve(self, value):
        while "$ref" in value:
            target = self.document
            for step in value["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            value = target
        return value

    def check(self, location, schema, value):
        # Here the schema is outside the document, so its internal references must name the document.
        schema = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:document#/'))
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker())
        for error in validator.iter_errors(value):
            self.differ(location, f"{error.json_path}: {error.message[:300]}")

    def differ(self, location, what):
        self.differences.append(f"{location}: {what}")

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield f"{method.upper()} {path}", operation

    def check_schemas(self):
        for name, schema in self.document["components"]["schemas"].items():
            try:
                Draft202012Validator.check_schema(schema)
            except Exception as error:
                self.differ(name, f"invalid schema: {error}")

    def check_media(self, location, media):
        examples = [self.resolve(example)["value"] for example in media.get("examples", {}).values()]
        for example in examples + ([media["example"]] if "example" in media else []):
            self.check(f"{location}, an example", media.get("schema", {}), example)
        return len(examples)

    def check_examples(self):
        for location, operation in self.operations():
            for parameter in map(self.resolve, operation.get("parameters", [])):
                self.check_media(f"{location} {parameter['name']}", parameter)
            if "requestBody" in operation:
                if not all(self.check_media(location, media) for media in operation["requestBody"]["content"].values()):
                    self.differ(location, "the request body has no example")
            for status, response in operation["responses"].items():
                for type, media in self.resolve(response).get("content", {}).items():
                    self.check_media(f"{location} {status} {type}", media)

    def check_response(self, response):
        location = f"{response['method']} {response['path']} {response['status']}"
        operation = self.document["paths"][response["path"]][response["method"].lower()]
        description = operation["responses"].get(str(response["status"]))
        if description is None:
            self.differ(location, "the status is not described")
            return
        description = self.resolve(description)
        for name, header in description.get("headers", {}).items():
            header = self.resolve(header)
            value = response["headers"].get(name.lower())
            if value is not None:
                number = header["schema"].get("type") == "integer"
                self.check(f"{location} {name}", header["schema"], int(value) if number else value)
            elif header.get("required"):
                self.differ(location, f"the header {name} is missing")
        content = description.get("content", {})
        type = response["headers"].get("content-type")
        if type is None and not content:
            return
        if type not in content:
            self.differ(location, f"{type} is not described")
        elif type.endswith("json"):
            self.check(location, content[type]["schema"], response["body"])


def main():
    document = Document(json.load(open(sys.argv[1], encoding="utf-8")))
    document.check_schemas()
    document.check_examples()
    for response in json.load(open(sys.argv[2], encoding="utf-8")):
        document.check_response(response)
    print(*document.differences, sep="\n", end="")
    sys.exit(1 if document.differences else 0)


main()
