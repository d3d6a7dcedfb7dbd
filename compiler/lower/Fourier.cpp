//===- Fourier.cpp - Fourier transforms of rows ---------------------------===//
//
// A short transform of known length is one matrix product with a table, which
// reads a signal's parts side by side and writes a bin's side by side: the
// register tiles of products do many times more operations a second than loops
// over a butterfly, up to a length of some hundreds. A longer one runs through
// the factors of its length: Stockham's algorithm, whose every stage is a small
// product along one dim and leaves the bins in order. Where a prime factor is
// large, Bluestein's algorithm makes of the transform a convolution, and of
// that transforms of a power of two. Of a length that only a run tells, a short
// transform is by definition, a longer one by RunTimeFourier.cpp.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Fourier.h"

#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/MatrixProducts.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace onnxc;

/// The longest transform that is one product.
static constexpr int64_t longestProduct = 512;
/// The largest prime factor that gets a stage of its own.
static constexpr int64_t largestFactor = 31;
/// The longest transform by definition of a length that only a run tells.
static constexpr int64_t longestByDefinition = 96;
/// Tables of longer transforms would fill the library.
static constexpr int64_t longestTransform = int64_t(1) << 20;

namespace {

using Complex = ComplexTensors;

class Fourier {
public:
  Fourier(Lowering &l, Type element, const FourierTransform &transform)
      : l(l), element(element), transform(transform),
        sign(transform.inverse ? 1 : -1) {}

  /// `x` is [rows, length, 1 or 2]; the result [rows, bins, parts].
  Value run(Value x, int64_t parts);

private:
  Value asProduct(Value x, int64_t parts, int64_t n, int64_t bins);
  Complex staged(Complex x, int64_t n);
  Complex stage(Complex x, int64_t n, int64_t done, int64_t factor);
  Complex bluestein(Complex x, int64_t n);
  Complex byDefinition(Complex x, OpFoldResult n);
  Complex ofAnyLength(Complex x);

  Value part(Value x, int64_t index);
  Value joined(Complex x);
  ElementsAttr elements(ArrayRef<int64_t> shape,
                        function_ref<double(ArrayRef<int64_t>)> entry);
  Value table(ArrayRef<int64_t> shape,
              function_ref<double(ArrayRef<int64_t>)> entry) {
    return l.constantTensor(elements(shape, entry));
  }
  Complex timesTable(Complex x, Complex factors, int64_t from, int64_t to,
                     int64_t size);
  Complex multiplied(Complex x, Dims dims, AffineMap out, AffineMap in,
                     Complex factor, AffineMap factorMap, unsigned loops);

  Lowering &l;
  Type element;
  const FourierTransform &transform;
  double sign; ///< of the exponent
};

} // namespace

/// Fours first, then the prime factors in order.
static SmallVector<int64_t> factorsOf(int64_t n) {
  SmallVector<int64_t> factors;
  for (; n % 4 == 0; n /= 4)
    factors.push_back(4);
  for (int64_t factor = 2; factor * factor <= n; ++factor)
    for (; n % factor == 0; n /= factor)
      factors.push_back(factor);
  if (n > 1)
    factors.push_back(n);
  return factors;
}

/// A constant of the type that is computed in.
ElementsAttr Fourier::elements(ArrayRef<int64_t> shape,
                               function_ref<double(ArrayRef<int64_t>)> entry) {
  auto type = RankedTensorType::get(shape, element);
  size_t size = element.getIntOrFloatBitWidth() / 8;
  std::vector<char> bytes(type.getNumElements() * size);
  SmallVector<int64_t> at(shape.size());
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i) {
    double wide = entry(at);
    auto narrow = static_cast<float>(wide);
    std::memcpy(bytes.data() + i * size,
                size == 8 ? static_cast<void *>(&wide) : &narrow, size);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis])
        break;
      at[axis] = 0;
    }
  }
  return makeElements(type, std::move(bytes));
}

/// Part `index` of [rows, n, parts] as [rows, n].
Value Fourier::part(Value x, int64_t index) {
  Dims sizes = l.sizes(x), offsets(3, l.attr(0));
  offsets[2] = l.attr(index);
  sizes[2] = l.attr(1);
  Value one = l.slice(x, offsets, sizes, Dims(3, l.attr(1)));
  return l.reshape(one, {sizes[0], sizes[1]});
}

