//===- ImportFixture.h - Imports models written as text ---------*- C++ -*-===//
#ifndef ONNXC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
#define ONNXC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H

#include "compiler/import/Import.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include "onnx/defs/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

class ImportTest : public testing::Test {
protected:
  /// A model in onnx's text form, as bytes.
  static std::string bytes(const std::string &text) {
    onnx::ModelProto model = parse(text);
    return model.SerializeAsString();
  }

  static onnx::ModelProto parse(const std::string &text) {
    onnx::ModelProto model;
    onnx::OnnxParser parser(text.c_str());
    auto status = parser.Parse(model);
    EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
    return model;
  }

  /// Imports and returns the module as text; the errors when it fails, one a
  /// line.
  std::string import(const std::string &bytes,
                     const onnxc::ImportOptions &options = {}) {
    return describe([&] {
      return onnxc::importModel(
          llvm::ArrayRef<char>(bytes.data(), bytes.size()), &context, options);
    });
  }

  std::string importFile(const std::string &path) {
    return describe([&] { return onnxc::importModel(path, &context); });
  }

  std::string importText(const std::string &text,
                         const onnxc::ImportOptions &options = {}) {
    return import(bytes(text), options);
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};

private:
  template <typename Callable> std::string describe(Callable import) {
    std::string text;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
      text += "error: " + d.str() + "\n";
      return mlir::success();
    });
    mlir::FailureOr<onnxc::ImportedModel> model = import();
    EXPECT_EQ(mlir::failed(model), !text.empty()) << text;
    if (mlir::succeeded(model)) {
      llvm::raw_string_ostream stream(text);
      model->module->print(stream);
    }
    return text;
  }
};

#endif // ONNXC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
