"""The protocols by name, each with its source."""

from evals.protocols.grids import ORIGINAL, Grid
from evals.protocols.protocol import Protocol
from t2s_agent.errors import T2SError

PROTOCOLS: dict[str, Protocol] = {
    each.name: each
    for each in (
        Protocol(
            "t2s",
            "ours: all questions, the image's own pixels, false positives counted, intervals over images",
            accuracies=True,
        ),
        Protocol(
            "think2seg",
            "Ricardo-XZ/Think2Seg-RS at 1d35fa9: one question of each image drawn at random (there one draw that depends on the "
            "file system, here several), image and truth stretched to 840 x 840",
            questions="draw",
            draws=10,
            grid=Grid("square", 840),
            unparsable="wrong",
            emptiness="answer",
            false_positives_in_union=False,
            thresholds=(0.5,),
            precision_over="parsed",
        ),
        Protocol(
            "segearth",
            "earth-insights/SegEarth-R1 at e796b3b, eval.py: the first question, aspect kept at a longer side of 1,024, IoU > k. "
            "Its model draws one mask; here it is the union of the answer's masks",
            questions="first",
            grid=Grid("longest", 1024, corner=True),
            epsilon=1e-5,
            strict=True,
        ),
        Protocol(
            "lisa",
            "dvlab-research/LISA at 3cb2d43, train_ds.py: all samples, the image's own pixels",
            epsilon=1e-5,
            thresholds=(),
            grid=ORIGINAL,
        ),
        Protocol(
            "rmsin",
            "Lsan2401/RMSIN at b4a9b27, test.py: every sentence, image and truth stretched to 480 x 480 (args.py); IoU 0 where "
            "both are empty",
            grid=Grid("square", 480),
            both_empty=0.0,
        ),
        Protocol(
            "grefcoco",
            "henghuiding/ReLA at 1e6e889, refer_evaluation.py: no target is what the answer says, not the mask; P over samples "
            "with a target. The pixels that its loader compares at were not read: the image's own are used",
            emptiness="answer",
            thresholds=(0.7, 0.8, 0.9),
            precision_over="target",
            accuracies=True,
        ),
    )
}
GRIDS: dict[str, Grid] = {each.grid.name: each.grid for each in PROTOCOLS.values()}


def protocol_named(name: str) -> Protocol:
    """The protocol of that name; `argument_invalid` lists the names that there are."""
    if name not in PROTOCOLS:
        raise T2SError("argument_invalid", f"there is no protocol {name!r}", f"Choose from {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
