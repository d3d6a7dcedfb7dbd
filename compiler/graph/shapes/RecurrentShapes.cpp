//===- RecurrentShapes.cpp - Shapes of RNN, GRU and LSTM ------------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult recurrent(ShapeContext &shape, int64_t gates) {
  auto input = shape.dimsOfRank(0, 3), weight = shape.dimsOfRank(1, 3),
       recurrence = shape.dimsOfRank(2, 3);
  if (failed(input) || failed(weight) || failed(recurrence))
    return failure();
  StringRef direction = shape.string("direction", "forward");
  if (direction != "forward" && direction != "reverse" &&
      direction != "bidirectional")
    return shape.error("direction '" + direction + "' is not known");
  Expr directions = shape.constant(direction == "bidirectional" ? 2 : 1);
  Expr hidden;
  if (auto size = shape.integer("hidden_size"))
    hidden = shape.constant(*size);
  if (*recurrence) {
    FailureOr<Expr> merged =
        shape.same((**recurrence)[2], hidden, "hidden_size and R's dims");
    if (failed(merged) ||
        failed(shape.same((**recurrence)[1], dim::multiply(*merged, gates),
                          "R's dims and the gates")) ||
        failed(shape.same((**recurrence)[0], directions, "R's directions")))
      return failure();
    hidden = *merged;
  }
  if (!*input)
    return success();
  Exprs data = **input;
  if (*weight &&
      (failed(shape.same((**weight)[2], data[2], "sizes of the input and W")) ||
       failed(shape.same((**weight)[0], directions, "W's directions")) ||
       failed(shape.same((**weight)[1], dim::multiply(hidden, gates),
                         "W's dims and the gates"))))
    return failure();
  bool batchFirst = shape.integer("layout", 0) != 0;
  Expr length = data[batchFirst ? 1 : 0], batch = data[batchFirst ? 0 : 1];
  Exprs last = batchFirst ? Exprs{batch, directions, hidden}
                          : Exprs{directions, batch, hidden};
  shape.setDims(0, batchFirst ? Exprs{batch, length, directions, hidden}
                              : Exprs{length, directions, batch, hidden});
  shape.setDims(1, last);
  shape.setDims(2, std::move(last));
  return success();
}

static LogicalResult rnn(ShapeContext &shape) { return recurrent(shape, 1); }
static LogicalResult gru(ShapeContext &shape) { return recurrent(shape, 3); }
static LogicalResult lstm(ShapeContext &shape) { return recurrent(shape, 4); }

void onnxc::addRecurrentShapes(ShapeRules &rules) {
  rules.onShape("RNN", rnn);
  rules.onShape("GRU", gru);
  rules.onShape("LSTM", lstm);
}
