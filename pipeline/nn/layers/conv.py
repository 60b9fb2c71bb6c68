"""Convolution, as matrix products over pictures in blocks (blocks.py).

A block (height, channels, width, lanes) is first *unrolled* sideways: for each of the kernel's columns a copy of the
block as that column sees it, (height, channels, kernel width, output width, lanes). Rows of pixels y … y + kernel
height of it are one matrix (kernel height·channels·kernel width, output width·lanes) as they lie in memory, and an
output row is the weights times that matrix. Unrolling the kernel's height as well (im2col) would copy kernel-height
times more. (3×3 kernels with stride 1 mostly go another way: winograd.py.)
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.errors import UsageError, one_of, whole_number
from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.layers import winograd
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.layers.blocks import pair, picture_shape, to_blocks, way_back
from pipeline.nn.workspace import Pass

PADDINGS = ("valid", "same")


@dataclass(frozen=True)
class Axis:
    """How a kernel walks along one axis: output o sees inputs o·stride − before + tap for tap < kernel.

    Inputs that do not exist count as 0.
    """

    kernel: int
    stride: int
    before: int
    inputs: int
    outputs: int

    @classmethod
    def of(cls, inputs: int, kernel: int, stride: int, padding: str) -> Self:
        """padding "valid": none. "same": ⌈inputs / stride⌉ outputs, an odd zero goes to the end."""
        if padding == "valid":
            return cls(kernel, stride, 0, inputs, (inputs - kernel) // stride + 1)
        outputs = -(-inputs // stride)
        zeros = max((outputs - 1) * stride + kernel - inputs, 0)
        return cls(kernel, stride, zeros // 2, inputs, outputs)

    def seen_by_output(self, o: int) -> tuple[slice, slice]:
        """(inputs that output o sees, the taps it sees them through)."""
        start = o * self.stride - self.before
        taps = slice(max(0, -start), min(self.kernel, self.inputs - start))
        return slice(start + taps.start, start + taps.stop), taps

    def seeing_input(self, i: int) -> tuple[slice, slice]:
        """(outputs that see input i, the taps they see it through, counted from the last tap)."""
        first = max(0, -(-(i + self.before - self.kernel + 1) // self.stride))
        stop = min(self.outputs, (i + self.before) // self.stride + 1)
        tap = self.kernel - 1 - (i + self.before - first * self.stride)
        return slice(first, stop), slice(tap, tap + (stop - first) * self.stride, self.stride)

    def through_tap(self, tap: int) -> tuple[slice, slice]:
        """(outputs that see an input through `tap`, the inputs they see)."""
        first = max(0, -(-(self.before - tap) // self.stride))
        stop = max(first, min(self.outputs, (self.inputs - 1 + self.before - tap) // self.stride + 1))
        start = first * self.stride - self.before + tap
        return slice(first, stop), slice(start, start + (stop - first) * self.stride, self.stride)


class Conv2D(Layer):
    """y[f, i, j] = b[f] + Σ_{c,u,v} w[f, c, u, v] · x[c, i·stride + u, j·stride + v].

    filters: channels of the output. kernel, stride: one whole number, or (height, width). padding: "valid"
    uses no pixel outside of the picture, "same" adds zeros around it so that with stride 1 the output has
    the picture's size. Parameters: weight (filters, channels, kernel height, kernel width), bias (filters,).
    Raises UsageError for arguments out of range, and for pictures smaller than a valid kernel.
    """

    def __init__(
        self,
        filters: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: str = "valid",
        bias: bool = True,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.filters, self.bias = whole_number("Conv2D: filters", filters), bias
        self.padding, self.init = one_of("padding", padding, PADDINGS), one_of("initializer", init, INITIALIZERS)
        self.kernel, self.stride = pair("Conv2D kernel", kernel), pair("Conv2D stride", stride)

    def describe(self) -> str:
        return f"Conv2D {self.filters}@{self.kernel[0]}×{self.kernel[1]}"

    def axes(self, height: int, width: int) -> tuple[Axis, Axis]:
        walks = zip((height, width), self.kernel, self.stride, strict=True)
        return tuple(Axis.of(*walk, self.padding) for walk in walks)

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = picture_shape("Conv2D", shape)
        down, across = self.axes(height, width)
        if down.outputs < 1 or across.outputs < 1:
            raise UsageError(
                f"{self.describe()} does not fit into a picture of {height}×{width} pixels: take a smaller kernel, "
                'or padding "same".'
            )
        return (self.filters, down.outputs, across.outputs)

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        channels = picture_shape("Conv2D", shape)[0]
        return {"weight": (self.filters, channels, *self.kernel)} | ({"bias": (self.filters,)} if self.bias else {})

    def initialize(self, rng: np.random.Generator) -> None:
        weight = self.params["weight"]
        taps = self.kernel[0] * self.kernel[1]
        weight[...] = INITIALIZERS[self.init](weight.shape, weight.shape[1] * taps, self.filters * taps, rng=rng)

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        to_input = way_back(x, self, ctx)
        x = to_blocks(x, self, ctx)
        height, width = x.shape[1], x.shape[3]
        down, across = self.axes(height, width)
        if winograd.pays(self.params["weight"], self.stride, (height, width), (down.outputs, across.outputs)):
            return self._by_tiles(x, to_input, ctx)
        return self._by_rows(x, to_input, ctx)

    def _by_rows(self, x: np.ndarray, to_input: Backward, ctx: Pass) -> tuple[np.ndarray, Backward]:
        """The direct form, which defines the layer: each output row is a product with the input rows that it sees."""
        weight, filters = self.params["weight"], self.filters
        blocks, height, channels, width, lanes = x.shape
        down, across = self.axes(height, width)
        seen, run_length = channels * across.kernel, across.outputs * lanes
        unrolled_shape = (height, channels, across.kernel, across.outputs, lanes)
        y = ctx.array(self, "y", (blocks, down.outputs, filters, across.outputs, lanes), weight.dtype)
        by_row = np.ascontiguousarray(weight.transpose(0, 2, 1, 3)).reshape(filters, down.kernel * seen)

        def unrolled_rows(block: int, part: int) -> np.ndarray:
            """The block unrolled: (height, channels·kernel width, output width·lanes)."""
            unrolled = ctx.array(self, f"unrolled {part}", unrolled_shape, weight.dtype)
            unroll(x[block], across, out=unrolled)
            return unrolled.reshape(height, seen, run_length)

        def forward_block(block: int, part: int) -> None:
            unrolled, rows = unrolled_rows(block, part), y[block].reshape(down.outputs, filters, run_length)
            for o in range(down.outputs):
                inputs, taps = down.seen_by_output(o)
                weights = by_row[:, taps.start * seen : taps.stop * seen]
                np.dot(weights, unrolled[inputs].reshape(-1, run_length), out=rows[o])
            if self.bias:
                rows += self.params["bias"][:, None]

        ctx.share(blocks, forward_block)

        def backward(dy: np.ndarray) -> np.ndarray | None:
            wants_dx = ctx.wants_input_gradient or not self.is_first
            dx = ctx.array(self, "dx", x.shape, weight.dtype) if wants_dx else None
            # The other way round, each input row is a product with the output rows that see it, which lie one
            # behind the other too: the first of them sees it through the last tap.
            by_input = np.ascontiguousarray(weight[:, :, ::-1].transpose(1, 3, 2, 0))
            by_input = by_input.reshape(seen, down.kernel, filters)

            def backward_block(block: int, part: int) -> tuple[np.ndarray, np.ndarray]:
                """Write the block's part of dx; give its share of ∂L/∂by_input and of ∂L/∂bias."""
                unrolled = unrolled_rows(block, part)  # again: keeping it for all blocks costs more
                dunrolled = ctx.array(self, f"dunrolled {part}", unrolled.shape, weight.dtype) if wants_dx else None
                drows = dy[block].reshape(down.outputs, filters, run_length)
                dweight = np.zeros_like(by_input)
                for i in range(height):
                    outputs, taps = down.seeing_input(i)
                    seeing = drows[outputs].reshape(-1, run_length)
                    dtaps = dweight[:, taps]
                    dtaps += np.dot(unrolled[i], seeing.T).reshape(dtaps.shape)
                    if wants_dx:
                        np.dot(by_input[:, taps].reshape(seen, -1), seeing, out=dunrolled[i])
                if wants_dx:
                    fold(dunrolled.reshape(unrolled_shape), across, out=dx[block])
                return dweight, drows.sum(axis=2).sum(axis=0)

            dweights, dbiases = zip(*ctx.share(blocks, backward_block), strict=True)
            dweight = sum(dweights).reshape(channels, across.kernel, down.kernel, filters)
            self.grads["weight"][...] = dweight[:, :, ::-1].transpose(3, 0, 2, 1)
            if self.bias:
                self.grads["bias"][...] = sum(dbiases)
            return to_input(dx) if wants_dx else None

        return y, backward

    def _by_tiles(self, x: np.ndarray, to_input: Backward, ctx: Pass) -> tuple[np.ndarray, Backward]:
        """The same in Winograd's form."""
        convolution = winograd.Convolution(self, x, self.params["weight"], ctx)

        def backward(dy: np.ndarray) -> np.ndarray | None:
            wants_dx = ctx.wants_input_gradient or not self.is_first
            self.grads["weight"][...], dx = convolution.backward(dy, wants_dx=wants_dx)
            if self.bias:
                self.grads["bias"][...] = dy.sum(axis=(3, 4)).sum(axis=(0, 1))
            return to_input(dx) if wants_dx else None

        return convolution.forward(self.params.get("bias")), backward


def unroll(block: np.ndarray, across: Axis, *, out: np.ndarray) -> None:
    """Copy a block (height, channels, width, lanes) for every column of the kernel as that sees it.

    out: (height, channels, kernel width, output width, lanes); 0 where the column lies outside of the picture.
    """
    for tap in range(across.kernel):
        outputs, inputs = across.through_tap(tap)
        out[:, :, tap, : outputs.start] = 0
        out[:, :, tap, outputs] = block[:, :, inputs]
        out[:, :, tap, outputs.stop :] = 0


def fold(unrolled: np.ndarray, across: Axis, *, out: np.ndarray) -> None:
    """Add up again what `unroll` copied; shapes as there."""
    out[...] = 0
    for tap in range(across.kernel):
        outputs, inputs = across.through_tap(tap)
        out[:, :, inputs] += unrolled[:, :, tap, outputs]
