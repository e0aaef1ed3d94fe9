"""`marquee evaluate` replays what came after a split in time, and knows nothing of it before."""

import datetime
import json
import os
import pathlib

import pytest

from conftest import ROOT, refused

DATA = pathlib.Path(os.environ.get("MARQUEE_DATA", ROOT.parent / "shared" / "data"))
SUBJECTS = ["popularity", "item-item", "retrieval order", "built-in ranker", "trained ranker"]


def real(name, file):
    return pytest.param(DATA / name, marks=pytest.mark.skipif(
        not (DATA / name / file).exists(), reason=f"{name} is not in {DATA}: name its parent in MARQUEE_DATA"), id=name)


def figures(report):
    return {subject["subject"]: subject for subject in report["subjects"]}


def check(report):
    assert [subject["subject"] for subject in report["subjects"]][:5] == SUBJECTS
    for subject in report["subjects"]:
        for metric in ("recall500", "ndcg10", "hr10"):
            assert 0 <= subject[metric]["low"] <= subject[metric]["mean"] <= subject[metric]["high"] <= 1, subject
    assert report["requests"] >= report["profiles"] > 0 and report["interactions_before"] > report["interactions_after"] > 0
    for comparison in report["comparisons"]:
        mean = {name: values["ndcg10"]["mean"] for name, values in figures(report).items()}
        assert comparison["ndcg10"]["mean"] == pytest.approx(mean[comparison["subject"]] - mean[comparison["baseline"]])


def test_a_replay_measures_every_subject_the_same_way_each_time(shelf, tmp_path):
    arguments = ("evaluate", str(shelf.catalogue()), "--threads", "1", "--rows", str(tmp_path / "rows"))
    report = shelf.maker.json(*arguments)
    check(report)
    assert report == shelf.maker.json(*arguments), "the same source and seed come to the same figures"
    assert report["synthetic"] and (tmp_path / "rows" / "train-features.npy").exists()
    # Who it was made for is known in this world, so any order by it is far above chance.
    assert figures(report)["trained ranker"]["ndcg10"]["mean"] > 0.02


def test_what_comes_after_the_split_is_not_known_before_it(shelf, tmp_path):
    """All that is built is built of the part before: rows are byte for byte those of a workspace that ends at the split."""
    shelf.maker.run("evaluate", str(shelf.catalogue()), "--threads", "1", "--rows", str(tmp_path / "rows"))
    report = shelf.maker.json("evaluate", str(shelf.catalogue()), "--no-training")
    lines = (shelf.catalogue() / "interactions.csv").read_text().splitlines()
    kept = lines[:1] + [line for line in lines[1:] if int(line.split(",")[3]) < report["split_milliseconds"]]
    assert len(kept) - 1 >= report["interactions_before"]
    (tmp_path / "before.csv").write_text("\n".join(kept) + "\n")
    day = datetime.datetime.fromtimestamp(report["split_milliseconds"] / 1000, datetime.timezone.utc).date().isoformat()
    titles = (shelf.catalogue() / "titles.jsonl").read_text().splitlines()
    out = [line for line in titles if (json.loads(line).get("released") or "") <= day]
    assert len(out) == report["titles"]
    (tmp_path / "titles.jsonl").write_text("\n".join(out) + "\n")
    shelf.maker.run("catalog", "import", "jsonl", str(tmp_path / "titles.jsonl"), "--interactions",
                    str(tmp_path / "before.csv"), "--out", str(tmp_path / "before"))
    shelf.maker.run("train", str(tmp_path / "before"), "--out", str(tmp_path / "ranker"), "--threads", "1", "--rows",
                    str(tmp_path / "other"))
    for name in ("train-features.npy", "train-labels.npy", "validation-features.npy", "test-features.npy"):
        assert (tmp_path / "rows" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_ranker_of_other_features_or_no_source_is_refused(shelf, tmp_path):
    assert "movies.csv" in refused(shelf.maker.run, "evaluate", str(tmp_path)).output
    refused(shelf.maker.run, "evaluate", str(shelf.catalogue()), "--share", "1.5")


@pytest.mark.parametrize("directory", [real("movielens", "movies.csv"), real("kuairand", "impressions.csv.gz")])
def test_real_people_are_served_better_than_by_popularity(shelf, directory):
    """On real data the trained ranker is far ahead of popularity, and retrieval finds what item-item finds."""
    report = shelf.maker.json("evaluate", str(directory), "--requests", "2000")
    check(report)
    for name, values in figures(report).items():
        print(f"{name:16} recall@500 {values['recall500']['mean']:.3f}  NDCG@10 {values['ndcg10']['mean']:.4f} "
              f"({values['ndcg10']['low']:.4f} to {values['ndcg10']['high']:.4f})  HR@10 {values['hr10']['mean']:.3f}")
    found = figures(report)
    assert found["trained ranker"]["ndcg10"]["mean"] > 1.2 * found["popularity"]["ndcg10"]["mean"]
    assert found["retrieval order"]["recall500"]["mean"] > 0.95 * found["item-item"]["recall500"]["mean"]
