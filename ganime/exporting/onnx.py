"""ONNX: a file that runs nearly everywhere, from Python and C# to telephones."""

from pathlib import Path

import numpy as np

from ganime.errors import missing
from ganime.exporting.small import BLOCK, QuantizedLayer
from ganime.generation.chain import Chain

OPSET, IR_VERSION = 17, 8  # of 2022: onnxruntime 1.12 and later


def write(path: Path, chain: Chain, facts: dict[str, str]) -> None:
    """Write an ONNX file from `latents` [batch, latent_size] to `images` [batch, height, width, 3]; the facts are its metadata.

    Kernels of float16 and int8 are stored so, and computed with in float32: runtimes convert them once, when they load them.

    Raises:
        GanimeError: If `onnx` is not installed.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as error:
        raise missing("onnx", "onnxruntime") from error

    graph = _Graph(chain)
    float32 = onnx.TensorProto.FLOAT
    latents = helper.make_tensor_value_info("latents", float32, ["batch", chain.latent_size])
    images = helper.make_tensor_value_info("images", float32, ["batch", *chain.image_shape])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "generator", [latents], [images], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ganime",
        producer_version=facts["ganime"],
    )
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def run(path: Path, latents: np.ndarray) -> np.ndarray:
    """The written file's images, float32 [count, height, width, 3], of latents [count, latent_size].

    Raises:
        GanimeError: If `onnxruntime` is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnx", "onnxruntime") from error
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["images"], {"latents": latents})[0]


class _Graph:
    """Nodes and constants, channels first inside, as ONNX has it."""

    def __init__(self, chain):
        self.nodes, self.constants = [], []
        first, *rest = chain.layers
        height, width, outputs, _ = first.kernel.shape
        kernel = self._kernel("0", first, lambda array: array.transpose(3, 2, 0, 1).reshape(array.shape[3], -1))
        sides, flat = self._constant("sides", np.array([outputs, height * width])), self._constant("flat", np.array([-1]))
        bias = self._add("Reshape", self._add("Expand", self._constant("bias.0", first.bias[:, None]), sides), flat)
        x = self._add("Gemm", "latents", kernel, bias)
        x = self._add("Reshape", x, self._constant("shape", np.array([-1, outputs, height, width])))
        x = self._activate(x, first.slope)
        for i, layer in enumerate(rest, 1):
            kernel = self._kernel(str(i), layer, lambda array: array.transpose(3, 2, 0, 1))
            bias = self._constant(f"bias.{i}", layer.bias)
            sides = {"kernel_shape": layer.kernel.shape[:2], "strides": [layer.stride] * 2, "pads": [1, 1, 1, 1]}
            x = self._add("ConvTranspose", x, kernel, bias, **sides)
            x = self._activate(x, layer.slope)
        self._add("Transpose", x, perm=[0, 2, 3, 1])
        self.nodes[-1].output[0] = "images"

    def _add(self, kind, *inputs, **attributes):
        """A node; the name of its output is returned."""
        from onnx import helper

        name = f"{kind}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def _constant(self, name, array):
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _kernel(self, number, layer, arrange):
        """The name of a layer's kernel in float32."""
        from onnx import TensorProto

        name = self._constant(f"kernel.{number}", arrange(layer.kernel))
        if layer.kernel.dtype != np.float32:
            name = self._add("Cast", name, to=TensorProto.FLOAT)
        if isinstance(layer, QuantizedLayer):
            scale = self._add("Cast", self._constant(f"scale.{number}", arrange(layer.scale)), to=TensorProto.FLOAT)
            block = np.arange(layer.kernel.shape[3], dtype=np.int32) // BLOCK  # of each input
            name = self._add("Mul", name, self._add("Gather", scale, self._constant(f"block.{number}", block)))
        return name

    def _activate(self, x, slope):
        if slope is None:
            return self._add("Tanh", x)
        return self._add("LeakyRelu", x, alpha=slope) if slope else self._add("Relu", x)
