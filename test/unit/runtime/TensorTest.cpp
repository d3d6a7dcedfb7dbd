//===- TensorTest.cpp - Tensors, workspaces and element types -===//
#include "Memory.h"
#include "Support.h"

using namespace onnxc::test;

namespace {

TEST(Tensor, Owned) {
  int64_t dims[] = {2, 3};
  onnxc_tensor *tensor = nullptr;
  expectOk(onnxc_tensor_create(ONNXC_INT16, dims, 2, &tensor));
  TensorHandle owner(tensor);
  const onnxc_value *view = onnxc_tensor_view(tensor);
  EXPECT_EQ(view->kind, uint32_t(ONNXC_KIND_TENSOR));
  EXPECT_EQ(view->elem_type, ONNXC_INT16);
  EXPECT_EQ(view->bytes, 12u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view->data) % 64, 0u);
  memset(view->data, 1, view->bytes);
}

TEST(Tensor, Refused) {
  int64_t dims[17] = {2, -3};
  onnxc_tensor *tensor = nullptr;
  expectError(onnxc_tensor_create(ONNXC_FLOAT, dims, 2, &tensor),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "no tensor can have the shape [2,-3]");
  expectError(onnxc_tensor_create(ONNXC_FLOAT, dims, 17, &tensor),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "a tensor of rank 17: at most 16 is possible");
  expectError(onnxc_tensor_create(ONNXC_STRING, dims, 0, &tensor),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "element type 8 (string) cannot be held by a tensor");
  expectError(onnxc_tensor_create(99, dims, 0, &tensor),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "element type 99 (undefined) cannot be held by a tensor");
  expectError(onnxc_tensor_create(ONNXC_FLOAT, nullptr, 1, &tensor),
              ONNXC_STATUS_INVALID_ARGUMENT, "dims is NULL");
  expectError(onnxc_tensor_create(ONNXC_FLOAT, dims, 0, nullptr),
              ONNXC_STATUS_INVALID_ARGUMENT, "tensor is NULL");
  float data[3];
  dims[0] = 4;
  expectError(
      onnxc_tensor_wrap(ONNXC_FLOAT, dims, 1, data, sizeof data, &tensor),
      ONNXC_STATUS_INVALID_ARGUMENT,
      "a tensor of shape [4] needs 16 bytes, got 12");
  EXPECT_EQ(tensor, nullptr);
}

TEST(Tensor, TooLarge) {
  int64_t dims[] = {int64_t(1) << 40, int64_t(1) << 19};
  onnxc_tensor *tensor = nullptr;
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
  GTEST_SKIP() << "AddressSanitizer ends the program at such a request";
#endif
  expectError(onnxc_tensor_create(ONNXC_UINT8, dims, 2, &tensor),
              ONNXC_STATUS_OUT_OF_MEMORY, "out of memory");
  EXPECT_EQ(tensor, nullptr);
}

TEST(ElemType, Bytes) {
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, 3), 12u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_INT4, 3), 2u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_UINT2, 5), 2u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_COMPLEX128, 1), 16u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_STRING, 1), 0u);
  EXPECT_EQ(onnxc_elem_type_bytes(-5, 1), 0u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, -1), 0u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, INT64_MAX), 0u);
  EXPECT_STREQ(onnxc_elem_type_name(ONNXC_BFLOAT16), "bfloat16");
  EXPECT_STREQ(onnxc_elem_type_name(ONNXC_INT2), "int2");
  EXPECT_STREQ(onnxc_elem_type_name(1000), "undefined");
}

TEST(Workspace, GrowsAndStays) {
  onnxc::runtime::Workspace workspace;
  for (size_t bytes : {size_t(0), size_t(100), size_t(1) << 20, size_t(9) << 20,
                       size_t(10) << 20}) {
    void *memory = workspace.reserve(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    memset(memory, 1, bytes);
    EXPECT_EQ(workspace.reserve(bytes / 2), memory);
  }
  EXPECT_EQ(workspace.reserve(SIZE_MAX / 4), nullptr);
  EXPECT_NE(workspace.reserve(10), nullptr);
}

} // namespace
