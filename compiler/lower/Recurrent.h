//===- Recurrent.h - Lowering of RNN, GRU and LSTM --------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_RECURRENT_H
#define ONNXC_COMPILER_LOWER_RECURRENT_H

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

#include <optional>
#include <string>

namespace onnxc::recurrent {

enum class Cell { Rnn, Gru, Lstm };

/// One of the activation functions f, g, h.
struct Activation {
  std::string name; ///< in lower case
  double alpha, beta;

  bool operator==(const Activation &other) const {
    return name == other.name && alpha == other.alpha && beta == other.beta;
  }
};

/// Operands of RNN, GRU and LSTM by position.
enum Operand { X, W, R, Bias, Lengths, InitialH, InitialC, Peepholes };

/// Gates in the order of ONNX's weights.
enum LstmGate { InputGate, OutputGate, ForgetGate, CellGate };
enum GruGate { UpdateGate, ResetGate, HiddenGate };

class Recurrent {
public:
  Recurrent(Lowering &l, OnnxNode n, Cell cell) : l(l), n(n), cell(cell) {}
  llvm::LogicalResult lower();

private:
  llvm::LogicalResult readAttributes();
  llvm::LogicalResult readActivations();
  void require(mlir::Value condition, const llvm::Twine &message);
  llvm::LogicalResult requireEqual(mlir::OpFoldResult actual,
                                   mlir::OpFoldResult expected,
                                   const llvm::Twine &what);
  llvm::LogicalResult checkDims();
  void checkLengths();

  mlir::ElementsAttr constantOf(mlir::Value onnx);
  mlir::Value operand(mlir::Value onnx);
  mlir::Value inputWeight();
  mlir::Value recurrenceWeight(int64_t firstGate, int64_t count, int64_t first,
                               int64_t directions);
  std::pair<mlir::Value, mlir::Value> biases();
  mlir::Value projectedInput(mlir::Value bias);
  mlir::Value directionsOf(mlir::Value tensor, int64_t axis, int64_t first,
                           int64_t count);
  mlir::Value initialState(Operand position);
  llvm::SmallVector<mlir::Value> recurrence(mlir::Value input,
                                            mlir::Value coefficients,
                                            llvm::ArrayRef<mlir::Value> inits,
                                            int64_t first, int64_t count);

  using Stage = llvm::SmallVector<mlir::Value> (Recurrent::*)(Scalars &,
                                                              mlir::ValueRange);
  void addStage(mlir::Region &region, int64_t arguments, Stage stage);
  mlir::Value activate(Scalars &s, unsigned function, mlir::Value x);
  mlir::Value gate(Scalars &s, unsigned function, mlir::Value x);
  llvm::SmallVector<mlir::Value> rnnStep(Scalars &s, mlir::ValueRange in);
  llvm::SmallVector<mlir::Value> lstmStep(Scalars &s, mlir::ValueRange in);
  llvm::SmallVector<mlir::Value> gruGates(Scalars &s, mlir::ValueRange in);
  llvm::SmallVector<mlir::Value> gruOutput(Scalars &s, mlir::ValueRange in);
  llvm::SmallVector<mlir::Value> gruStep(Scalars &s, mlir::ValueRange in);

  Lowering &l;
  OnnxNode n;
  Cell cell;
  mlir::Type element, compute;
  int64_t hidden = 0, directions = 1, gates = 1;
  llvm::SmallVector<int64_t> reversed;
  bool batchFirst = false, resetAfter = false;
  std::optional<double> clip;
  /// Per direction, one after the other.
  llvm::SmallVector<Activation> activations;
  unsigned functions = 1; ///< activations of a direction
  unsigned firstFunction = 0;
  mlir::OpFoldResult length, batch;
};

} // namespace onnxc::recurrent

#endif // ONNXC_COMPILER_LOWER_RECURRENT_H
