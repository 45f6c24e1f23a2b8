"""Weights files: where they lie, what is known of them, and how they come here."""

from anylift_cli.weights_store.finding import WEIGHTS_VARIABLE, find_weights, weights_folders
from anylift_cli.weights_store.manifest import read_manifest

__all__ = ["WEIGHTS_VARIABLE", "find_weights", "read_manifest", "weights_folders"]
