#!/usr/bin/env python3
"""Says how answers, and the examples of an OpenAPI document, differ from what the document says.

    conforms.py DOCUMENT ANSWERS

ANSWERS is a JSON array of {"method", "path" (as the document spells it), "status", "headers" (names in lower case),
"body" (JSON, or null)}. Prints a line for each difference, and exits with 1 if there is one.
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

    def check(self, place, schema, value):
        # A reference within the document is one from outside of it here.
        schema = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:document#/'))
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker())
        for error in validator.iter_errors(value):
            self.differ(place, f"{error.json_path}: {error.message[:300]}")

    def differ(self, place, what):
        self.differences.append(f"{place}: {what}")

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield f"{method.upper()} {path}", operation

    def check_schemas(self):
        for name, schema in self.document["components"]["schemas"].items():
            try:
                Draft202012Validator.check_schema(schema)
            except Exception as error:
                self.differ(name, f"no schema: {error}")

    def check_media(self, place, media):
        examples = [self.resolve(example)["value"] for example in media.get("examples", {}).values()]
        for example in examples + ([media["example"]] if "example" in media else []):
            self.check(f"{place}, an example", media.get("schema", {}), example)
        return len(examples)

    def check_examples(self):
        for place, operation in self.operations():
            for parameter in map(self.resolve, operation.get("parameters", [])):
                self.check_media(f"{place} {parameter['name']}", parameter)
            if "requestBody" in operation:
                if not all(self.check_media(place, media) for media in operation["requestBody"]["content"].values()):
                    self.differ(place, "no example of a request")
            for status, response in operation["responses"].items():
                for type, media in self.resolve(response).get("content", {}).items():
                    self.check_media(f"{place} {status} {type}", media)

    def check_answer(self, answer):
        place = f"{answer['method']} {answer['path']} {answer['status']}"
        operation = self.document["paths"][answer["path"]][answer["method"].lower()]
        response = operation["responses"].get(str(answer["status"]))
        if response is None:
            self.differ(place, "the status is not described")
            return
        response = self.resolve(response)
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = answer["headers"].get(name.lower())
            if value is not None:
                number = header["schema"].get("type") == "integer"
                self.check(f"{place} {name}", header["schema"], int(value) if number else value)
            elif header.get("required"):
                self.differ(place, f"there is no {name}")
        content = response.get("content", {})
        type = answer["headers"].get("content-type")
        if type is None and not content:
            return
        if type not in content:
            self.differ(place, f"{type} is not described")
        elif type.endswith("json"):
            self.check(place, content[type]["schema"], answer["body"])


def main():
    document = Document(json.load(open(sys.argv[1], encoding="utf-8")))
    document.check_schemas()
    document.check_examples()
    for answer in json.load(open(sys.argv[2], encoding="utf-8")):
        document.check_answer(answer)
    print(*document.differences, sep="\n", end="")
    sys.exit(1 if document.differences else 0)


main()
