//===- DimExpr.cpp - Arithmetic on symbolic dims --------------------------===//

#include "compiler/graph/DimExpr.h"

#include "mlir/IR/AffineExprVisitor.h"
#include "llvm/Support/MathExtras.h"

#include <map>
#include <numeric>

using namespace mlir;
using namespace onnxc;
using dim::Expr;

namespace {

/// A structural order, so that factors and terms are sorted alike everywhere.
int compare(Expr a, Expr b) {
  if (a == b)
    return 0;
  if (a.getKind() != b.getKind())
    return static_cast<int>(a.getKind()) < static_cast<int>(b.getKind()) ? -1
                                                                         : 1;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(a))
    return symbol.getPosition() < cast<AffineSymbolExpr>(b).getPosition() ? -1
                                                                          : 1;
  if (auto value = dyn_cast<AffineConstantExpr>(a))
    return value.getValue() < cast<AffineConstantExpr>(b).getValue() ? -1 : 1;
  if (auto position = dyn_cast<AffineDimExpr>(a))
    return position.getPosition() < cast<AffineDimExpr>(b).getPosition() ? -1
                                                                         : 1;
  auto x = cast<AffineBinaryOpExpr>(a), y = cast<AffineBinaryOpExpr>(b);
  int left = compare(x.getLHS(), y.getLHS());
  return left != 0 ? left : compare(x.getRHS(), y.getRHS());
}

struct ExprLess {
  bool operator()(Expr a, Expr b) const { return compare(a, b) < 0; }
};

/// Sorted factors. Higher degrees first, so that the leading term of a sum is
/// one of highest degree, as division needs.
using Monomial = SmallVector<Expr, 4>;

struct MonomialLess {
  bool operator()(const Monomial &a, const Monomial &b) const {
    if (a.size() != b.size())
      return a.size() > b.size();
    for (auto [x, y] : llvm::zip_equal(a, b))
      if (int order = compare(x, y))
        return order < 0;
    return false;
  }
};

using Polynomial = std::map<Monomial, int64_t, MonomialLess>;

/// More terms than this are given up: they make no useful shape.
constexpr size_t maxTerms = 128;

bool addTerm(Polynomial &sum, const Monomial &monomial, int64_t coefficient) {
  auto [it, isNew] = sum.try_emplace(monomial, 0);
  int64_t total;
  if (llvm::AddOverflow(it->second, coefficient, total))
    return false;
  if (total == 0)
    sum.erase(it);
  else
    it->second = total;
  return sum.size() <= maxTerms;
}

bool addScaled(Polynomial &sum, const Polynomial &other, int64_t factor) {
  for (const auto &[monomial, coefficient] : other) {
    int64_t scaled;
    if (llvm::MulOverflow(coefficient, factor, scaled) ||
        !addTerm(sum, monomial, scaled))
      return false;
  }
  return true;
}

std::optional<Polynomial> multiplied(const Polynomial &a, const Polynomial &b) {
  Polynomial result;
  for (const auto &[left, x] : a)
    for (const auto &[right, y] : b) {
      int64_t coefficient;
      if (llvm::MulOverflow(x, y, coefficient))
        return std::nullopt;
      Monomial monomial(left);
      monomial.append(right.begin(), right.end());
      llvm::sort(monomial, ExprLess());
      if (!addTerm(result, monomial, coefficient))
        return std::nullopt;
    }
  return result;
}

std::optional<Polynomial> parse(Expr expr) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr)) {
    Polynomial result;
    if (value.getValue() != 0)
      result[{}] = value.getValue();
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (binary && (expr.getKind() == AffineExprKind::Add ||
                 expr.getKind() == AffineExprKind::Mul)) {
    auto left = parse(binary.getLHS()), right = parse(binary.getRHS());
    if (!left || !right)
      return std::nullopt;
    if (expr.getKind() == AffineExprKind::Mul)
      return multiplied(*left, *right);
    if (!addScaled(*left, *right, 1))
      return std::nullopt;
    return left;
  }
  return Polynomial{{Monomial{expr}, 1}};
}

