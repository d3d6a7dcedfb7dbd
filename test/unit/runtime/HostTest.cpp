//===- HostTest.cpp - Operators on strings -===//
#include "HostOperators.h"
#include "Support.h"

#include <deque>
#include <limits>

using namespace onnxc::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using Texts = std::vector<std::string>;

/// Calls an operator of the host library, as generated code does.
class Host : public testing::Test {
protected:
  onnxc_value strings(const Texts &texts, std::initializer_list<int64_t> dims) {
    kept.push_back(texts);
    std::vector<const char *> &list = addresses.emplace_back();
    for (const std::string &text : kept.back())
      list.push_back(text.c_str());
    return viewOf(ONNXC_STRING, list, dims);
  }
  onnxc_value list(const Texts &texts) {
    return strings(texts, {static_cast<int64_t>(texts.size())});
  }
  onnxc_value number(int64_t value) {
    return viewOf(ONNXC_INT64, numbers.emplace_back(1, value), {1});
  }

  int32_t run(const char *name, std::vector<onnxc_value> arguments) {
    onnxc_value sequence = {};
    sequence.kind = ONNXC_KIND_SEQUENCE;
    sequence.rank = 1;
    sequence.dims[0] = static_cast<int64_t>(arguments.size());
    sequence.data = arguments.data();
    sequence.bytes = arguments.size() * sizeof(onnxc_value);
    auto allocate = [](void *context, size_t bytes) -> void * {
      auto *test = static_cast<Host *>(context);
      if (test->noMemory)
        return nullptr;
      return test->memory.emplace_back(new char[bytes]).get();
    };
    return onnxc::runtime::runHostOperator(
        {name, &sequence, &results, allocate, this, &error});
  }
  const onnxc_value &result(size_t index) const {
    return static_cast<const onnxc_value *>(results.data)[index];
  }
  template <typename T> std::vector<T> elements(size_t index = 0) const {
    auto *data = static_cast<const T *>(result(index).data);
    return {data, data + result(index).bytes / sizeof(T)};
  }
  Texts texts(size_t index = 0) const {
    std::vector<const char *> list = elements<const char *>(index);
    return {list.begin(), list.end()};
  }

  onnxc_value results = {};
  onnxc_error error = {};
  bool noMemory = false;

private:
  std::deque<Texts> kept;
  std::deque<std::vector<const char *>> addresses;
  std::deque<std::vector<int64_t>> numbers;
  std::deque<std::unique_ptr<char[]>> memory;
};

TEST_F(Host, Split) {
  onnxc_value x = strings({"a,b,,c", "", ","}, {3, 1});
  ASSERT_EQ(run("StringSplit", {x, list({","}), number(2)}), 0);
  EXPECT_THAT(dimsOf(result(0)), ElementsAre(3, 1, 3));
  EXPECT_THAT(texts(), ElementsAre("a", "b", ",c", "", "", "", "", "", ""));
  EXPECT_THAT(elements<int64_t>(1), ElementsAre(3, 1, 2));
  ASSERT_EQ(run("StringSplit", {list({" \ta  b ", ""}), list({}), number(-1)}),
            0);
  EXPECT_THAT(texts(), ElementsAre("a", "b", "", ""));
  EXPECT_THAT(elements<int64_t>(1), ElementsAre(2, 0));
  ASSERT_EQ(run("StringSplit", {list({}), list({}), number(-1)}), 0);
  EXPECT_THAT(dimsOf(result(0)), ElementsAre(0, 0));
}

TEST_F(Host, Normalize) {
  onnxc_value x = list({"\u00c4RGER", "The", "\u00e9t\u00e9"});
  ASSERT_EQ(
      run("StringNormalizer", {x, list({"UPPER"}), number(0), list({"the"})}),
      0);
  EXPECT_THAT(texts(), ElementsAre("\u00c4RGER", "\u00c9T\u00c9"));
  ASSERT_EQ(
      run("StringNormalizer", {x, list({"LOWER"}), number(1), list({"the"})}),
      0);
  EXPECT_THAT(texts(), ElementsAre("\u00e4rger", "the", "\u00e9t\u00e9"));
  ASSERT_EQ(run("StringNormalizer", {strings({"a"}, {1, 1}), list({"NONE"}),
                                     number(1), list({"a"})}),
            0);
  EXPECT_THAT(texts(), ElementsAre(""));
  EXPECT_THAT(dimsOf(result(0)), ElementsAre(1, 1));
  for (const char *wrong : {"\xc3", "\xff", "\xe2\x82", "\xc3x"}) {
    EXPECT_NE(run("StringNormalizer",
                  {list({wrong}), list({"LOWER"}), number(1), list({})}),
              0);
    EXPECT_STREQ(error.message, "StringNormalizer: a string is not UTF-8");
  }
}

TEST_F(Host, LookUp) {
  ASSERT_EQ(run("IndexOf", {list({"b", "", "x"}), list({"", "b", "b"})}), 0);
  EXPECT_THAT(elements<int64_t>(), ElementsAre(1, 0, -1));
  ASSERT_EQ(run("Ranks", {list({"b", "", "ba", "b", "B", "\xc3\xa4"})}), 0);
  EXPECT_THAT(elements<int64_t>(), ElementsAre(2, 0, 3, 2, 1, 4));
  ASSERT_EQ(run("Equal", {list({"b", ""}), list({"b", "c"})}), 0);
  EXPECT_THAT(elements<uint8_t>(), ElementsAre(1, 0));
  ASSERT_EQ(run("RegexFullMatch", {list({"aab", "aa"}), list({"a+b?"})}), 0);
  EXPECT_THAT(elements<uint8_t>(), ElementsAre(1, 1));
  EXPECT_EQ(run("RegexFullMatch", {list({"a"}), list({"["})}),
            ONNXC_MODEL_RUNTIME_ERROR);
  EXPECT_THAT(error.message, HasSubstr("'[' is not one of RE2"));
}

TEST_F(Host, Casts) {
  ASSERT_EQ(run("FromStrings", {list({" -1e3 ", "inf"}), number(ONNXC_DOUBLE)}),
            0);
  EXPECT_THAT(elements<double>(),
              ElementsAre(-1000, std::numeric_limits<double>::infinity()));
  EXPECT_EQ(run("FromStrings", {list({"256"}), number(ONNXC_UINT8)}),
            ONNXC_MODEL_RUNTIME_ERROR);
  EXPECT_STREQ(error.message,
               "FromStrings: '256' is not a number of this type");
  EXPECT_EQ(run("FromStrings", {list({"1"}), number(ONNXC_FLOAT16)}),
            ONNXC_MODEL_RUNTIME_ERROR);
}

TEST_F(Host, Refused) {
  EXPECT_EQ(run("Sum", {}), ONNXC_MODEL_RUNTIME_ERROR);
  EXPECT_STREQ(error.message, "Sum: this version has no such operator");
  EXPECT_EQ(run("Equal", {list({})}), ONNXC_MODEL_RUNTIME_ERROR);
  EXPECT_STREQ(error.message, "Equal: argument 1 is missing");
  noMemory = true;
  EXPECT_EQ(run("StringConcat", {list({"a"}), list({"b"})}),
            ONNXC_MODEL_OUT_OF_MEMORY);
}

} // namespace
