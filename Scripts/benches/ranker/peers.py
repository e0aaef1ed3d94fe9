"""The other rankers, in their own virtual environment.

peers.py train DIR    data, models of every case in the peers' own formats, and what each peer says of the check rows
peers.py serve DIR    each line of standard input is `CASE SUBJECT CALLS`: so many calls, one after the other, on the next
                      batches; the answer is a line with the nanoseconds of each, or `! why not`
"""

import ctypes
import json
import os
import pathlib
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

FEATURES, BATCH, BATCHES = 64, 500, 100
FORESTS = {"lgbm-200x31": (200, 31), "lgbm-500x63": (500, 63)}
NETWORKS = {"mlp-64x32": (64, 32), "mlp-256x128": (256, 128)}


def rows(count, seed):
    """Features of the kinds that rankers see: similarities, counts, small whole numbers, flags."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((count, FEATURES)).astype(np.float32)
    table[:, 40:52] = random.lognormal(1, 1, (count, 12))
    table[:, 52:60] = random.integers(0, 12, (count, 8))
    table[:, 60:] = random.random((count, 4)) < 0.25
    return table


def labels(table, seed):
    """Clicks by a rule that is neither linear nor a tree."""
    rule = np.random.default_rng(17)
    known = (table - table.mean(0)) / (table.std(0) + 1e-6)
    hidden = np.tanh(known @ (rule.standard_normal((FEATURES, 32)) * 0.3))
    logit = hidden @ rule.standard_normal(32) + 0.7 * known[:, 0] * known[:, 1] + np.sin(2 * known[:, 3]) - 1
    return (np.random.default_rng(seed).random(len(table)) < 1 / (1 + np.exp(-logit))).astype(np.float32)


def train(folder, quick):
    count = 30_000 if quick else 150_000
    table = rows(count, 1)
    clicks = labels(table, 2)
    mean, deviation = table.mean(0), table.std(0) + 1e-6
    requests = rows(BATCH * BATCHES, 3)
    np.save(folder / "trees-rows.npy", requests)
    np.save(folder / "layers-rows.npy", ((requests - mean) / deviation).astype(np.float32))
    import lightgbm
    import xgboost
    for case, (trees, leaves) in FORESTS.items():
        model = lightgbm.train({"objective": "binary", "num_leaves": leaves, "learning_rate": 0.08, "verbose": -1,
                                "min_data_in_leaf": 50, "num_threads": os.cpu_count(), "seed": 1},
                               lightgbm.Dataset(table, clicks), trees)
        model.save_model(folder / f"{case}.txt")
        np.save(folder / f"{case}-expected.npy", model.predict(requests, num_threads=1))
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": os.cpu_count(),
                           "tree_method": "hist"}, xgboost.DMatrix(table, clicks), 200)
    model.save_model(folder / "xgb-200d6.json")
    np.save(folder / "xgb-200d6-expected.npy", model.inplace_predict(requests))
    known = ((table - mean) / deviation).astype(np.float32)
    for case, hidden in NETWORKS.items():
        export(folder, case, fit(known, clicks, hidden, 2 if quick else 5), known)
    for case in FORESTS:
        try:
            import lleaves
            lleaves.Model(model_file=str(folder / f"{case}.txt")).compile(cache=str(folder / f"{case}.o"))
        except Exception as error:  # it doesn't install, or doesn't compile: the bench goes on without it
            print(f"lleaves {case}: {error!r}"[:200], file=sys.stderr)


def fit(table, clicks, hidden, epochs):
    """A network with two hidden layers, by Adam on log loss."""
    random = np.random.default_rng(5)
    sizes = [FEATURES, *hidden, 1]
    weights = [(random.standard_normal(pair) * np.sqrt(2 / pair[0])).astype(np.float32)
               for pair in zip(sizes, sizes[1:])]
    values = [part for weight in weights for part in (weight, np.zeros(weight.shape[1], np.float32))]
    first = [np.zeros_like(value) for value in values]
    second = [np.zeros_like(value) for value in values]
    step = 0
    for _ in range(epochs):
        order = random.permutation(len(table))
        for begin in range(0, len(order), 512):
            batch = order[begin:begin + 512]
            outputs = [table[batch]]
            for layer in range(3):
                output = outputs[-1] @ values[2 * layer] + values[2 * layer + 1]
                outputs.append(np.maximum(output, 0) if layer < 2 else output)
            slope = (1 / (1 + np.exp(-outputs[3])) - clicks[batch, None]) / len(batch)
            step += 1
            for layer in reversed(range(3)):
                slopes = [outputs[layer].T @ slope, slope.sum(0)]
                slope = (slope @ values[2 * layer].T) * (outputs[layer] > 0)
                for place, gradient in zip((2 * layer, 2 * layer + 1), slopes):
                    first[place] += 0.1 * (gradient - first[place])
                    second[place] += 0.001 * (gradient ** 2 - second[place])
                    rate = 1e-3 * np.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step)
                    values[place] -= (rate * first[place] / (np.sqrt(second[place]) + 1e-8)).astype(np.float32)
    return values


def export(folder, case, values, known):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    names = ["w1", "b1", "w2", "b2", "w3", "b3"]
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["g1"]), helper.make_node("Relu", ["g1"], ["h1"]),
             helper.make_node("Gemm", ["h1", "w2", "b2"], ["g2"]), helper.make_node("Relu", ["g2"], ["h2"]),
             helper.make_node("Gemm", ["h2", "w3", "b3"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    graph = helper.make_graph(
        nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for value, name in zip(values, names)])
    floats = folder / f"{case}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), floats)
    np.save(folder / f"{case}-calibration.npy", known[:20_000])

    class Reader(CalibrationDataReader):
        batches = iter([{"x": known[begin:begin + BATCH]} for begin in range(0, 20 * BATCH, BATCH)])

        def get_next(self):
            return next(self.batches, None)

    quantize_static(floats, folder / f"{case}-int8.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    requests = np.load(folder / "layers-rows.npy")
    session = onnxruntime.InferenceSession(floats, providers=["CPUExecutionProvider"])
    np.save(folder / f"{case}-expected.npy", session.run(None, {"x": requests})[0].ravel().astype(np.float64))


# Each makes the call that is timed: rows in, scores out, one thread.

def lightgbm_call(folder, case):
    """The C API's prediction for a matrix, into memory of ours: what Python's checks cost is left out."""
    import lightgbm
    booster = lightgbm.Booster(model_file=folder / f"{case}.txt")
    predict = lightgbm.basic._LIB.LGBM_BoosterPredictForMat
    scores = np.empty(BATCH)
    count = ctypes.c_int64()
    pointer = scores.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    def call(batch):
        if predict(booster._handle, ctypes.c_void_p(batch.ctypes.data), 0, BATCH, FEATURES, 1, 0, 0, -1,
                   b"num_threads=1", ctypes.byref(count), pointer):
            raise RuntimeError("LightGBM refused a batch")

    return lightgbm.__version__, call


def lleaves_call(folder, case):
    import importlib.metadata

    import lleaves
    model = lleaves.Model(model_file=str(folder / f"{case}.txt"))
    model.compile(cache=str(folder / f"{case}.o"))
    return importlib.metadata.version("lleaves"), lambda batch: model.predict(batch, n_jobs=1)


def xgboost_call(folder, case):
    import xgboost
    model = xgboost.Booster(model_file=folder / f"{case}.json")
    model.set_param({"nthread": 1})
    return xgboost.__version__, lambda batch: model.inplace_predict(batch, validate_features=False)


def onnxruntime_call(folder, case, suffix="-int8"):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / f"{case}{suffix}.onnx", options,
                                           providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda batch: session.run(None, {"x": batch})


CALLS = {"lightgbm": lightgbm_call, "lleaves": lleaves_call, "xgboost": xgboost_call, "onnxruntime": onnxruntime_call,
         "onnxruntime-float": lambda folder, case: onnxruntime_call(folder, case, "")}


def serve(folder):
    batches = {kind: np.load(folder / f"{kind}-rows.npy").reshape(BATCHES, BATCH, FEATURES)
               for kind in ("trees", "layers")}
    ready = {}
    place = 0
    for line in sys.stdin:
        case, subject, calls = line.split()
        try:
            if (case, subject) not in ready:
                ready[case, subject] = CALLS[subject](folder, case)
            version, call = ready[case, subject]
            requests = batches["layers" if case in NETWORKS else "trees"]
            times = []
            for _ in range(int(calls)):
                batch = requests[place % BATCHES]
                place += 1
                begin = time.perf_counter_ns()
                call(batch)
                times.append(time.perf_counter_ns() - begin)
            print(json.dumps({"version": version, "times": times}), flush=True)
        except Exception as error:
            print(json.dumps({"error": repr(error)[:200]}), flush=True)


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "train":
        train(place, "--quick" in sys.argv)
    else:
        serve(place)