Expr build(MLIRContext *context, const Polynomial &polynomial) {
  Expr sum = getAffineConstantExpr(0, context);
  for (const auto &[monomial, coefficient] : polynomial) {
    Expr term;
    for (Expr factor : monomial)
      term = term ? term * factor : factor;
    if (!term)
      term = getAffineConstantExpr(coefficient, context);
    else if (coefficient != 1)
      term = term * getAffineConstantExpr(coefficient, context);
    sum = sum + term;
  }
  return sum;
}

/// Removes the factors `divisor` from `monomial`; false when one is missing.
bool cancel(Monomial &monomial, const Monomial &divisor) {
  for (Expr factor : divisor) {
    auto it = llvm::find(monomial, factor);
    if (it == monomial.end())
      return false;
    monomial.erase(it);
  }
  return true;
}

std::optional<int64_t> constantOf(const Polynomial &polynomial) {
  if (polynomial.empty())
    return 0;
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return polynomial.begin()->second;
  return std::nullopt;
}

int64_t floorDivided(int64_t a, int64_t b) {
  return llvm::divideFloorSigned(a, b);
}

/// Splits `dividend` into quotient * divisor + rest by long division.
std::optional<std::pair<Polynomial, Polynomial>>
divided(Polynomial dividend, const Polynomial &divisor) {
  Polynomial quotient, rest;
  // By a positive constant each coefficient splits, which gives all shifted
  // forms of one quotient, say floor((x - 1) / 2) + 1, the same normal form.
  if (auto value = constantOf(divisor); value && *value > 0) {
    for (const auto &[monomial, coefficient] : dividend) {
      int64_t whole = floorDivided(coefficient, *value);
      if (whole != 0)
        quotient[monomial] = whole;
      if (int64_t left = coefficient - whole * *value)
        rest[monomial] = left;
    }
    return std::make_pair(std::move(quotient), std::move(rest));
  }
  const auto &[leading, leadingCoefficient] = *divisor.begin();
  for (size_t step = 0; !dividend.empty(); ++step) {
    if (step > 4 * maxTerms)
      return std::nullopt;
    auto [monomial, coefficient] = *dividend.begin();
    Monomial factor(monomial);
    if (coefficient == std::numeric_limits<int64_t>::min())
      return std::nullopt;
    if (!cancel(factor, leading) || coefficient % leadingCoefficient != 0) {
      if (!addTerm(rest, monomial, coefficient))
        return std::nullopt;
      dividend.erase(dividend.begin());
      continue;
    }
    int64_t ratio = coefficient / leadingCoefficient;
    auto product = multiplied(Polynomial{{factor, ratio}}, divisor);
    if (!product || !addTerm(quotient, factor, ratio) ||
        !addScaled(dividend, *product, -1))
      return std::nullopt;
  }
  return std::make_pair(std::move(quotient), std::move(rest));
}

/// floor(rest / divisor) for a positive constant, where no term of `rest` is a
/// multiple of it but perhaps the constant one.
Expr floorByConstant(MLIRContext *context, Polynomial rest, int64_t divisor) {
  if (auto value = constantOf(rest))
    return getAffineConstantExpr(floorDivided(*value, divisor), context);
  // A common factor of the divisor and all but the constant term cancels, for
  // floor((g x + c) / (g d)) = floor((x + floor(c / g)) / d).
  int64_t common = divisor;
  for (const auto &[monomial, coefficient] : rest)
    if (!monomial.empty())
      common = std::gcd(common, coefficient);
  if (common > 1) {
    Polynomial reduced;
    for (const auto &[monomial, coefficient] : rest) {
      int64_t quotient = floorDivided(coefficient, common);
      if (quotient != 0)
        reduced[monomial] = quotient;
    }
    rest = std::move(reduced);
    divisor /= common;
  }
  if (divisor == 1)
    return build(context, rest);
  // floor((floor(x / a) + c) / b) = floor((x + a c) / (a b)).
  int64_t offset = 0;
  const std::pair<const Monomial, int64_t> *single = nullptr;
  size_t others = 0;
  for (const auto &term : rest) {
    if (term.first.empty()) {
      offset = term.second;
      continue;
    }
    single = &term;
    ++others;
  }
  if (others == 1 && single->second == 1 && single->first.size() == 1 &&
      single->first[0].getKind() == AffineExprKind::FloorDiv) {
    auto inner = cast<AffineBinaryOpExpr>(single->first[0]);
    if (auto by = dyn_cast<AffineConstantExpr>(inner.getRHS())) {
      int64_t shifted, whole;
      if (by.getValue() > 0 &&
          !llvm::MulOverflow(offset, by.getValue(), shifted) &&
          !llvm::MulOverflow(divisor, by.getValue(), whole))
        return dim::floorDivide(dim::add(inner.getLHS(), shifted), whole);
    }
  }
  return build(context, rest).floorDiv(divisor);
}

} // namespace

