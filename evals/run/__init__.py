"""Runs an evaluation in two stages: answers (a prompter's), then scores (a segmenter's masks against the truth).

Each stage appends to a file of JSON lines, goes on after it was killed at any point, and can be run again alone: another
segmenter, kind of prompt, protocol or metric costs no call of the prompter, and another protocol no pass of the segmenter.
"""
