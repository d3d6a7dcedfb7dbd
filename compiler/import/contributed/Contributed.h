//===- Contributed.h - ONNX Runtime's own operators by ONNX's ---*- C++ -*-===//
//
// ONNX Runtime's optimiser and its tools for transformers write operators of
// the domain com.microsoft. Those known here give way to nodes of ai.onnx that
// mean the same, before anything else looks at the graph. What they mean is
// said in ONNX Runtime's docs/ContribOperators.md. One file per family.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_IMPORT_CONTRIBUTED_CONTRIBUTED_H
#define ONNXC_COMPILER_IMPORT_CONTRIBUTED_CONTRIBUTED_H

#include "compiler/import/Prepare.h"
#include "compiler/import/ValueTypes.h"

#include "onnx/defs/attr_proto_util.h"

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace onnxc {

/// The nodes that take the place of one, while they are being made. Values are
/// named by strings; "" is absent. All forms of operators are those of the
/// model's opset of ai.onnx, 11 or later.
class Replacement {
public:
  Replacement(const onnx::NodeProto &node, int64_t opset,
              const ValueTypes &types, std::string prefix)
      : node(node), opset(opset), types(types), prefix(std::move(prefix)) {}

  const onnx::NodeProto &node;
  const int64_t opset;

  // --- the node ---
  std::string in(int index) const {
    return index < node.input_size() ? node.input(index) : "";
  }
  bool has(int index) const { return !in(index).empty(); }
  /// Whether somebody names output `index`.
  bool wants(int index) const {
    return index < node.output_size() && !node.output(index).empty();
  }
  const onnx::AttributeProto *attribute(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  float real(llvm::StringRef name, float otherwise) const;
  std::string text(llvm::StringRef name, llvm::StringRef otherwise) const;
  /// The rank of a value; where inference has not found it yet, the node is
  /// looked at again when it has.
  std::optional<size_t> rank(const std::string &value);
  /// Likewise, a TensorProto::DataType.
  std::optional<int32_t> elementType(const std::string &value);

  /// Says why the node is not supported.
  void refuse(const llvm::Twine &why) { reason = why.str(); }
  const std::string &refusal() const { return reason; }
  bool waitsForTypes() const { return waits; }

  /// Whether the value is known when compiling.
  bool isConstant(const std::string &value) const {
    return types.isConstant(value);
  }
  /// The node stays as it is: the dialect has it.
  void keep() { kept = true; }
  bool stays() const { return kept; }

  // --- the nodes in its place ---
  using Attributes = std::vector<onnx::AttributeProto>;
  /// Another node with one result.
  std::string call(llvm::StringRef op, const std::vector<std::string> &inputs,
                   const Attributes &attributes = {});
  /// The same of com.microsoft, which the dialect has.
  std::string callOwn(llvm::StringRef op,
                      const std::vector<std::string> &inputs);
  /// Output `index` of the node is `value`.
  void result(int index, const std::string &value);
  /// Constants: a number of the type of `like`, and a vector.
  std::string number(double value, const std::string &like);
  std::string integers(llvm::ArrayRef<int64_t> values);
  std::string scalar(int64_t value);

  std::string cast(const std::string &x, onnx::TensorProto::DataType type);
  /// `x` in the type of `like`.
  std::string castLike(const std::string &x, const std::string &like);
  std::string transpose(const std::string &x, llvm::ArrayRef<int64_t> order);
  std::string reshape(const std::string &x, llvm::ArrayRef<int64_t> shape);
  std::string unsqueeze(const std::string &x, int64_t axis);
  /// Dim `axis` as a vector of one element.
  std::string dim(const std::string &x, int64_t axis);
  /// Along `axis`, from `begin` to `end`, vectors of one element.
  std::string slice(const std::string &x, const std::string &begin,
                    const std::string &end, int64_t axis);
  /// The mean along the last axis, which stays.
  std::string mean(const std::string &x);
  /// [N, ..., C] as [N, C, ...], and back.
  std::string channelsFirst(const std::string &x, size_t rank);
  std::string channelsLast(const std::string &x, size_t rank);
  /// `state`, of `type`, after `count` (a scalar) times
  /// `state = body(step, state)`.
  std::string
  loop(const std::string &count, const std::string &state,
       onnx::TensorProto::DataType type,
       llvm::function_ref<std::string(const std::string &, const std::string &)>
           body);

  /// The attributes of the node that are given, of these.
  Attributes given(llvm::ArrayRef<llvm::StringRef> names) const;

  std::vector<onnx::NodeProto> nodes;

private:
  onnx::NodeProto &add(llvm::StringRef op);
  std::string fresh() { return prefix + std::to_string(count++); }

  const ValueTypes &types;
  std::string prefix, reason;
  int count = 0;
  bool waits = false, kept = false;
};

/// Operators by name, "SimplifiedLayerNormalization" of ai.onnx's domain among
/// them, where ONNX Runtime writes it.
class ContributedOperators {
public:
  using Function = void (*)(Replacement &);
  struct Operator {
    Function function;
    std::vector<std::string> attributes; ///< those that it knows
  };

  /// All that are known.
  static const ContributedOperators &table();

  void add(llvm::StringRef name, Function function,
           std::vector<std::string> attributes = {}) {
    entries[name.str()] = {function, std::move(attributes)};
  }
  /// Null for a node of another kind.
  const Operator *find(const onnx::NodeProto &node) const;

private:
  std::map<std::string, Operator> entries;
};

/// Makes the operators known to ONNX's registry that ai.onnx has no equal for:
/// the dialect has them.
void registerContributedSchemas();

/// Replaces the nodes of `model` that are known, with errors for those of them
/// that use what is not. `infer` finds the types of values.
mlir::LogicalResult replaceContributed(onnx::ModelProto &model,
                                       const Opsets &opsets,
                                       mlir::MLIRContext *context,
                                       llvm::function_ref<void()> infer);

// One for each file here.
void addContributedActivations(ContributedOperators &operators);
void addContributedAttention(ContributedOperators &operators);
void addContributedGroupQueryAttention(ContributedOperators &operators);
void addContributedNormalizations(ContributedOperators &operators);
void addContributedProducts(ContributedOperators &operators);
void addContributedQuantised(ContributedOperators &operators);
void addContributedRotaryEmbedding(ContributedOperators &operators);
void addContributedTensors(ContributedOperators &operators);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_CONTRIBUTED_CONTRIBUTED_H