Expr dim::constant(MLIRContext *context, int64_t value) {
  return getAffineConstantExpr(value, context);
}

std::optional<int64_t> dim::constant(Expr expr) {
  if (!expr)
    return std::nullopt;
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return value.getValue();
  return std::nullopt;
}

static Expr sum(Expr a, Expr b, int64_t factor) {
  if (!a || !b)
    return {};
  auto left = parse(a), right = parse(b);
  if (!left || !right || !addScaled(*left, *right, factor))
    return {};
  return build(a.getContext(), *left);
}

Expr dim::add(Expr a, Expr b) { return sum(a, b, 1); }
Expr dim::subtract(Expr a, Expr b) { return sum(a, b, -1); }

Expr dim::add(Expr a, int64_t b) {
  return a ? add(a, constant(a.getContext(), b)) : Expr();
}

Expr dim::multiply(Expr a, Expr b) {
  if (!a || !b)
    return {};
  auto left = parse(a), right = parse(b);
  if (!left || !right)
    return {};
  auto result = multiplied(*left, *right);
  return result ? build(a.getContext(), *result) : Expr();
}

Expr dim::multiply(Expr a, int64_t b) {
  return a ? multiply(a, constant(a.getContext(), b)) : Expr();
}

Expr dim::product(MLIRContext *context, ArrayRef<Expr> factors) {
  Expr result = constant(context, 1);
  for (Expr factor : factors)
    result = multiply(result, factor);
  return result;
}

Expr dim::floorDivide(Expr a, Expr b) {
  if (!a || !b)
    return {};
  MLIRContext *context = a.getContext();
  if (auto value = constant(b))
    if (*value < 0) {
      if (*value == std::numeric_limits<int64_t>::min())
        return {};
      return floorDivide(multiply(a, -1), -*value);
    }
  auto dividend = parse(a), divisor = parse(b);
  if (!dividend || !divisor || divisor->empty())
    return {};
  auto parts = divided(*dividend, *divisor);
  if (!parts)
    return {};
  auto &[quotient, rest] = *parts;
  if (rest.empty())
    return build(context, quotient);
  if (auto value = constantOf(*divisor))
    return add(build(context, quotient),
               floorByConstant(context, std::move(rest), *value));
  return add(build(context, quotient),
             build(context, rest).floorDiv(build(context, *divisor)));
}

Expr dim::floorDivide(Expr a, int64_t b) {
  return a ? floorDivide(a, constant(a.getContext(), b)) : Expr();
}

Expr dim::ceilDivide(Expr a, Expr b) {
  // For the positive divisors of shapes: ceil(a / b) = floor((a + b - 1) / b),
  // which keeps one form for both.
  if (auto value = constant(b); value && *value < 0) {
    if (*value == std::numeric_limits<int64_t>::min())
      return {};
    return ceilDivide(multiply(a, -1), constant(b.getContext(), -*value));
  }
  return floorDivide(add(add(a, b), -1), b);
}

Expr dim::ceilDivide(Expr a, int64_t b) {
  return a ? ceilDivide(a, constant(a.getContext(), b)) : Expr();
}

