"""YAML as kubectl prints it: sorted keys, lists not indented, and every string quoted that YAML 1.1 would read as something else."""

import json
import re

PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./-]|:(?=\S)| (?=[A-Za-z0-9_./-]))*\Z|[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+(?:/[0-9]+)?\Z")
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def scalar(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if PLAIN.match(value) and value.lower() not in WORDS:
        return value
    return json.dumps(value)


def lines(value, indent):
    pad = " " * indent
    if isinstance(value, dict):
        for key in sorted(value):
            yield from entry(f"{pad}{scalar(key)}:", value[key], indent, indent + 2)
    else:
        for item in value:
            if isinstance(item, (dict, list)) and item:
                first, *rest = lines(item, indent + 2)
                yield f"{pad}- {first[indent + 2:]}"
                yield from rest
            else:
                yield f"{pad}- {inline(item)}"


def inline(value):
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    return scalar(value)


def entry(head, value, list_indent, map_indent):
    if isinstance(value, dict) and value:
        yield head
        yield from lines(value, map_indent)
    elif isinstance(value, list) and value:
        yield head
        yield from lines(value, list_indent)
    else:
        yield f"{head} {inline(value)}"


def text(value):
    return "\n".join(lines(value, 0)) + "\n"
