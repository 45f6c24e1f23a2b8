"""Where weights files come from, and what happens when they are missing or altered."""

from __future__ import annotations

import shutil

import pytest

from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.weights_store import find_weights, read_manifest, weights_folders


def test_shipped_files_match_their_manifest(monkeypatch):
    monkeypatch.delenv("ANYLIFT_WEIGHTS", raising=False)
    folder = weights_folders()[0]
    entries = read_manifest(folder)
    assert "open_body.npz" in entries
    for name, entry in entries.items():
        assert find_weights(name) == folder / name
        assert entry["licence"] and entry["made_by"] and entry["description"]


def test_the_users_folder_comes_first(monkeypatch, tmp_path):
    shipped = find_weights("open_body.npz")
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    assert find_weights("open_body.npz") == shipped
    shutil.copy(shipped, tmp_path)
    assert find_weights("open_body.npz") == tmp_path / "open_body.npz"


def test_missing_file_names_the_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependencyError) as caught:
        find_weights("nothing.npz")
    assert "nothing.npz" in caught.value.message and str(tmp_path) in caught.value.message
    assert "ANYLIFT_WEIGHTS" in caught.value.hint


def test_altered_file_is_refused(monkeypatch, tmp_path):
    shipped = weights_folders()[0]
    shutil.copy(shipped / "manifest.toml", tmp_path)
    (tmp_path / "open_body.npz").write_bytes(b"something else")
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    with pytest.raises(AnyliftError, match="sha256"):
        find_weights("open_body.npz")


def test_broken_manifest_is_named(tmp_path):
    (tmp_path / "manifest.toml").write_text("[[weights]\n")
    with pytest.raises(AnyliftError, match=r"manifest\.toml"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.toml").write_text('[[weights]]\nfile = "a.npz"\n')
    with pytest.raises(AnyliftError, match="sha256"):
        read_manifest(tmp_path)
