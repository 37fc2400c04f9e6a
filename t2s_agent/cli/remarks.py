"""Puts remarks into the words of the command line: they are written for tools, files and Python too, and a person here has options."""

import re

# what a remark says -> what a person can type
_ADVICE = (
    (
        r": the column seams says why; ask again with a bbox around one to see it whole$",
        ": t2s-agent describe {id} --columns seams says why; ask again with --bbox around one to see it whole",
    ),
    (
        r"; the column probability shows it, and a refinement with min_probability ([0-9.e-]+) leaves them out$",
        r"; t2s-agent refine {id} --min-probability \1 leaves them out",
    ),
    (
        r"the same question with a higher limit goes on",
        "the same command with a higher --max-windows (or limit) goes on",
    ),
    (r"the same question asked again tries them again", "the same command tries them again"),
    (
        r"narrow with bbox, look with mode full, or raise max_size \(now ([0-9]+)\)$",
        r"narrow with --bbox, look with --mode full, or raise --max-size (now \1)",
    ),
    (r"; gsd_m native looks in full resolution$", "; --gsd-m native looks in full resolution"),
    (r"; choose with bands$", "; choose with --bands"),
    (r"\bset height_m \(", "set --height-m ("),
    (
        r"\b(m(?:in|ax)_(?:area_m2|length_m)|within_m|beyond_m|smooth_m) = ",
        lambda found: f"--{found[1].replace('_', '-')} ",
    ),
)


def on_the_command_line(remark: str, result_id: str) -> str:
    """A remark of a result in the words of the command line."""
    for pattern, words in _ADVICE:
        said = words.replace("{id}", result_id) if isinstance(words, str) else words
        remark = re.sub(pattern, said, remark)
    return remark
