"""Remarks and errors in the words of those who call tools: they have no command line and no settings."""

import re

_SETTING = "the server's setting"
# Written for people; what an agent can do about it stands in its place.
_SAID = (
    (re.compile(r"narrow with bbox or raise max_size \(now (\d+)\)"), r"look at a part of it with bbox"),
    (re.compile(r"; choose with bands\b"), ""),
    (re.compile(r"; a person who trusts them can set trust_sidecars \(--trust-sidecars\)"), ""),
    (re.compile(r", or use another --(?:prompter|segmenter)"), ""),
    (re.compile(r"\b(?:Use|use) another --(prompter|segmenter)"), rf"{_SETTING} \1 names the model"),
    (re.compile(r"\b[a-z_]+ \(T2S_([A-Z_]+)(?:, [^)]*)?\)"), lambda found: f"{_SETTING} {found[1].lower()}"),
    (re.compile(r"\b[a-z_]+ \(--([a-z-]+)(?:, [^)]*)?\)"), lambda found: f"{_SETTING} {found[1].replace('-', '_')}"),
    (re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)"), lambda found: f"{_SETTING} {found[1].replace('-', '_')}"),
    (re.compile(r"\bT2S_([A-Z_]+)(?:=\S+)?"), lambda found: f"{_SETTING} {found[1].lower()}"),
)


def for_agents(text: str) -> str:
    """A remark or an error without flags, variables and arguments that only people have."""
    for written, said in _SAID:
        text = written.sub(said, text)
    return text
