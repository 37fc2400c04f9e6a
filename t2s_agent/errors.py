"""Defines the exception of this package, and its codes."""

from typing import Any, Literal, get_args

from t2s_agent.text import one_line, without_queries

Code = Literal[
    "argument_invalid",  # an invalid option or argument: its value, and the valid values
    "image_not_found",  # also for a path outside of the roots: another code would reveal which files exist
    "image_unreadable",  # not a raster, truncated, malicious, or of an unsupported format
    "remote_refused",  # an address, host, redirect or certificate that is not allowed: nothing is fetched from it
    "remote_failed",  # a server of remote images that cannot be reached, hangs, or answers wrongly
    "remote_changed",  # a remote image that changed while it was read
    "limit_exceeded",  # pixels, bytes or seconds over a limit of the settings
    "bands_unknown",  # bands that the image does not have; the message names its bands
    "bbox_invalid",  # inverted, degenerate, not four finite numbers
    "bbox_outside",  # a box that does not overlap the image
    "no_georeference",  # the question needs metres or degrees and the image has none
    "region_unknown",  # no region with this id in the result; the message names the existing ids
    "result_unknown",  # no result with this id, or a result of another owner
    "result_damaged",  # a stored result with missing or changed files
    "model_unavailable",  # unknown name, missing files, a library that is not installed, no memory
    "model_failed",  # it was loaded but did not answer
    "endpoint_failed",  # a served model did not answer, or answered with an error
    "answer_unparsable",  # a model's answer has no valid form, or was cut off
    "worker_died",  # the process that answered rows of an archive was killed, for example for lack of memory
    "output_unwritable",  # a folder or file that cannot be written, or a full disk
    "internal",  # a bug in this package; the log has its traceback
]
CODES: tuple[str, ...] = get_args(Code)
_LONGEST = 2_000  # characters of `what` and of `fix`


class T2SError(Exception):
    """An error that the caller can fix.

    `code` is stable and one of `CODES`; `what` names the invalid value; `fix` says how to correct it. `details` has the same facts as
    values for programs:

    - `bbox_outside`, `bbox_invalid`: `extent` (west, south, east, north of the image), `axes_swapped` (the box or point would be
      inside with latitude and longitude exchanged);
    - `result_unknown`: `near` (similar ids); `image_not_found`: `near` (similar names);
    - `region_unknown`: `id`, `known` (all ids);
    - `limit_exceeded` and `argument_invalid` of amounts and lists: `name`, `value` or `count`, `most`.

    Unknown facts have no key.
    The error is printed as `code: what. fix.`, in one line. Both texts may quote untrusted text (file names, labels, arguments), so
    unprintable characters are replaced here, for all errors, and addresses are shown without user names and queries.

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
        self.what = one_line(without_queries(what[: 4 * _LONGEST]), _LONGEST).rstrip(".")
        self.fix = one_line(without_queries(fix[: 4 * _LONGEST]), _LONGEST).rstrip(".")
        super().__init__(code, self.what, self.fix)

    def changed(self, *, what: str | None = None, fix: str | None = None, **details: Any) -> "T2SError":
        """A copy of the error with another text or more details, for a caller with more information."""
        return T2SError(
            self.code,
            self.what if what is None else what,
            self.fix if fix is None else fix,
            **(self.details | details),
        )

    def __str__(self) -> str:
        return f"{self.code}: {self.what}. {self.fix}{'' if self.fix.endswith('?') else '.'}"