/// The wanted bins and parts of [rows, n], in a new last dim, scaled.
Value Fourier::joined(Complex x) {
  Dims dims{transform.rows, transform.bins, l.attr(transform.parts)};
  Value scale = transform.inverse ? l.index(transform.length) : Value();
  return l.pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
    Scalars s{nested, l.loc};
    ValueRange place = at.take_front(2);
    Value value = tensor::ExtractOp::create(nested, l.loc, x.real, place);
    if (transform.parts == 2) {
      Value other =
          tensor::ExtractOp::create(nested, l.loc, x.imaginary, place);
      Value isReal = s.compare(Comparison::Equal, at[2],
                               s.integer(nested.getIndexType(), 0), false);
      value = s.select(isReal, value, other);
    }
    if (scale)
      value = s.div(value, s.fromIndex(scale, value.getType()), false);
    return s.convert(value, value.getType(), element);
  });
}

/// [rows, n * parts] times [n * parts, bins * parts].
Value Fourier::asProduct(Value x, int64_t parts, int64_t n, int64_t bins) {
  double scale = transform.inverse ? 1.0 / static_cast<double>(n) : 1.0;
  SmallVector<double> cosine, sine;
  for (int64_t i = 0; i < n; ++i) {
    double angle =
        2 * M_PI * static_cast<double>(i) / static_cast<double>(n) * sign;
    cosine.push_back(std::cos(angle) * scale);
    sine.push_back(std::sin(angle) * scale);
  }
  SmallVector<int64_t> shape{n * parts, bins * transform.parts};
  ElementsAttr factors = elements(shape, [&](ArrayRef<int64_t> at) {
    int64_t turn = at[0] / parts * (at[1] / transform.parts) % n;
    bool fromImaginary = at[0] % parts, toImaginary = at[1] % transform.parts;
    if (fromImaginary == toImaginary)
      return cosine[turn];
    return toImaginary ? sine[turn] : -sine[turn];
  });
  Value samples = l.reshape(x, {transform.rows, l.attr(shape[0])});
  Dims dims{transform.rows, l.attr(shape[1])};
  Value weights = weightOperand(l, factors, false);
  Value product = kernelMatmul(l, samples, weights, dims);
  return l.reshape(product,
                   {transform.rows, l.attr(bins), l.attr(transform.parts)});
}

/// Sums over the last loop the complex products of `x` and `factor`.
Complex Fourier::multiplied(Complex x, Dims dims, AffineMap out, AffineMap in,
                            Complex factor, AffineMap factorMap,
                            unsigned loops) {
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  auto part = [&](bool real) {
    SmallVector<MappedOperand> operands = {
        {x.real, in}, {real ? factor.real : factor.imaginary, factorMap}};
    if (x.imaginary) {
      operands.push_back({x.imaginary, in});
      operands.push_back({real ? factor.imaginary : factor.real, factorMap});
    }
    return l.generic(
        l.filled(element, dims, numberAttr(element, 0)), out, operands,
        iterators, [&](OpBuilder &nested, ValueRange values) {
          Scalars s{nested, l.loc};
          Value product = s.mul(values[0], values[1]);
          if (x.imaginary) {
            Value second = s.mul(values[2], values[3]);
            product = real ? s.sub(product, second) : s.add(product, second);
          }
          return s.accumulate(values.back(), product);
        });
  };
  return {part(true), part(false)};
}

/// `x` is [rows, factor, m, done]: for each of factor * m interleaved parts of
/// the signal the `done` bins of its transform. Gives [rows, m, factor, done]:
/// the factor * done bins of m parts,
///   y[i, r, k] = sum_q x[q, i, k] exp(sign 2 pi i q (k + r done) / (factor
///   done)).
Complex Fourier::stage(Complex x, int64_t n, int64_t done, int64_t factor) {
  int64_t m = n / (done * factor), bins = done * factor;
  auto angle = [&](ArrayRef<int64_t> at) {
    int64_t turn = at[1] * (at[2] + at[0] * done) % bins;
    return sign * 2 * M_PI * static_cast<double>(turn) /
           static_cast<double>(bins);
  };
  SmallVector<int64_t> shape{factor, factor, done}; // r, q, k
  Complex twiddles{table(shape, [&](auto at) { return std::cos(angle(at)); }),
                   table(shape, [&](auto at) { return std::sin(angle(at)); })};
  Dims before{transform.rows, l.attr(factor), l.attr(m), l.attr(done)};
  x.real = l.reshape(x.real, before);
  if (x.imaginary)
    x.imaginary = l.reshape(x.imaginary, before);
  MLIRContext *context = l.b.getContext();
  AffineExpr row, i, r, k, q;
  bindDims(context, row, i, r, k, q);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(5, 0, exprs, context);
  };
  Dims after{transform.rows, l.attr(m), l.attr(factor), l.attr(done)};
  Complex y = multiplied(x, after, map({row, i, r, k}), map({row, q, i, k}),
                         twiddles, map({r, q, k}), 5);
  Dims flat{transform.rows, l.attr(n)};
  return {l.reshape(y.real, flat), l.reshape(y.imaginary, flat)};
}

