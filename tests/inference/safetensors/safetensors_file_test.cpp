#include "inference/safetensors/safetensors_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gguf_writer.h"
#include "tests/support/safetensors_writer.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& bytes) {
  const auto tensors = parse_safetensors(as_bytes(bytes), "m.safetensors");
  return tensors ? "no error" : tensors.error().message;
}

std::string text_of(const SafetensorsTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

TEST(Safetensors, ReadsTypeShapeAndPlaceOfEveryTensor) {
  const std::string bytes = SafetensorsWriter()
                                .tensor("a", "F32", {2, 3}, std::string(24, 'a'))
                                .tensor("b", "BF16", {4}, std::string(8, 'b'))
                                .tensor("one", "F16", {}, "11")
                                .tensor("none", "F32", {0, 5}, "")
                                .bytes();
  const auto tensors = parse_safetensors(as_bytes(bytes), "m.safetensors");
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 4U);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].type, TensorType::F32);
  EXPECT_EQ((*tensors)[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(text_of((*tensors)[0]), std::string(24, 'a'));
  EXPECT_EQ((*tensors)[1].type, TensorType::BF16);
  EXPECT_EQ(text_of((*tensors)[1]), std::string(8, 'b'));
  EXPECT_EQ((*tensors)[2].type, TensorType::F16);
  EXPECT_TRUE((*tensors)[2].shape.empty());
  EXPECT_EQ(text_of((*tensors)[2]), "11");
  EXPECT_TRUE((*tensors)[3].data.empty());
}

TEST(Safetensors, PassesOverMetadata) {
  EXPECT_EQ(error_of(safetensors_bytes(R"({"__metadata__": {"format": "pt"}})", "")), "no error");
}

TEST(Safetensors, TheOrderOfTheHeaderIsNotThatOfTheData) {
  const std::string bytes = safetensors_bytes(
      R"({"late": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]},
          "early": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}})",
      "eell");
  const auto tensors = parse_safetensors(as_bytes(bytes), "m.safetensors");
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(text_of((*tensors)[0]), "ll");
  EXPECT_EQ(text_of((*tensors)[1]), "ee");
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string bytes = SafetensorsWriter().tensor("a", "F32", {2}, "12345678").bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(error_of(bytes.substr(0, size)), "no error") << size;
  }
  EXPECT_EQ(error_of(bytes.substr(0, 5)),
            "m.safetensors is truncated: it ends within its first eight bytes");
  EXPECT_THAT(error_of(bytes.substr(0, 20)), HasSubstr("is truncated: it ends within its header"));
  EXPECT_EQ(error_of(bytes.substr(0, bytes.size() - 1)),
            "m.safetensors is truncated: its tensors take 8 bytes, but it holds 7");
  EXPECT_EQ(error_of(bytes + "x"),
            "m.safetensors is damaged: its tensors take 8 bytes, but it holds 9");
}

TEST(Safetensors, RefusesTensorsThatOverlapOrLeaveGaps) {
  const auto with_offsets = [](const char* first, const char* second) {
    return safetensors_bytes(
        std::string(R"({"a": {"dtype": "F16", "shape": [2], "data_offsets": )") + first +
            R"(}, "b": {"dtype": "F16", "shape": [2], "data_offsets": )" + second + "}}",
        "12345678");
  };
  EXPECT_EQ(error_of(with_offsets("[0, 4]", "[4, 8]")), "no error");
  EXPECT_EQ(error_of(with_offsets("[0, 4]", "[2, 6]")),
            "m.safetensors is damaged: tensor \"b\" lies at bytes 2 to 6 of the data, not right "
            "behind the one before it, which ends at 4");
  EXPECT_THAT(error_of(with_offsets("[0, 4]", "[0, 4]")), HasSubstr("is damaged"));
  EXPECT_THAT(error_of(with_offsets("[1, 5]", "[5, 9]")), HasSubstr("is damaged"));
  EXPECT_THAT(error_of(with_offsets("[0, 3]", "[3, 8]")), HasSubstr("do not fit its type"));
  EXPECT_THAT(error_of(with_offsets("[4, 0]", "[4, 8]")), HasSubstr("is damaged"));
  EXPECT_THAT(error_of(with_offsets("[0, 4]", "[4, 9223372036854775807]")),
              HasSubstr("is truncated"));
}

TEST(Safetensors, RefusesOtherTypesByName) {
  for (const char* dtype : {"F64", "I64", "U8", "BOOL", "F8_E4M3", "I32", "f32", ""}) {
    EXPECT_EQ(error_of(SafetensorsWriter().tensor("a", dtype, {1}, "12345678").bytes()),
              "m.safetensors holds tensor \"a\" of type \"" + std::string(dtype) +
                  "\"; F32, F16 and BF16 are supported");
  }
}

TEST(Safetensors, RefusesHeadersThatAreNone) {
  const auto header = [](const std::string& text) { return error_of(safetensors_bytes(text, "")); };
  EXPECT_THAT(header("[]"), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(header("{"), HasSubstr("has a wrong header"));
  EXPECT_THAT(header("{} x"), HasSubstr("has a wrong header"));
  EXPECT_THAT(header(R"({"a": 1})"), HasSubstr("an object was expected"));
  EXPECT_THAT(header(R"({"a": {}})"), HasSubstr("without the field \"dtype\""));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [0]}})"),
              HasSubstr("without the field \"data_offsets\""));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
                         "a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})"),
              HasSubstr("tensor \"a\" occurs a second time"));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}})"),
              HasSubstr("sizes"));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0, 0]}})"),
              HasSubstr("sizes"));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0], "x": 1}})"),
              HasSubstr("unknown field \"x\""));
  EXPECT_THAT(header(R"({"a": {"dtype": "F32", "shape": [4294967296, 4294967296, 4294967296],
                         "data_offsets": [0, 0]}})"),
              HasSubstr("do not fit its type and shape"));
}

TEST(Safetensors, AHugeHeaderDoesNotAllocate) {
  std::string bytes(16, '\0');
  bytes[7] = '\x7F';
  EXPECT_THAT(error_of(bytes), HasSubstr("its header would be"));
}

TEST(Safetensors, RefusesPicklesByContent) {
  EXPECT_THAT(error_of(std::string("PK\x03\x04\x14\0\0\0\0\0 archive/data.pkl", 26)),
              HasSubstr("is a Python pickle"));
  EXPECT_THAT(error_of("\x80\x02}q\x01.3456789"), HasSubstr("is a Python pickle"));
}

TEST(Safetensors, AHeaderOf640BytesIsNoPickle) {
  // Its length begins with 80 02, like a pickle of protocol 2.
  const std::string bytes = SafetensorsWriter().tensor("a", "F32", {1}, "1234").bytes(640);
  ASSERT_EQ(bytes.substr(0, 2), "\x80\x02");
  EXPECT_EQ(error_of(bytes), "no error");
}

}  // namespace
}  // namespace trialwright
