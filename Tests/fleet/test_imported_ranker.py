"""Rankers of other tools on their whole way: rows from a workspace, a model, a ranker, a snapshot, a reply."""

import json

import lightgbm
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conftest import rank, refused, start


@pytest.fixture(scope="module")
def rows(shelf, tmp_path_factory):
    """What `train --rows` writes: features, labels and groups by name, and the features' names."""
    folder = tmp_path_factory.mktemp("rows")
    shelf.maker.run("train", str(shelf.catalogue()), "--out", str(folder / "own.ranker"), "--rows", str(folder))
    parts = {part: np.load(folder / f"train-{part}.npy") for part in ("features", "labels", "groups")}
    return parts, (folder / "features.txt").read_text().strip()


def imported(shelf, model, names, ranker):
    return shelf.maker.json("model", "import", str(model), "--out", str(ranker), "--features", names)


def save_trees(rows, path, target):
    model = lightgbm.train({"objective": "regression", "verbose": -1, "seed": 1, "num_threads": 1, "num_leaves": 63, "learning_rate": 0.3},
                           lightgbm.Dataset(rows["features"], target), 30)
    model.save_model(path)


def save_layer(path, names, weights):
    """A network of one layer, after which a sigmoid: what a logistic regression is."""
    values = np.array([[weights.get(name, 0.0)] for name in names.split(",")], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])], "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(values)])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(values, "w"), numpy_helper.from_array(np.array([-1], np.float32), "b")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def top_picks(fleet, sequence, profile="syn-p-000003"):
    reply = rank(fleet, "north-1", profile, "--titles-per-row", "50")
    assert reply["snapshot"]["sequence"] == sequence
    # Nobody recorded an event here, so the ranker has popularity and dates to go by; but it was asked.
    assert set(reply["rungs"]) <= {"noHistory", "shortRow"}, reply["rungs"]
    [row] = [row for row in reply["rows"] if row["id"] == "top_picks"]
    return reply["snapshot"]["model"], row["titles"]


def test_snapshots_rank_by_the_rankers_that_they_carry(make_fleet, shelf, rows, tmp_path):
    """Trees that learnt the ratings of two opposite tastes, and a layer with one: the row of one is not that of the other,
    and each snapshot says its model."""
    parts, names = rows
    column = names.split(",").index("popularity")
    popularity = parts["features"][:, column].astype(np.float64)
    made = {}
    for sequence, name in enumerate(("popular", "unpopular", "layer"), start=1):
        model = tmp_path / f"{name}.model"
        if name == "layer":
            save_layer(model, names, {"popularity": 6.0})
        else:
            save_trees(parts, model, popularity * (1 if name == "popular" else -1))
        report = imported(shelf, model, names, tmp_path / f"{name}.ranker")
        assert ",".join(report["features"]) == names
        made[sequence] = name

    fleet = make_fleet(regions=("north",), replicas=1)
    # Without a boost for what is new: scores are the ranker's alone.
    policy = tmp_path / "policy.json"
    rules = json.loads(shelf.maker.run("policy", "default"))
    rules["recency_boost"]["weight"] = 0
    policy.write_text(json.dumps(rules))
    for sequence, name in made.items():
        shelf.build(shelf.catalogue(), fleet.library, sequence, "--ranker", str(tmp_path / f"{name}.ranker"), "--policy",
                    str(policy))
    start(fleet)
    found = {}
    for sequence, name in made.items():
        fleet.publish(sequence)
        fleet.wait_serving(sequence)
        found[name] = top_picks(fleet, sequence)
    assert len({model for model, _ in found.values()}) == 3, "each has a model of its own"
    ids = {name: [title["id"] for title in titles] for name, (_, titles) in found.items()}
    assert len(set(ids["popular"][:20]) & set(ids["unpopular"][:20])) < 10
    assert len(set(ids["popular"][:20]) & set(ids["layer"][:20])) > 10
    for _, titles in found.values():
        assert all(0 < title["score"] < 1 for title in titles)


def test_a_ranker_of_other_features_never_gets_into_a_snapshot(shelf, rows, tmp_path):
    parts, names = rows
    model = tmp_path / "model.txt"
    save_trees(parts, model, parts["labels"].astype(np.float64))
    imported(shelf, model, ",".join(reversed(names.split(","))), tmp_path / "reversed.ranker")
    error = refused(shelf.build, shelf.catalogue(), tmp_path / "library", 1, "--ranker", str(tmp_path / "reversed.ranker"))
    assert "features" in error.output


def test_a_cut_model_is_refused_with_its_place(shelf, rows, tmp_path):
    parts, names = rows
    model = tmp_path / "model.txt"
    save_trees(parts, model, parts["labels"].astype(np.float64))
    whole = model.read_bytes()
    model.write_bytes(whole[:len(whole) // 2])
    error = refused(shelf.maker.run, "model", "import", str(model), "--out", str(tmp_path / "ranker"))
    assert "model.txt line " in error.output
    assert not (tmp_path / "ranker").exists()
