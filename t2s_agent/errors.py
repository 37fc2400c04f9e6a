"""The one exception that reaches people and agents, and the list of its codes."""

from typing import Any, Literal, get_args

from t2s_agent.text import one_line

Code = Literal[
    "argument_invalid",  # an option or argument that makes no sense: what it was, what it may be
    "image_not_found",  # also for a path outside of the roots, where telling apart would list files
    "image_unreadable",  # not a raster, truncated, hostile, or of a kind that we do not open
    "limit_exceeded",  # pixels, bytes or seconds over a limit of the settings
    "bands_unknown",  # bands that the image does not have; the message names those that it has
    "bbox_invalid",  # inverted, degenerate, not four finite numbers
    "bbox_outside",  # a box that does not overlap the image
    "no_georeference",  # the question needs metres or degrees and the image has none
    "region_unknown",  # no region of that id in the result; the message names those that there are
    "result_unknown",  # no result of that id, or one of another owner
    "result_damaged",  # a stored result with missing or changed files
    "model_unavailable",  # unknown name, missing files, a library that is not installed, no memory
    "model_failed",  # it was loaded and then failed to answer
    "endpoint_failed",  # a served model did not answer, or answered with an error
    "answer_unparsable",  # a model wrote something that is no answer, or was cut off
    "output_unwritable",  # a folder or file that cannot be written, or a full disk
    "internal",  # a bug of ours; the log has its traceback
]
CODES: tuple[str, ...] = get_args(Code)
_LONGEST = 2_000  # characters of `what` and of `fix`


class T2SError(Exception):
    """Something that the caller can mend.

    `code` is stable and one of `CODES`; `what` names the offending value; `fix` names the way out. `details` holds the same facts as
    values for programs, so that nobody has to search the text for them:

    - `bbox_outside`, `bbox_invalid`: `extent` (west, south, east, north of the image), `axes_swapped` (the place would fit with
      latitude and longitude exchanged);
    - `result_unknown`: `near` (ids that could have been meant); `image_not_found`: `near` (names that could have been meant);
    - `region_unknown`: `id`, `known` (all ids);
    - `limit_exceeded` and `argument_invalid` of amounts and lists: `name`, `value` or `count`, `most`.

    Where a fact is not known its key is missing.
    Printed as `code: what. fix.`, in one line. Both may quote strangers (names of files, labels, arguments), so characters that
    cannot be printed are taken out here, once for all errors.

    >>> import t2s_agent
    >>> try:
    ...     t2s_agent.segment("demo-out/harbor.tif", "Where are the storage tanks?")
    ... except t2s_agent.T2SError as error:
    ...     print(error.code, "|", error.fix)
    image_not_found | Did you mean 'harbour.tif'?
    """

    def __init__(self, code: Code, what: str, fix: str, **details: Any) -> None:
        self.code: Code = code
        self.details = details
        self.what = one_line(what, _LONGEST).rstrip(".")
        self.fix = one_line(fix, _LONGEST).rstrip(".")
        super().__init__(code, self.what, self.fix)

    def changed(self, *, what: str | None = None, fix: str | None = None, **details: Any) -> "T2SError":
        """The same error in other words, with more details: for a caller that knows more."""
        return T2SError(
            self.code,
            self.what if what is None else what,
            self.fix if fix is None else fix,
            **(self.details | details),
        )

    def __str__(self) -> str:
        return f"{self.code}: {self.what}. {self.fix}{'' if self.fix.endswith('?') else '.'}"
