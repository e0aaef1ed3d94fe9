#!/usr/bin/env python3
"""A light network taught by a heavy one, by PyTorch, on the rows that `marquee train --rows` wrote.

    marquee train WORKSPACE --out own.ranker --rows rows
    Scripts/train/distil.py rows --out student.onnx
    marquee model import student.onnx --out ranker.floats --features $(cat rows/features.txt)
    marquee model quantise ranker.floats --rows rows/train-features.npy --groups rows/train-groups.npy --tau-min 0.9 \\
        --out ranker
    marquee snapshot build WORKSPACE --ranker ranker ...

Needs Scripts/train/requirements.txt. The teacher is an ensemble that would be too slow to serve; the student learns its
scores beside the labels (Hinton, Vinyals and Dean 2015). Epochs are chosen on the validation rows; the printed figures are
of the test rows, which nothing was chosen on.
"""

import argparse
import copy

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from rows import Rows, names, ndcg, report


def network(inputs, widths, dropout=0.0):
    layers = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


class Table:
    """Rows as tensors, with features at zero mean and unit variance; missing values at the mean."""

    def __init__(self, rows, mean, deviation):
        self.rows = rows
        self.x = torch.from_numpy(np.nan_to_num((rows.features - mean) / deviation).astype(np.float32))
        self.y = torch.from_numpy(rows.labels)[:, None]
        self.w = torch.from_numpy(rows.weights)[:, None]


def scores(model, table):
    model.eval()
    with torch.no_grad():
        return model(table.x).numpy().ravel()


def fit(model, train, validation, loss, epochs, rate, seed, noise=0.0, decay=1e-4):
    """The model after the epoch with the best NDCG@10 of the validation rows. `loss(logits, rows)` is one of each row.
    `noise` is how far values are moved at random: a byte's step, for a model that will be brought to bytes."""
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    best, kept = -1.0, None
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(train.x)).split(512):
            optimiser.zero_grad()
            x = train.x[batch]
            (loss(model(x + (torch.rand_like(x) - 0.5) * noise), batch) * train.w[batch]).mean().backward()
            optimiser.step()
        found = ndcg(validation.rows, scores(model, validation))
        if found > best:
            best, kept = found, copy.deepcopy(model)
    return kept


def export(path, student, mean, deviation):
    """The student with its normalisation before it and a sigmoid after it: a chain that `marquee model import` reads."""
    constants, nodes, value = [], [], "x"

    def add(operator, *values):
        nonlocal value
        inputs = []
        for array in values:
            inputs.append(f"c{len(constants)}")
            constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), inputs[-1]))
        nodes.append(helper.make_node(operator, [value, *inputs], [f"v{len(nodes)}"]))
        value = nodes[-1].output[0]

    add("Sub", mean)
    add("Div", deviation)
    for layer in student:
        if isinstance(layer, nn.Linear):
            add("Gemm", layer.weight.detach().numpy().T, layer.bias.detach().numpy())
        else:
            add("Relu")
    add("Sigmoid")
    graph = helper.make_graph(
        nodes, "student", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(mean)])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [None, 1])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", help="the directory of rows")
    parser.add_argument("--out", required=True, help="where to write the student (ONNX)")
    parser.add_argument("--student", default="64,32", help="outputs of the student's hidden layers (64,32)")
    parser.add_argument("--teacher", default="256,128,64", help="those of each teacher (256,128,64)")
    parser.add_argument("--teachers", type=int, default=3, help="networks of the teacher (3)")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--share", type=float, default=0.7, help="of the loss that is the teacher's, 0 to 1 (0.7)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    features = names(options.rows)
    parts = {part: Rows(options.rows, part) for part in ("train", "validation", "test")}
    mean = np.nanmean(parts["train"].features, axis=0)
    deviation = np.nanstd(parts["train"].features, axis=0)
    deviation[deviation < 1e-6] = 1
    train, validation, test = (Table(parts[part], mean, deviation) for part in ("train", "validation", "test"))
    each = nn.BCEWithLogitsLoss(reduction="none")

    def sizes(text):
        return [int(width) for width in text.split(",") if width]

    teachers = []
    for number in range(options.teachers):
        torch.manual_seed(options.seed + number)
        heavy = network(len(features), sizes(options.teacher), dropout=0.2)
        teachers.append(fit(heavy, train, validation, lambda logits, rows: each(logits, train.y[rows]), options.epochs, 1e-3,
                            options.seed + number))
    taught = torch.from_numpy(np.mean([scores(teacher, train) for teacher in teachers], axis=0))[:, None]
    soft = torch.sigmoid(taught)

    def loss(logits, rows):
        return options.share * each(logits, soft[rows]) + (1 - options.share) * each(logits, train.y[rows])

    step = (train.x.max(0).values - train.x.min(0).values) / 255

    def light(loss):
        torch.manual_seed(options.seed)
        return fit(network(len(features), sizes(options.student)), train, validation, loss, options.epochs, 2e-3,
                   options.seed, noise=step * 4, decay=1e-2)

    student = light(loss)
    alone = light(lambda logits, rows: each(logits, train.y[rows]))
    export(options.out, student, mean, deviation)
    print(f"{options.out}: {len(features)}-{'-'.join(map(str, sizes(options.student)))}-1, on {len(train.x)} rows")
    report(test.rows, {
        "teacher": np.mean([scores(teacher, test) for teacher in teachers], axis=0), "student": scores(student, test),
        "student without teacher": scores(alone, test)}, features)


if __name__ == "__main__":
    main()
