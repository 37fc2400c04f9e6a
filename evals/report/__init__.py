"""The report: one HTML file with everything in it, numbers beside the published ones, curves, and pictures of samples."""

from evals.report.write import write_report

__all__ = ["write_report"]
