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

TEST(Copy, AllParts) {
  std::vector<std::string> texts = {"one", "", "th\xc3\xa9"};
  std::vector<const char *> keys;
  for (const std::string &text : texts)
    keys.push_back(text.c_str());
  std::vector<float> numbers = {1, 2, 3};
  onnxc_value parts[2] = {viewOf(ONNXC_STRING, keys, {3}),
                          viewOf(ONNXC_FLOAT, numbers, {3})};
  onnxc_value map = {};
  map.kind = ONNXC_KIND_MAP;
  map.rank = 1;
  map.dims[0] = 3;
  map.data = parts;
  map.bytes = sizeof parts;
  std::vector<onnxc_value> maps = {map, map};
  onnxc_value sequence = map;
  sequence.kind = ONNXC_KIND_SEQUENCE;
  sequence.dims[0] = 2;
  sequence.data = maps.data();
  sequence.bytes = sizeof map * 2;
  onnxc_tensor *tensor = nullptr;
  expectOk(onnxc_tensor_copy(&sequence, &tensor));
  TensorHandle owner(tensor);
  texts.clear();
  numbers.assign(3, 0);
  const onnxc_value *view = onnxc_tensor_view(tensor);
  ASSERT_EQ(view->kind, uint32_t(ONNXC_KIND_SEQUENCE));
  for (int i : {0, 1}) {
    auto *copied = static_cast<const onnxc_value *>(view->data) + i;
    ASSERT_EQ(copied->kind, uint32_t(ONNXC_KIND_MAP));
    auto *both = static_cast<const onnxc_value *>(copied->data);
    auto *strings = static_cast<const char *const *>(both[0].data);
    EXPECT_STREQ(strings[0], "one");
    EXPECT_STREQ(strings[1], "");
    EXPECT_STREQ(strings[2], "th\xc3\xa9");
    EXPECT_EQ(static_cast<const float *>(both[1].data)[2], 3);
  }
}

TEST(Copy, Refused) {
  std::vector<const char *> texts = {"a", nullptr};
  onnxc_value strings = viewOf(ONNXC_STRING, texts, {2});
  onnxc_tensor *tensor = nullptr;
  auto expectRefusal = [&](const onnxc_value *value, const char *message) {
    expectError(onnxc_tensor_copy(value, &tensor),
                ONNXC_STATUS_INVALID_ARGUMENT, message);
    EXPECT_EQ(tensor, nullptr);
  };
  expectRefusal(nullptr, "value is NULL");
  expectRefusal(&strings, "a string is NULL");
  strings.bytes = 8;
  expectRefusal(&strings, "a tensor's memory is too small");
  strings.dims[0] = -2;
  expectRefusal(&strings, "a tensor of an impossible type or shape");
  onnxc_value map = {};
  map.kind = ONNXC_KIND_MAP;
  map.rank = 1;
  expectRefusal(&map, "the memory of a sequence or map is too small");
  map.kind = 77;
  expectRefusal(&map, "a value that is of an unknown kind cannot be copied");
  onnxc_value endless = {};
  endless.kind = ONNXC_KIND_SEQUENCE;
  endless.rank = endless.dims[0] = 1;
  endless.data = &endless;
  endless.bytes = sizeof endless;
  expectRefusal(&endless, "values are nested more than 8 times");
}

TEST(ElemType, Bytes) {
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, 3), 12u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_INT4, 3), 2u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_UINT2, 5), 2u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_COMPLEX128, 1), 16u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_STRING, 2), 2 * sizeof(char *));
  EXPECT_EQ(onnxc_elem_type_bytes(-5, 1), 0u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, -1), 0u);
  EXPECT_EQ(onnxc_elem_type_bytes(ONNXC_FLOAT, INT64_MAX), 0u);
  onnxc_value_info tensor{}, map{}, sequence{};
  tensor.kind = ONNXC_KIND_TENSOR;
  tensor.elem_type = ONNXC_FLOAT;
  map.kind = ONNXC_KIND_MAP;
  map.elem_type = ONNXC_INT64;
  map.element = &tensor;
  sequence.kind = ONNXC_KIND_SEQUENCE;
  sequence.element = &map;
  std::string name = "seq(map(int64,tensor(float)))";
  char text[40];
  EXPECT_EQ(onnxc_type_name(&sequence, nullptr, 0), name.size());
  EXPECT_EQ(onnxc_type_name(&sequence, text, sizeof text), name.size());
  EXPECT_EQ(text, name);
  EXPECT_EQ(onnxc_type_name(&sequence, text, 5), name.size());
  EXPECT_STREQ(text, "seq(");
  EXPECT_EQ(onnxc_type_name(nullptr, text, sizeof text), 0u);
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
