//===- Diagnostics.cpp - Errors of the stages, as one line ----------------===//

#include "compiler/driver/Diagnostics.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace onnxc;

std::string onnxc::oneLine(StringRef text, size_t limit) {
  std::string line;
  for (char c : text.trim()) {
    bool space = static_cast<unsigned char>(c) < ' ' || c == 127;
    if (!space || (!line.empty() && line.back() != ' '))
      line += space ? ' ' : c;
  }
  if (line.size() > limit) {
    // Not in the middle of a UTF-8 character.
    size_t end = limit;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80)
      --end;
    line.resize(end);
    line += " …";
  }
  return line;
}

/// The name of the node that `location` came from; empty where there is none.
static std::string nodeName(Location location) {
  std::string name;
  location->walk([&](Location inner) {
    auto named = dyn_cast<NameLoc>(inner);
    if (!named)
      return WalkResult::advance();
    name = named.getName().str();
    return WalkResult::interrupt();
  });
  return name;
}

ErrorCollector::ErrorCollector(MLIRContext *context)
    : handler(context, [this](Diagnostic &diagnostic) { add(diagnostic); }) {}

void ErrorCollector::add(Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
    return;
  std::string message = oneLine(diagnostic.str());
  std::string name = nodeName(diagnostic.getLocation());
  if (!name.empty() && !StringRef(message).contains(name))
    message = "'" + oneLine(name, 200) + "': " + message;
  if (seen.insert(message).second)
    messages.push_back(std::move(message));
}

std::string ErrorCollector::line(bool all) const {
  if (messages.empty())
    return "";
  std::string line = messages.front();
  size_t shown = 1;
  for (; all && shown < messages.size(); ++shown) {
    if (line.size() + messages[shown].size() > 800)
      break;
    line += "; " + messages[shown];
  }
  if (all && shown < messages.size())
    line += "; and " + std::to_string(messages.size() - shown) + " more";
  return line;
}
