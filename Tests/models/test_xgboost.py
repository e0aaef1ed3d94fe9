"""Imported XGBoost models score as XGBoost does."""

import numpy as np
import pytest
import xgboost

from tables import CATEGORIES, FEATURES, ROW_COUNT, compare, rows, scores, signal

TRAIN_COUNT, GROUP = 4000, 20

MODELS = {
    "squares": {"objective": "reg:squarederror"},
    "logistic": {"objective": "binary:logistic"},
    "logistic regression": {"objective": "reg:logistic"},
    "logit": {"objective": "binary:logitraw"},
    "hinge": {"objective": "binary:hinge"},
    "poisson": {"objective": "count:poisson"},
    "gamma": {"objective": "reg:gamma"},
    "tweedie": {"objective": "reg:tweedie"},
    "classes": {"objective": "multi:softprob", "num_class": 3},
    "ndcg": {"objective": "rank:ndcg"},
    "pairs": {"objective": "rank:pairwise"},
    "dart": {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3},
    "by leaves": {"objective": "binary:logistic", "grow_policy": "lossguide", "max_leaves": 100, "max_depth": 0},
    "numbers only": {"objective": "binary:logistic"},
}


def matrix(table, categories, *labels, **more):
    types = ["c" if categories and feature in CATEGORIES else "q" for feature in range(FEATURES)]
    return xgboost.DMatrix(table, *labels, feature_types=types, enable_categorical=True, **more)


def train(parameters, categories):
    table = rows(TRAIN_COUNT, 1, categories)
    target = signal(table) + np.random.default_rng(1).standard_normal(len(table)) * 0.3
    objective = parameters["objective"]
    if "logistic" in objective or objective.startswith("binary"):
        target = target > 0
    elif objective.startswith("multi"):
        target = np.digitize(target, [-0.5, 0.5])
    elif objective.startswith("rank"):
        target = np.digitize(target, [-0.5, 0.5, 1])
    elif objective != "reg:squarederror":
        target = np.exp(target) + 0.01
    more = {"qid": np.repeat(np.arange(TRAIN_COUNT // GROUP), GROUP)} if objective.startswith("rank") else {}
    data = matrix(table, categories, np.asarray(target, np.float32), **more)
    return xgboost.train({"max_depth": 6, "eta": 0.2, "nthread": 1, "tree_method": "hist", "seed": 1, **parameters}, data, 20)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_xgboosts(name, tmp_path):
    # XGBoost refuses categories that it has not seen: the requests are of the same ones, and missing ones.
    categories = name != "numbers only"
    requests = rows(ROW_COUNT, 2, categories)
    model = train(MODELS[name], categories)
    model.save_model(tmp_path / "model.json")
    found = scores(tmp_path / "model.json", requests, tmp_path, output=0 if "num_class" in MODELS[name] else None)
    compare(name, found, model.predict(matrix(requests, categories)), 1e-6)