Expr dim::modulo(Expr a, Expr b) {
  auto x = constant(a), y = constant(b);
  if (x && y && *y != 0)
    return constant(a.getContext(), *x - *y * floorDivided(*x, *y));
  return subtract(a, multiply(b, floorDivide(a, b)));
}

Expr dim::exactDivide(Expr a, Expr b) {
  if (!a || !b)
    return {};
  auto dividend = parse(a), divisor = parse(b);
  if (!dividend || !divisor || divisor->empty())
    return {};
  auto parts = divided(*dividend, *divisor);
  if (!parts || !parts->second.empty())
    return {};
  return build(a.getContext(), parts->first);
}

std::optional<int64_t>
dim::lowerBound(Expr expr, function_ref<bool(unsigned)> nonNegative) {
  if (!expr)
    return std::nullopt;
  auto polynomial = parse(expr);
  if (!polynomial)
    return std::nullopt;
  auto atLeastZero = [&](Expr factor) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(factor))
      return nonNegative(symbol.getPosition());
    auto binary = dyn_cast<AffineBinaryOpExpr>(factor);
    if (!binary)
      return false;
    if (factor.getKind() == AffineExprKind::Mod)
      return true;
    auto bound = lowerBound(binary.getLHS(), nonNegative);
    auto divisor = lowerBound(binary.getRHS(), nonNegative);
    return bound && divisor && *bound >= 0 && *divisor >= 0;
  };
  int64_t bound = 0;
  for (const auto &[monomial, coefficient] : *polynomial) {
    if (monomial.empty()) {
      bound += coefficient;
      continue;
    }
    if (coefficient > 0 && llvm::all_of(monomial, atLeastZero))
      continue;
    // floor(x / d) with x >= b is at least floor(b / d).
    if (coefficient > 0 && monomial.size() == 1 &&
        monomial[0].getKind() == AffineExprKind::FloorDiv) {
      auto binary = cast<AffineBinaryOpExpr>(monomial[0]);
      auto numerator = lowerBound(binary.getLHS(), nonNegative);
      auto divisor = constant(binary.getRHS());
      int64_t scaled, total;
      if (numerator && divisor && *divisor > 0 &&
          !llvm::MulOverflow(coefficient, floorDivided(*numerator, *divisor),
                             scaled) &&
          !llvm::AddOverflow(bound, scaled, total)) {
        bound = total;
        continue;
      }
    }
    return std::nullopt;
  }
  return bound;
}

bool dim::usesSymbol(Expr expr, function_ref<bool(unsigned)> predicate) {
  if (!expr)
    return false;
  bool found = false;
  expr.walk([&](Expr part) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
      found |= predicate(symbol.getPosition());
  });
  return found;
}

std::string dim::toString(Expr expr, function_ref<std::string(unsigned)> name) {
  if (!expr)
    return "?";
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return std::to_string(value.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return name(symbol.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return "?";
  auto operand = [&](Expr part) {
    std::string text = toString(part, name);
    bool atom = !isa<AffineBinaryOpExpr>(part) ||
                (part.getKind() == AffineExprKind::Mul &&
                 (expr.getKind() == AffineExprKind::Mul ||
                  expr.getKind() == AffineExprKind::Add)) ||
                (part.getKind() == AffineExprKind::Add &&
                 expr.getKind() == AffineExprKind::Add);
    return atom ? text : "(" + text + ")";
  };
  std::string left = operand(binary.getLHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add: {
    auto right = constant(binary.getRHS());
    if (right && *right < 0 && *right != std::numeric_limits<int64_t>::min())
      return left + " - " + std::to_string(-*right);
    return left + " + " + operand(binary.getRHS());
  }
  case AffineExprKind::Mul:
    return left + " * " + operand(binary.getRHS());
  case AffineExprKind::Mod:
    return left + " mod " + operand(binary.getRHS());
  case AffineExprKind::FloorDiv:
    return left + " floordiv " + operand(binary.getRHS());
  case AffineExprKind::CeilDiv:
    return left + " ceildiv " + operand(binary.getRHS());
  default:
    return "?";
  }
}