Complex Fourier::staged(Complex x, int64_t n) {
  int64_t done = 1;
  for (int64_t factor : factorsOf(n)) {
    x = stage(x, n, done, factor);
    done *= factor;
  }
  if (!x.imaginary)
    x.imaginary =
        l.filled(element, {transform.rows, l.attr(n)}, numberAttr(element, 0));
  return x;
}

/// [rows, to] whose first `size` columns are those of `x`, which has `from`,
/// times the factors; zeros behind.
Complex Fourier::timesTable(Complex x, Complex factors, int64_t from,
                            int64_t to, int64_t size) {
  auto part = [&](bool real) {
    return l.pull(
        element, {transform.rows, l.attr(to)},
        [&](OpBuilder &nested, ArrayRef<Value> at) {
          Scalars s{nested, l.loc};
          Type index = nested.getIndexType();
          Value column = at[1];
          Value isThere = s.compare(Comparison::Less, column,
                                    s.integer(index, size), false);
          if (to > from)
            column = s.select(isThere, column, s.integer(index, 0));
          SmallVector<Value> place{at[0], column};
          auto read = [&](Value tensor, ValueRange where) -> Value {
            return tensor::ExtractOp::create(nested, l.loc, tensor, where);
          };
          Value product =
              s.mul(read(x.real, place),
                    read(real ? factors.real : factors.imaginary, column));
          if (x.imaginary) {
            Value second =
                s.mul(read(x.imaginary, place),
                      read(real ? factors.imaginary : factors.real, column));
            product = real ? s.sub(product, second) : s.add(product, second);
          }
          return to > size ? s.select(isThere, product, s.constant(element, 0))
                           : product;
        });
  };
  return {part(true), part(false)};
}

/// The transform of a power of two of numbers, when compiling.
static void transformInPlace(std::vector<double> &re, std::vector<double> &im) {
  auto size = static_cast<int64_t>(re.size());
  for (int64_t i = 1, j = 0; i < size; ++i) {
    int64_t bit = size >> 1;
    for (; j & bit; bit >>= 1)
      j ^= bit;
    j ^= bit;
    if (i < j) {
      std::swap(re[i], re[j]);
      std::swap(im[i], im[j]);
    }
  }
  for (int64_t half = 1; half < size; half *= 2)
    for (int64_t k = 0; k < half; ++k) {
      double angle = -M_PI * static_cast<double>(k) / static_cast<double>(half);
      double c = std::cos(angle), s = std::sin(angle);
      for (int64_t i = k; i < size; i += 2 * half) {
        double a = re[i + half] * c - im[i + half] * s;
        double b = re[i + half] * s + im[i + half] * c;
        re[i + half] = re[i] - a;
        im[i + half] = im[i] - b;
        re[i] += a;
        im[i] += b;
      }
    }
}

/// Bins and samples in the exponent as jk = (j^2 + k^2 - (k - j)^2) / 2: a
/// chirp before, a convolution with one, a chirp after. The convolution is a
/// product of transforms of a power of two.
Complex Fourier::bluestein(Complex x, int64_t n) {
  int64_t size = 1;
  while (size < 2 * n - 1)
    size *= 2;
  std::vector<double> real(n), imaginary(n);
  for (int64_t i = 0; i < n; ++i) {
    // i^2 modulo 2n, for which 128 bits are enough.
    auto square = static_cast<int64_t>(static_cast<__int128>(i) * i % (2 * n));
    double angle =
        sign * M_PI * static_cast<double>(square) / static_cast<double>(n);
    real[i] = std::cos(angle);
    imaginary[i] = std::sin(angle);
  }
  Complex chirp{table(n, [&](auto at) { return real[at[0]]; }),
                table(n, [&](auto at) { return imaginary[at[0]]; })};

  // The transform of the convolution's other side, computed here.
  std::vector<double> re(size), im(size);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t at : {i, (size - i) % size}) {
      re[at] = real[i];
      im[at] = -imaginary[i];
    }
  transformInPlace(re, im);
  auto inverse = 1.0 / static_cast<double>(size);
  Complex response{table(size, [&](auto at) { return re[at[0]] * inverse; }),
                   table(size, [&](auto at) { return im[at[0]] * inverse; })};

  FourierTransform forward{transform.rows, l.attr(size), l.attr(size), 2,
                           false};
  FourierTransform back = forward;
  back.inverse = true;
  Complex spectrum = Fourier(l, element, forward)
                         .staged(timesTable(x, chirp, n, size, n), size);
  Complex sums =
      Fourier(l, element, back)
          .staged(timesTable(spectrum, response, size, size, size), size);
  return timesTable(sums, chirp, size, n, n);
}

