"""Random models of nested If, Loop and Scan against ONNX Runtime.

Vectors are of two kinds: `f` have the input's length throughout, `g` change it. A block reads what any block around it
made, and makes one of each.
"""

import os
import random

import numpy as np
import pytest
from small_models import parse

SEED = int(os.environ.get("ONNXC_SEED", "1"))


class Generator:
    """Writes a model in ONNX's text form."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def vector(self, value: str) -> str:
        """Its declaration; a dim name of its own, as ONNX Runtime takes equal names for equal lengths in all blocks."""
        return f"float[{self.name('D')}] {value}"

    def fixed(self, f: list[str], g: list[str]) -> list[str]:
        """Lines that add a vector to f."""
        a, b = self.random.choice(f), self.random.choice(f)
        out, sum_, h = self.name("f"), self.name("s"), self.name("h")
        lines = self.random.choice(
            [
                [f"{h} = Add({a}, {b})", f"{out} = Tanh({h})"],
                [f"{h} = Mul({a}, {b})", f"{out} = Sub({h}, {a})"],
                [f"{out} = Identity({a})"],
                [f"{sum_} = ReduceSum({self.random.choice(g)})", f"{h} = Add({a}, {sum_})", f"{out} = Tanh({h})"],
            ]
        )
        f.append(out)
        return lines

    def changing(self, f: list[str], g: list[str]) -> list[str]:
        """Lines that add a vector to g."""
        a, b = self.random.choice(g), self.random.choice(f + g)
        out, sum_ = self.name("g"), self.name("s")
        lines = self.random.choice(
            [
                [f"{out} = Concat <axis = 0> ({a}, {b})"],
                [f"{out} = Slice({a}, one, end)"],
                [f"{out} = Neg({a})"],
                [f"{sum_} = ReduceSum({b})", f"{out} = Mul({a}, {sum_})"],
                [f"{out} = Identity({a})"],
            ]
        )
        g.append(out)
        return lines

    def conditional(self, f: list[str], g: list[str], depth: int) -> list[str]:
        sum_, condition, out_f, out_g = (self.name(kind) for kind in ("s", "c", "f", "g"))
        branches = []
        for which in ("then", "else"):
            lines, own_f, own_g = self.block(f, g, depth - 1)
            graph = f"{self.name('b')} () => ({self.vector(own_f)}, {self.vector(own_g)}) {{ {' '.join(lines)} }}"
            branches.append(f"{which}_branch = {graph}")
        lines = [
            f"{sum_} = ReduceSum <keepdims = 0> ({self.random.choice(f + g)})",
            f"{condition} = Greater({sum_}, zero)",
            f"{out_f}, {out_g} = If ({condition}) <{', '.join(branches)}>",
        ]
        f.append(out_f)
        g.append(out_g)
        return lines

    def loop(self, f: list[str], g: list[str], depth: int) -> list[str]:
        a, b, c, i, go, on = (self.name(kind) for kind in ("f", "f", "g", "i", "go", "on"))
        lines, own_f, own_g = self.block([*f, a, b], [*g, c], depth - 1)
        if self.random.random() < 0.5:
            sum_ = self.name("s")
            lines += [f"{sum_} = ReduceSum <keepdims = 0> ({own_f})", f"{on} = Less({sum_}, two)"]
        else:
            lines += [f"{on} = Identity({go})"]
        # Of the vectors that keep their length, the second becomes the first.
        kept, row = self.name("f"), self.name("f")
        lines += [f"{kept} = Identity({b})", f"{row} = Neg({own_f})"]
        out = [self.name(kind) for kind in ("f", "f", "g", "t")]
        total = self.name("f")
        body = (
            f"{self.name('b')} (int64 {i}, bool {go}, {', '.join(map(self.vector, (a, b, c)))}) => "
            f"(bool {on}, {', '.join(map(self.vector, (kept, own_f, own_g, row)))}) {{ {' '.join(lines)} }}"
        )
        arguments = (self.random.choice(f), self.random.choice(f), self.random.choice(g))
        f += [*out[:2], total]
        g.append(out[2])
        return [
            f"{', '.join(out)} = Loop (trips, yes, {', '.join(arguments)}) <body = {body}>",
            f"{total} = ReduceSum <keepdims = 0> ({out[3]}, first)",
        ]

    def block(self, f: list[str], g: list[str], depth: int) -> tuple[list[str], str, str]:
        f, g, lines = list(f), list(g), []
        for _ in range(self.random.randint(2, 4)):
            makers = [self.fixed, self.changing] + ([self.conditional, self.loop] * 2 if depth else [])
            maker = self.random.choice(makers)
            lines += maker(f, g, depth) if maker in (self.conditional, self.loop) else maker(f, g)
        own_f, own_g = self.name("f"), self.name("g")
        lines += [f"{own_f} = Tanh({f[-1]})", f"{own_g} = Sigmoid({g[-1]})"]
        return lines, own_f, own_g

    def model(self) -> str:
        lines, f, g = self.block(["x"], ["y"], depth=2)
        return f"""
        g (int64 trips, float[N] x, float[M] y) => (float[P] {f}, float[Q] {g}) {{
          zero = Constant <value = float {{0.0}}> ()
          two = Constant <value = float {{2.0}}> ()
          yes = Constant <value = bool {{1}}> ()
          first = Constant <value = int64[1] {{0}}> ()
          one = Constant <value = int64[1] {{1}}> ()
          end = Constant <value = int64[1] {{1000000}}> ()
          {" ".join(lines)}
        }}"""


@pytest.mark.parametrize("case", range(5))
def test_random_subgraphs(agree, case: int) -> None:
    print("ONNXC_SEED =", SEED)
    text = Generator(SEED + case).model()
    print(text)
    rng = np.random.default_rng(SEED + case)
    agree(
        parse(text),
        *(
            {
                "trips": np.array(trips),
                "x": rng.standard_normal(n).astype(np.float32),
                "y": rng.standard_normal(m).astype(np.float32),
            }
            for trips, n, m in ((1, 4, 3), (3, 5, 1), (2, 1, 6))
        ),
    )
