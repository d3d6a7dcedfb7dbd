//===- Prepare.cpp - Makes a model ready for import -----------------------===//

#include "compiler/import/Prepare.h"
#include "compiler/import/contributed/Contributed.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include "onnx/checker.h"
#include "onnx/inliner/inliner.h"
#include "onnx/shape_inference/implementation.h"

#include <regex>

using namespace mlir;
using onnx::GraphProto;
using onnx::NodeProto;

/// The opsets of ai.onnx that are supported.
static constexpr int64_t oldestOpset = 1, newestOpset = 28;

std::string onnxc::oneLine(llvm::StringRef text) {
  llvm::SmallVector<llvm::StringRef> words;
  llvm::SplitString(text, words);
  return llvm::join(words, " ");
}

std::string onnxc::displayName(const NodeProto &node) {
  if (!node.name().empty())
    return oneLine(node.name());
  for (const std::string &output : node.output())
    if (!output.empty())
      return oneLine(output);
  return "";
}

std::string onnxc::operationName(llvm::StringRef domain,
                                 llvm::StringRef opType) {
  domain.consume_front("ai.onnx");
  domain.consume_front(".");
  return ("onnx." + domain + (domain.empty() ? "" : ".") + opType).str();
}

/// Calls `visit` for `graph` and all graphs in it.
template <typename Visit>
static void forEachGraph(GraphProto &graph, Visit visit) {
  visit(graph);
  for (NodeProto &node : *graph.mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        forEachGraph(*attribute.mutable_g(), visit);
}

/// "ai.onnx" is spelled "".
static void shortenDomains(onnx::ModelProto &model) {
  auto shorten = [](NodeProto &node) {
    if (node.domain() == "ai.onnx")
      node.clear_domain();
  };
  for (auto &import : *model.mutable_opset_import())
    if (import.domain() == "ai.onnx")
      import.set_domain("");
  forEachGraph(*model.mutable_graph(), [&](GraphProto &graph) {
    llvm::for_each(*graph.mutable_node(), shorten);
  });
}

static LogicalResult readOpsets(const onnx::ModelProto &model,
                                Location location, onnxc::Opsets &opsets) {
  for (const auto &import : model.opset_import())
    opsets[import.domain()] = import.version();
  auto main = opsets.find("");
  if (main != opsets.end() &&
      (main->second < oldestOpset || main->second > newestOpset))
    return emitError(location)
           << "opset " << main->second << " is not supported, only opsets "
           << oldestOpset << " to " << newestOpset;
  return success();
}

/// The names that `node` reads, the graphs in it included.
static void collectUses(const NodeProto &node,
                        llvm::SmallVectorImpl<llvm::StringRef> &uses) {
  uses.append(node.input().begin(), node.input().end());
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (!attribute.has_g())
      continue;
    for (const NodeProto &inner : attribute.g().node())
      collectUses(inner, uses);
    for (const onnx::ValueInfoProto &output : attribute.g().output())
      uses.push_back(output.name());
  }
}

/// Finds nodes that need their own results. The checker would only say that the
/// nodes are not sorted.
static LogicalResult checkAcyclic(const GraphProto &graph, Location location) {
  llvm::StringMap<int> producer;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string &output : graph.node(i).output())
      if (!output.empty())
        producer.try_emplace(output, i);
  std::vector<std::vector<int>> users(graph.node_size());
  std::vector<int> missing(graph.node_size());
  for (int i = 0; i < graph.node_size(); ++i) {
    llvm::SmallVector<llvm::StringRef> uses;
    collectUses(graph.node(i), uses);
    for (llvm::StringRef use : uses)
      if (auto found = producer.find(use); found != producer.end()) {
        users[found->second].push_back(i);
        ++missing[i];
      }
  }
  std::vector<int> ready;
  for (int i = 0; i < graph.node_size(); ++i)
    if (!missing[i])
      ready.push_back(i);
  for (size_t next = 0; next < ready.size(); ++next)
    for (int user : users[ready[next]])
      if (!--missing[user])
        ready.push_back(user);
  if (static_cast<int>(ready.size()) == graph.node_size())
    return success();
  int first = static_cast<int>(
      llvm::find_if(missing, [](int count) { return count != 0; }) -
      missing.begin());
  return emitError(location) << "the graph has a cycle: node '"
                             << onnxc::displayName(graph.node(first)) << "' ("
                             << onnxc::oneLine(graph.node(first).op_type())
                             << ") needs a result that follows from its own";
}

