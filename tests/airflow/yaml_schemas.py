"""Says where YAML files are not as a JSON schema has them: yaml_schemas.py <schema.json> <file>...

Each line is a file, the place in it and what is wrong there. Tags of YAML's own, such as dates, are read as the texts that they are.
"""

import json
import sys

import jsonschema
import yaml


class Texts(yaml.SafeLoader):
    """Days stay texts, as JSON has them."""


Texts.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, Loader=Texts)
        for error in validator.iter_errors(content):
            place = "/".join(str(part) for part in error.absolute_path)
            print(f"{path}: {place}: {error.message[:200]}")


main()
