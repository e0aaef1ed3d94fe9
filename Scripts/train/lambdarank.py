#!/usr/bin/env python3
"""A ranker of boosted trees, by LightGBM's lambdarank, on the rows that `marquee train --rows` wrote.

    marquee train WORKSPACE --out own.ranker --rows rows
    Scripts/train/lambdarank.py rows --out model.txt
    marquee model import model.txt --out ranker
    marquee snapshot build WORKSPACE --ranker ranker ...

Needs Scripts/train/requirements.txt. The number of trees is chosen on the validation rows; the printed figures are of the
test rows, which nothing was chosen on.
"""

import argparse

import lightgbm

from rows import Rows, names, report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", help="the directory of rows")
    parser.add_argument("--out", required=True, help="where to write LightGBM's text model")
    parser.add_argument("--trees", type=int, default=500, help="trees at most (500)")
    parser.add_argument("--leaves", type=int, default=15, help="leaves of a tree (15)")
    parser.add_argument("--rate", type=float, default=0.03, help="learning rate (0.03)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    features = names(options.rows)
    # Pairs are what lambdarank learns from: a group of one kind has none.
    train = Rows(options.rows, "train").in_groups(lambda labels: labels.min() < labels.max())
    validation = Rows(options.rows, "validation")
    data = lightgbm.Dataset(train.features, train.labels, group=train.sizes(), feature_name=features)
    held = lightgbm.Dataset(validation.features, validation.labels, group=validation.sizes(), reference=data)
    parameters = {
        "objective": "lambdarank", "metric": "ndcg", "eval_at": [10], "num_leaves": options.leaves,
        "learning_rate": options.rate, "min_data_in_leaf": 100, "lambda_l2": 1.0, "feature_fraction": 0.8,
        "bagging_fraction": 0.8, "bagging_freq": 1, "lambdarank_truncation_level": 20, "seed": options.seed,
        "deterministic": True, "force_row_wise": True, "verbose": -1,
    }
    model = lightgbm.train(parameters, data, options.trees, valid_sets=[held],
                           callbacks=[lightgbm.early_stopping(50, verbose=False)])
    model.save_model(options.out, num_iteration=model.best_iteration)
    test = Rows(options.rows, "test")
    print(f"{options.out}: {model.best_iteration} trees, on {len(train)} rows")
    report(test, {"lambdarank": model.predict(test.features, num_iteration=model.best_iteration)}, features)
    gains = sorted(zip(model.feature_importance("gain"), features), reverse=True)
    print("gain: " + ", ".join(f"{name} {gain / sum(g for g, _ in gains):.0%}" for gain, name in gains))


if __name__ == "__main__":
    main()
