"""Imported LightGBM models score as LightGBM does."""

import lightgbm
import numpy as np
import pytest

from tables import CATEGORIES, ROW_COUNT, compare, odd, rows, scores, signal

TRAIN_COUNT, GROUP = 4000, 20

# Every objective whose transform is another, every kind of booster, every way with missing values.
MODELS = {
    "regression": {"objective": "regression"},
    "square root": {"objective": "regression", "reg_sqrt": True},
    "absolute": {"objective": "regression_l1"},
    "huber": {"objective": "huber"},
    "quantile": {"objective": "quantile", "alpha": 0.8},
    "poisson": {"objective": "poisson"},
    "tweedie": {"objective": "tweedie"},
    "gamma": {"objective": "gamma"},
    "binary": {"objective": "binary", "sigmoid": 1.7},
    "cross entropy": {"objective": "cross_entropy"},
    "cross entropy lambda": {"objective": "cross_entropy_lambda"},
    "lambdarank": {"objective": "lambdarank"},
    "xendcg": {"objective": "rank_xendcg"},
    "classes": {"objective": "multiclass", "num_class": 3},
    "one against all": {"objective": "multiclassova", "num_class": 3},
    "dart": {"objective": "binary", "boosting": "dart", "drop_rate": 0.5},
    "random forest": {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "zeros are missing": {"objective": "binary", "zero_as_missing": True},
    "nothing is missing": {"objective": "binary", "use_missing": False},
    "large leaves": {"objective": "binary", "num_leaves": 255, "min_data_in_leaf": 3},
    "one category a split": {"objective": "binary", "max_cat_to_onehot": 400},
}


def train(parameters, seed=1):
    table = rows(TRAIN_COUNT, seed)
    target = signal(table) + np.random.default_rng(seed).standard_normal(len(table)) * 0.3
    objective = parameters["objective"]
    if objective in ("binary",):
        target = target > 0
    elif objective.startswith("cross"):
        target = 1 / (1 + np.exp(-target))
    elif objective.startswith("multiclass"):
        target = np.digitize(target, [-0.5, 0.5])
    elif objective in ("lambdarank", "rank_xendcg"):
        target = np.digitize(target, [-0.5, 0.5, 1])
    elif objective in ("poisson", "tweedie", "gamma") or parameters.get("reg_sqrt"):
        target = np.exp(target) + 0.01
    group = np.full(TRAIN_COUNT // GROUP, GROUP) if "rank" in objective or "xendcg" in objective else None
    data = lightgbm.Dataset(table, np.asarray(target, np.float64), group=group, categorical_feature=CATEGORIES)
    return lightgbm.train({"num_leaves": 31, "learning_rate": 0.1, "min_data_in_leaf": 10, "seed": seed, "verbose": -1,
                           "num_threads": 1, **parameters}, data, 20)


@pytest.fixture(scope="module")
def requests():
    return odd(rows(ROW_COUNT, 2), 3)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_lightgbms(name, requests, tmp_path):
    model = train(MODELS[name])
    model.save_model(tmp_path / "model.txt")
    several = "num_class" in MODELS[name]
    found = scores(tmp_path / "model.txt", requests, tmp_path, output=0 if several else None)
    compare(name, found, model.predict(requests), 1e-6)


def test_raw_scores_are_lightgbms(requests, tmp_path):
    """Before the objective's transform nothing is computed but sums: they have the same bits."""
    model = train(MODELS["binary"])
    model.save_model(tmp_path / "model.txt")
    found = scores(tmp_path / "model.txt", requests, tmp_path, form="raw")
    compare("raw", found, model.predict(requests, raw_score=True, num_threads=1), 0)
