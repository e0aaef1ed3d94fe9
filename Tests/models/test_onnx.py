"""Imported ONNX networks score as onnxruntime does."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tables import compare, marquee, scores

FEATURES, ROW_COUNT = 24, 100_000


class Chain:
    """A graph that grows at its end, with constants drawn as they are needed."""

    def __init__(self, seed=1):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.end, self.width = [], [], "x", FEATURES

    def constant(self, values, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def add(self, operator, *constants, first=None, **attributes):
        inputs = [self.end, *constants] if first is None else [first, self.end]
        self.end = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [self.end], **attributes))
        return self

    def drawn(self, *shape, scale=1.0):
        return self.constant(self.random.standard_normal(shape) * scale)

    def gemm(self, width, bias=True, transposed=False, **attributes):
        shape = (width, self.width) if transposed else (self.width, width)
        weights = self.drawn(*shape, scale=np.sqrt(2 / self.width))
        self.width = width
        return self.add("Gemm", weights, *([self.drawn(width)] if bias else []), transB=int(transposed), **attributes)

    def matmul(self, width):
        weights = self.drawn(self.width, width, scale=np.sqrt(2 / self.width))
        self.width = width
        return self.add("MatMul", weights)

    def normalisation(self):
        count = self.width
        return self.add("BatchNormalization", self.drawn(count), self.drawn(count), self.drawn(count),
                        self.constant(self.random.random(count) + 0.1), epsilon=1e-4)

    def standardised(self):
        return (self.add("Sub", self.drawn(self.width))
                .add("Div", self.constant(self.random.random(self.width) + 0.5)))

    def save(self, path):
        graph = helper.make_graph(
            self.nodes, "chain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
            [helper.make_tensor_value_info(self.end, TensorProto.FLOAT, [None, 1])], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


CHAINS = {
    "two hidden layers": lambda c: c.gemm(64).add("Relu").gemm(32).add("Relu").gemm(1).add("Sigmoid"),
    "no hidden layer": lambda c: c.gemm(1).add("Sigmoid"),
    "no sigmoid": lambda c: c.gemm(17).add("Relu").gemm(1),
    "products and sums": lambda c: (c.matmul(33).add("Add", c.drawn(33)).add("Relu").matmul(1).add("Add", c.drawn(1))
                                    .add("Sigmoid")),
    "transposed": lambda c: c.gemm(40, transposed=True).add("Relu").gemm(1, transposed=True, bias=False).add("Sigmoid"),
    "alpha and beta": lambda c: c.gemm(16, alpha=0.5, beta=2.0).add("Relu").gemm(1, alpha=-1.5).add("Sigmoid"),
    "standardised features": lambda c: c.standardised().gemm(64).add("Relu").gemm(1).add("Sigmoid"),
    "batch normalisation": lambda c: (c.normalisation().gemm(48).normalisation().add("Relu").normalisation().gemm(1)
                                      .add("Sigmoid")),
    "a factor for all": lambda c: (c.add("Mul", c.constant([0.25])).gemm(20).add("Relu")
                                   .add("Mul", first=c.constant(2.0)).gemm(1).add("Sigmoid")),
    "four hidden layers": lambda c: (c.gemm(50).add("Relu").gemm(40).add("Relu").gemm(30).add("Relu").gemm(20).add("Relu")
                                     .gemm(1).add("Sigmoid")),
    "wide": lambda c: c.gemm(700).add("Relu").gemm(1).add("Sigmoid"),
}


def requests(seed=2):
    return np.random.default_rng(seed).standard_normal((ROW_COUNT, FEATURES)).astype(np.float32)


def expected(path, table):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": table})[0]


@pytest.mark.parametrize("name", CHAINS)
def test_floats_are_onnxruntimes(name, tmp_path):
    chain = CHAINS[name](Chain())
    chain.save(tmp_path / "model.onnx")
    table = requests()
    compare(name, scores(tmp_path / "model.onnx", table, tmp_path), expected(tmp_path / "model.onnx", table), 1e-5)


def test_bytes_of_others_are_read_as_floats_and_brought_to_bytes_again(tmp_path):
    """A network that onnxruntime's quantiser wrote as QDQ: the floats that its weights stand for, then bytes of ours that
    rank like them, and a ranker that says what that cost."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    CHAINS["two hidden layers"](Chain()).save(tmp_path / "floats.onnx")
    table = requests()

    class Reader(CalibrationDataReader):
        batches = iter([{"x": table[begin:begin + 500]} for begin in range(0, 5000, 500)])

        def get_next(self):
            return next(self.batches, None)

    quantize_static(tmp_path / "floats.onnx", tmp_path / "bytes.onnx", Reader(), quant_format=QuantFormat.QDQ,
                    per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    found = scores(tmp_path / "bytes.onnx", table, tmp_path)
    theirs = expected(tmp_path / "bytes.onnx", table).ravel()
    difference = np.abs(found.ravel() - theirs)
    print(f"against onnxruntime's bytes: largest {difference.max():g}, mean {difference.mean():g}")
    # Theirs round every layer's values, which we keep: a mean difference of a byte's step.
    assert difference.mean() < 1 / 128

    report = marquee("model", "quantise", tmp_path / "ranker", "--rows", tmp_path / "rows.npy", "--out", tmp_path / "ours")
    assert report["family"] == "layers of bytes"
    assert report["loss"]["ndcg10_loss"] <= 0.02 and report["loss"]["kendall_tau"] >= 0.95, report["loss"]