namespace {
/// While it lives, the tensors have no elements: the onnx checker then misses
/// no data in those whose data is in the model's file. Importing a tensor
/// compares data and dims.
class WithoutElements {
public:
  explicit WithoutElements(llvm::ArrayRef<onnx::TensorProto *> tensors)
      : tensors(tensors) {
    for (onnx::TensorProto *tensor : this->tensors) {
      dims.emplace_back(tensor->dims().begin(), tensor->dims().end());
      tensor->clear_dims();
      tensor->add_dims(0);
    }
  }
  WithoutElements(const WithoutElements &) = delete;
  WithoutElements &operator=(const WithoutElements &) = delete;
  ~WithoutElements() {
    for (auto [tensor, saved] : llvm::zip(tensors, dims))
      tensor->mutable_dims()->Assign(saved.begin(), saved.end());
  }

private:
  llvm::SmallVector<onnx::TensorProto *> tensors;
  std::vector<std::vector<int64_t>> dims;
};

/// While it lives, a graph's inputs and outputs without a shape have one: the
/// onnx checker wants it, but models of any rank are written without.
class WithShapes {
public:
  explicit WithShapes(GraphProto &graph) {
    for (auto *values : {graph.mutable_input(), graph.mutable_output()})
      for (onnx::ValueInfoProto &value : *values)
        if (value.type().has_tensor_type() &&
            !value.type().tensor_type().has_shape()) {
          types.push_back(value.mutable_type()->mutable_tensor_type());
          types.back()->mutable_shape();
        }
  }
  WithShapes(const WithShapes &) = delete;
  WithShapes &operator=(const WithShapes &) = delete;
  ~WithShapes() {
    for (onnx::TypeProto::Tensor *type : types)
      type->clear_shape();
  }

private:
  llvm::SmallVector<onnx::TypeProto::Tensor *> types;
};
} // namespace

/// Runs the onnx checker. Functions have been inlined.
static void runChecker(onnxc::ModelFile &file, onnx::ModelProto &model,
                       const onnxc::Opsets &opsets) {
  WithoutElements hidden(file.detachedTensors());
  WithShapes shaped(*model.mutable_graph());
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(model.ir_version()));
  context.set_opset_imports({opsets.begin(), opsets.end()});
  context.set_model_dir(file.folder());
  onnx::checker::LexicalScopeContext scope;
  onnx::checker::check_graph(model.graph(), context, scope);
}

/// Whether an operator means the same in two opsets of its domain, or is none
/// of the standard's.
static bool isUnchanged(const onnx::NodeProto &node, int from, int to) {
  auto *a = onnx::OpSchemaRegistry::Schema(node.op_type(), from, node.domain());
  auto *b = onnx::OpSchemaRegistry::Schema(node.op_type(), to, node.domain());
  return a == b || (a && b && a->since_version() == b->since_version());
}

/// Gives a function that is written for another opset the model's where all its
/// operators mean the same there: nothing has to be converted, for which onnx
/// would want all types.
static void adoptOpsets(onnx::ModelProto &model, const onnxc::Opsets &opsets) {
  for (onnx::FunctionProto &function : *model.mutable_functions())
    for (onnx::OperatorSetIdProto &own : *function.mutable_opset_import()) {
      auto wanted = opsets.find(own.domain());
      if (wanted == opsets.end() || wanted->second == own.version())
        continue;
      GraphProto body;
      *body.mutable_node() = function.node();
      bool isSame = true;
      forEachGraph(body, [&](GraphProto &part) {
        for (const onnx::NodeProto &node : part.node())
          isSame &= node.domain() != own.domain() ||
                    isUnchanged(node, static_cast<int>(own.version()),
                                static_cast<int>(wanted->second));
      });
      if (isSame)
        own.set_version(wanted->second);
    }
}

/// Checks the model's functions and puts their bodies in place of the calls.
static void inlineFunctions(onnx::ModelProto &model,
                            const onnxc::Opsets &opsets) {
  if (model.functions().empty())
    return;
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(model.ir_version()));
  context.set_opset_imports({opsets.begin(), opsets.end()});
  onnx::checker::check_function_call_cycles(model);
  onnx::checker::check_model_local_functions(
      model, context, onnx::checker::LexicalScopeContext());
  adoptOpsets(model, opsets);
  try {
    onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
  } catch (const std::exception &exception) {
    throw std::runtime_error(
        std::string("the model has a function for another opset than its own, "
                    "to which onnx does not convert it: ") +
        exception.what());
  }
}

