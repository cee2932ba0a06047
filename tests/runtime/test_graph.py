"""What the writer writes is ONNX, by the checker of the onnx package."""

import numpy as np
import onnx
import onnxruntime
import pytest

from voxcycle.runtime.graph import Graph
from voxcycle.runtime.session import Session, use_device, use_threads


def make_graph():
    """Return a graph with every kind of attribute, constant and shape."""
    graph = Graph()
    x = graph.add_input("x", ["frames", 3])
    left, right = graph.add_many("Split", 2, x, graph.add_constant(np.array([1, 2])), axis=1)
    both = graph.add("Concat", right, left, axis=-1)
    leaky = graph.add("LeakyRelu", both, alpha=0.25)
    turned = graph.add("Transpose", leaky, perm=[1, 0])
    weight = graph.add_constant(np.full((3, 3), 2.0))
    graph.add_output("y", graph.add("MatMul", weight, turned), [3, "frames"])
    return graph


def test_a_model_is_valid_and_computes():
    model = make_graph().to_bytes()
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    x = np.array([[1, -4, 2], [0, 8, -8]], np.float32)
    leaky = np.where(x > 0, x, 0.25 * x)[:, [1, 2, 0]]
    expected = np.full((3, 3), 2.0) @ leaky.T
    np.testing.assert_allclose(Session(make_graph()).run({"x": x})["y"], expected)


def test_constants_keep_their_values_and_kinds():
    graph = Graph()
    graph.add_constant(np.array([[1.5, -2]], np.float16))
    graph.add_constant(np.array([-1, 1 << 40]))
    model = onnx.load_from_string(graph.to_bytes())
    floats, integers = (onnx.numpy_helper.to_array(x) for x in model.graph.initializer)
    assert floats.dtype == np.float16 and floats.tolist() == [[1.5, -2]]
    assert integers.dtype == np.int64 and integers.tolist() == [-1, 1 << 40]


def test_results_do_not_depend_on_the_threads():
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.add_input("x", ["frames", 256])
    weight = graph.add_constant(rng.normal(size=(256, 256)))
    graph.add_output("y", graph.add("Gelu", graph.add("MatMul", x, weight)), ["frames", 256])
    inputs = {"x": rng.normal(size=(500, 256))}
    results = []
    for n_threads in (1, 2):
        use_threads(n_threads)
        results.append(Session(graph).run(inputs)["y"])
    use_threads(1)
    np.testing.assert_array_equal(*results)


def test_threads_do_not_wait_busily_after_a_run(monkeypatch):
    options = []

    def open_session(model, given, providers):
        options.append(given)
        return make_session(model, given, providers=providers)

    make_session = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    Session(make_graph()).run({"x": np.zeros((1, 3), np.float32)})
    assert options[0].get_session_config_entry("session.force_spinning_stop") == "1"


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match="device cuda: this installation .* has cpu"):
        use_device("cuda")
    with pytest.raises(ValueError, match="device gpu: known are auto, cpu, cuda"):
        use_device("gpu")
    use_device("auto")
    with pytest.raises(ValueError, match="threads -1"):
        use_threads(-1)