Complex Fourier::byDefinition(Complex x, OpFoldResult n) {
  Value length = l.index(n);
  Type wide = l.b.getF64Type();
  auto circle = [&](bool real) {
    return l.pull(wide, {n}, [&](OpBuilder &nested, ArrayRef<Value> at) {
      Scalars s{nested, l.loc};
      Value turn =
          s.div(s.fromIndex(at[0], wide), s.fromIndex(length, wide), false);
      Value angle = s.mul(turn, s.constant(wide, sign * 2 * M_PI));
      return real ? math::CosOp::create(nested, l.loc, angle).getResult()
                  : math::SinOp::create(nested, l.loc, angle).getResult();
    });
  };
  Complex roots{circle(true), circle(false)};
  MLIRContext *context = l.b.getContext();
  AffineExpr row, bin, sample;
  bindDims(context, row, bin, sample);
  SmallVector<utils::IteratorType> iterators{utils::IteratorType::parallel,
                                             utils::IteratorType::parallel,
                                             utils::IteratorType::reduction};
  auto part = [&](bool real) {
    AffineMap in = AffineMap::get(3, 0, {row, sample}, context);
    SmallVector<MappedOperand> operands = {{x.real, in}};
    if (x.imaginary)
      operands.push_back({x.imaginary, in});
    Dims dims{transform.rows, transform.bins};
    return l.generic(
        l.filled(wide, dims, numberAttr(wide, 0)),
        AffineMap::get(3, 0, {row, bin}, context), operands, iterators,
        [&](OpBuilder &nested, ValueRange values) {
          Scalars s{nested, l.loc};
          Value turn = s.mul(linalg::IndexOp::create(nested, l.loc, 1),
                             linalg::IndexOp::create(nested, l.loc, 2));
          turn = arith::RemUIOp::create(nested, l.loc, turn, length);
          Value cosine =
              tensor::ExtractOp::create(nested, l.loc, roots.real, turn);
          Value sine =
              tensor::ExtractOp::create(nested, l.loc, roots.imaginary, turn);
          Value product =
              s.mul(s.convert(values[0], element, wide), real ? cosine : sine);
          if (x.imaginary) {
            Value second = s.mul(s.convert(values[1], element, wide),
                                 real ? sine : cosine);
            product = real ? s.sub(product, second) : s.add(product, second);
          }
          return s.accumulate(values.back(), product);
        });
  };
  return {part(true), part(false)};
}

/// Of a length that only a run tells: both ways are there, the run takes one.
Complex Fourier::ofAnyLength(Complex x) {
  OpFoldResult n = transform.length;
  Type wide = l.b.getF64Type();
  Dims dims{transform.rows, transform.bins};
  Value results[] = {destination(l, wide, dims), destination(l, wide, dims)};
  Value isShort = Scalars{l.b, l.loc}.compare(
      Comparison::LessOrEqual, l.index(n), l.index(longestByDefinition), false);
  auto choice = scf::IfOp::create(
      l.b, l.loc, TypeRange{results[0].getType(), results[1].getType()},
      isShort, /*addThenBlock=*/true, /*addElseBlock=*/true);
  for (Block *block : {choice.thenBlock(), choice.elseBlock()}) {
    LoweringScope scope(l, block);
    Complex y = block == choice.thenBlock()
                    ? byDefinition(x, n)
                    : bluesteinTransform(l, x, element, sign, transform.rows, n,
                                         transform.bins);
    SmallVector<Value> written{writeInto(l, y.real, results[0]),
                               writeInto(l, y.imaginary, results[1])};
    scf::YieldOp::create(l.b, l.loc, written);
  }
  return {choice.getResult(0), choice.getResult(1)};
}

Value Fourier::run(Value x, int64_t parts) {
  auto length = getConstantIntValue(transform.length);
  auto bins = getConstantIntValue(transform.bins);
  if (length && bins && element.isF32() && *length <= longestProduct)
    return asProduct(x, parts, *length, *bins);
  Complex signal{part(x, 0), parts == 2 ? part(x, 1) : Value()};
  if (!length)
    return joined(ofAnyLength(signal));
  if (*length > longestTransform) {
    (void)l.refuse("a transform of more than " + Twine(longestTransform) +
                   " points is not supported yet");
    return nullptr;
  }
  bool isSmooth = *length == 1 || factorsOf(*length).back() <= largestFactor;
  return joined(isSmooth ? staged(signal, *length)
                         : bluestein(signal, *length));
}

Value onnxc::fourierTransform(Lowering &l, Value x, int64_t parts,
                              const FourierTransform &transform) {
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  return Fourier(l, element, transform).run(x, parts);
}