/// Removes the shapes that the model claims for values other than its inputs:
/// they may be wrong, and inference finds what is certain.
static void dropClaimedShapes(GraphProto &graph) {
  forEachGraph(graph, [](GraphProto &part) {
    for (auto *values : {part.mutable_value_info(), part.mutable_output()})
      for (onnx::ValueInfoProto &value : *values)
        if (value.type().has_tensor_type())
          value.mutable_type()->mutable_tensor_type()->clear_shape();
  });
}

/// Infers what types and shapes it can; what it finds goes into the model.
static void inferTypes(onnx::ModelProto &model) {
  onnx::shape_inference::DataValueMap values;
  onnx::shape_inference::InferShapes(
      model, onnx::OpSchemaRegistry::Instance(),
      onnx::ShapeInferenceOptions(/*check_type=*/false, /*strict_mode=*/0,
                                  /*data_prop=*/true),
      &values);
}

/// The same before the checker, which wants a shape for each output: one that
/// inference does not find stays as declared.
static void inferEarly(onnx::ModelProto &model) {
  auto declared = model.graph().output();
  dropClaimedShapes(*model.mutable_graph());
  inferTypes(model);
  for (int i = 0; i < declared.size(); ++i) {
    onnx::ValueInfoProto &output = *model.mutable_graph()->mutable_output(i);
    if (!output.type().tensor_type().has_shape())
      output = declared[i];
  }
}

static LogicalResult prepare(onnxc::ModelFile &file,
                             const onnxc::ImportOptions &options,
                             Location location, onnxc::Opsets &opsets) {
  onnx::ModelProto &model = file.model();
  if (model.ir_version() < 3 || model.ir_version() > onnx::IR_VERSION)
    return emitError(location)
           << "IR version " << model.ir_version()
           << " is not supported, only versions 3 to " << onnx::IR_VERSION;
  shortenDomains(model);
  if (failed(readOpsets(model, location, opsets)))
    return failure();
  onnxc::registerContributedSchemas();
  inlineFunctions(model, opsets);
  shortenDomains(model);
  opsets.clear();
  if (failed(readOpsets(model, location, opsets)) ||
      failed(onnxc::replaceSparseTensors(*model.mutable_graph(),
                                         location.getContext())) ||
      failed(onnxc::replaceContributed(model, opsets, location.getContext(),
                                       [&] { inferEarly(model); })) ||
      failed(onnxc::checkOperators(model.graph(), opsets,
                                   location.getContext())) ||
      failed(checkAcyclic(model.graph(), location)))
    return failure();
  if (llvm::Error error = file.resolveExternalData())
    return emitError(location)
           << onnxc::oneLine(llvm::toString(std::move(error)));
  runChecker(file, model, opsets);
  if (failed(onnxc::setInputShapes(*model.mutable_graph(), options.shapes,
                                   location)))
    return failure();
  dropClaimedShapes(*model.mutable_graph());
  inferTypes(model);
  if (options.keeps) {
    // A definition may depend on types, and need expanding itself. The number
    // of rounds is for definitions that would use their own operator.
    for (int round = 0;
         round < 8 &&
         onnxc::expandOperators(*model.mutable_graph(), opsets, options.keeps);
         ++round)
      inferTypes(model);
    return onnxc::checkOperators(model.graph(), opsets, location.getContext());
  }
  return success();
}

/// A message of the onnx library, in our form where it names a node.
static std::string describe(llvm::StringRef what, const onnxc::Opsets &opsets) {
  std::string message = onnxc::oneLine(what), name, op, reason;
  // std::regex recurses.
  if (message.size() > 2000)
    return message;
  std::smatch parts;
  if (std::regex_match(
          message, parts,
          std::regex(
              R"(\[\w+\] \(op_type:(\w+)(, node name: (.*))?\): (.*))"))) {
    op = parts[1];
    name = parts[3];
    reason = parts[4];
  } else if (std::regex_match(message, parts,
                              std::regex(R"((.*) ==> Context: Bad node spec )"
                                         R"(for node\. Name: ?(.*) OpType: )"
                                         R"((\w+))"))) {
    reason = parts[1];
    name = parts[2];
    op = parts[3];
  } else {
    return message;
  }
  auto opset = opsets.find("");
  return "node '" + name + "' (" + op +
         (opset == opsets.end() ? ""
                                : ", opset " + std::to_string(opset->second)) +
         "): " + reason;
}

LogicalResult onnxc::prepareModel(ModelFile &file, const ImportOptions &options,
                                  Location location, Opsets &opsets) {
  // The onnx library and protobuf report by exceptions.
  try {
    return prepare(file, options, location, opsets);
  } catch (const std::exception &exception) {
    return emitError(location) << describe(exception.what(), opsets);
  }
}
