"""Rewrites warnings and errors for agents, which have no command line and no settings."""

import re

_SETTING = "the server's setting"
# Advice for users of the command line -> advice that an agent can follow.
_REPLACEMENTS = (
    (
        re.compile(r"narrow with bbox, look with mode full, or raise max_size \(now (\d+)\)"),
        r"look with mode full, or at a part of it with bbox",
    ),
    (re.compile(r"\bgsd_m native\b"), "gsd_m=-1"),
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
    """Returns a warning or an error without options and variables that only users of the command line have."""
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text
