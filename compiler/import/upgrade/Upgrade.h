//===- Upgrade.h - Older forms of operators to the newest -------*- C++ -*-===//
//
// An operation of the onnx dialect always means the newest version of its
// operator. Most older versions differ from it in the types they allow, in the
// defaults of attributes (which the importer writes out), or lack attributes
// whose defaults say what the older version did: those carry over.
// For the others there is a function in the table, by operator and the versions
// it is for; one file per family of operators.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_IMPORT_UPGRADE_UPGRADE_H
#define ONNXC_COMPILER_IMPORT_UPGRADE_UPGRADE_H

#include "compiler/import/Node.h"

#include "mlir/Support/LogicalResult.h"

#include <functional>
#include <map>
#include <vector>

namespace onnxc {

/// Turns a node of an older version into one of the newest, or gives its
/// results. Emits an error and fails when the newest cannot say the same.
using Upgrade = std::function<mlir::LogicalResult(Node &)>;

class Upgrades {
public:
  /// All upgrades.
  static const Upgrades &table();

  /// Versions `first` to `last` of an operator of ai.onnx (or of ai.onnx.ml,
  /// "ml.LabelEncoder") are upgraded by `upgrade`.
  void add(llvm::StringRef op, int first, int last, Upgrade upgrade);
  void add(llvm::ArrayRef<llvm::StringRef> ops, int first, int last,
           Upgrade upgrade);

  /// The upgrade for a version of an operator, or null.
  const Upgrade *find(const onnx::OpSchema &schema) const;

private:
  struct Entry {
    int first, last;
    Upgrade upgrade;
  };
  std::map<std::string, std::vector<Entry>> entries;
};

/// Whether a node of the version `older` means the same when read as one of
/// `newest`: its inputs, outputs and attributes are there, and what is new is
/// optional.
bool carriesOver(const onnx::OpSchema &older, const onnx::OpSchema &newest);

/// For an operator of which newer versions take no integers: computes those in
/// f64, and casts the result back.
mlir::LogicalResult computeInFloat(Node &node);

// One for each file here.
void addAxesUpgrades(Upgrades &upgrades);
void addBoundsUpgrades(Upgrades &upgrades);
void addBroadcastUpgrades(Upgrades &upgrades);
void addElementTypeUpgrades(Upgrades &upgrades);
void addNormalizationUpgrades(Upgrades &upgrades);
void addPoolUpgrades(Upgrades &upgrades);
void addQuantizationUpgrades(Upgrades &upgrades);
void addRecurrentUpgrades(Upgrades &upgrades);
void addResizeUpgrades(Upgrades &upgrades);
void addScanUpgrades(Upgrades &upgrades);
void addSoftmaxUpgrades(Upgrades &upgrades);
void addTraditionalUpgrades(Upgrades &upgrades);
void addVisionUpgrades(Upgrades &upgrades);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_UPGRADE_UPGRADE_H
