"""Two hosts of one filestore that prove at the same moment."""

from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys, migration, proof

BODY = b"public and small"
NAME = keys.build(hashlib.sha1(BODY).hexdigest())


class Catalogue:
    def samples(self):
        yield 7, NAME


class Bucket:
    def __init__(self):
        self.notes = {}

    def head(self, fname):
        assert fname == NAME

    def put_note(self, name, content):
        self.notes[name] = json.loads(content)


@pytest.fixture
def filestore(tmp_path):
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_bytes(BODY)
    return tmp_path


def prove(filestore, bucket, host="one"):
    return proof.prove(Catalogue(), bucket, str(filestore), database="shop", host=host, url="http://127.0.0.1:1")


def test_alone(filestore, monkeypatch):
    bucket = Bucket()

    def download(_url, _database):
        assert not (filestore / NAME).exists()
        return NAME[3:]

    monkeypatch.setattr(proof, "_download", download)
    prove(filestore, bucket)
    assert (filestore / NAME).read_bytes() == BODY and bucket.notes[".readers/one"]["name"] == NAME


@pytest.mark.parametrize("hidden_by", ["me", "another"])
def test_a_file_that_comes_back_meanwhile_proves_nothing(filestore, monkeypatch, hidden_by):
    """It may be the local one that was read."""
    bucket, aside = Bucket(), filestore / NAME[:2] / f"{proof._HIDDEN}{NAME[3:]}"
    if hidden_by == "another":
        monkeypatch.setattr(proof, "restore", lambda _filestore: (filestore / NAME).rename(aside))

    def download(_url, _database):
        aside.rename(filestore / NAME)
        return NAME[3:]

    monkeypatch.setattr(proof, "_download", download)
    with pytest.raises(migration.Refused, match="came back while it was hidden"):
        prove(filestore, bucket)
    assert (filestore / NAME).read_bytes() == BODY and bucket.notes == {}
