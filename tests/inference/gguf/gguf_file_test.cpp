#include "inference/gguf/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/gguf_writer.h"

namespace trialwright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

GgufWriter small_file(std::uint32_t version = 3) {
  GgufWriter writer(version);
  writer.text("general.architecture", "llama")
      .u32("llama.block_count", 2)
      .u64("big", 1ULL << 40U)
      .f32("llama.rope.freq_base", 10000.0F)
      .boolean("yes", true)
      .texts("tokens", {"a", "", "ccc"})
      .i32s("types", {1, -3})
      .f32s("scores", {0.5F, -1.0F})
      .f32_tensor("norm", {3}, {1, 2, 3})
      .tensor("weights", TensorType::Q8_0, {32, 2}, std::string(68, 'q'));
  return writer;
}

std::string error_of(const std::string& bytes) {
  auto file = GgufFile::parse(as_bytes(bytes), "model.gguf");
  return file ? "no error" : file.error().message;
}

TEST(GgufFile, ReadsEveryKindOfValue) {
  for (const std::uint32_t version : {2U, 3U}) {
    const std::string bytes = small_file(version).bytes();
    auto file = GgufFile::parse(as_bytes(bytes), "model.gguf");

    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(*file->text("general.architecture"), "llama");
    EXPECT_EQ(*file->integer("llama.block_count"), 2);
    EXPECT_EQ(*file->integer("big"), 1LL << 40U);
    EXPECT_EQ(*file->number("llama.rope.freq_base"), 10000.0);
    EXPECT_TRUE(*file->boolean("yes"));
    EXPECT_THAT(*file->texts("tokens"), ElementsAre("a", "", "ccc"));
    EXPECT_THAT(*file->integers("types"), ElementsAre(1, -3));
    EXPECT_THAT(*file->numbers("scores"), ElementsAre(0.5F, -1.0F));
    EXPECT_THAT(file->keys(), SizeIs(8));
  }
}

TEST(GgufFile, FindsTensorsByName) {
  const std::string bytes = small_file().bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "model.gguf");

  ASSERT_TRUE(file) << file.error().message;
  const GgufTensor* weights = file->tensor("weights");
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(weights->type, TensorType::Q8_0);
  EXPECT_THAT(weights->shape, ElementsAre(32, 2));
  EXPECT_EQ(weights->data.size(), 68U);
  EXPECT_TRUE(std::all_of(weights->data.begin(), weights->data.end(),
                          [](std::byte b) { return b == std::byte{'q'}; }));
  EXPECT_EQ(file->tensor("bias"), nullptr);
}

TEST(GgufFile, NamesTheKeyThatIsMissingOrOfAnotherType) {
  const std::string bytes = small_file().bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "model.gguf");

  ASSERT_TRUE(file);
  EXPECT_EQ(file->integer("nothing").error().message,
            "model.gguf: metadata key \"nothing\" is missing");
  EXPECT_EQ(file->integer("tokens").error().message,
            "model.gguf: metadata key \"tokens\" must be an integer");
  EXPECT_EQ(file->texts("types").error().message,
            "model.gguf: metadata key \"types\" must be a list of texts");
}

TEST(GgufFile, EveryTruncationIsAnError) {
  const std::string bytes = small_file().bytes();
  // The last tensor's padding may be missing, as some writers leave it out.
  const std::size_t last_byte_needed = bytes.size() - (96 - 68);
  for (std::size_t size = 0; size < last_byte_needed; ++size) {
    EXPECT_NE(error_of(bytes.substr(0, size)), "no error") << "cut to " << size;
  }
  EXPECT_EQ(error_of(bytes.substr(0, last_byte_needed)), "no error");
  EXPECT_THAT(error_of(bytes.substr(0, last_byte_needed - 1)),
              HasSubstr("model.gguf is truncated: tensor \"weights\" ends at byte"));
}

TEST(GgufFile, RefusesOtherFormatsByName) {
  EXPECT_EQ(error_of("#!/bin/sh"), "model.gguf is not a GGUF file");
  EXPECT_EQ(error_of(""), "model.gguf is empty, not a GGUF file");
  EXPECT_THAT(error_of(std::string("PK\x03\x04 archive/data.pkl", 20)), HasSubstr("pickle"));
  EXPECT_THAT(error_of("\x80\x02}q\x01."), HasSubstr("pickle"));
  EXPECT_THAT(error_of(std::string("\x10\0\0\0\0\0\0\0{\"a\":{}}", 16)), HasSubstr("Safetensors"));
  // A header of 640 bytes begins like a pickle of protocol 2.
  EXPECT_THAT(error_of(std::string("\x80\x02\0\0\0\0\0\0{\"a\":{}}", 16)),
              HasSubstr("Safetensors"));
  EXPECT_THAT(error_of(GgufWriter(1).bytes()), HasSubstr("version 1"));
  EXPECT_THAT(error_of("FUGG...."), HasSubstr("big-endian"));
}

TEST(GgufFile, RefusesWhatCannotBe) {
  EXPECT_THAT(error_of(GgufWriter().u32("a", 1).u32("a", 2).bytes()), HasSubstr("occurs twice"));
  EXPECT_THAT(error_of(GgufWriter().raw("a", 77, "").bytes()), HasSubstr("\"a\" has a type"));
  EXPECT_THAT(error_of(GgufWriter().u32("general.alignment", 3).bytes()),
              HasSubstr("power of two"));
  EXPECT_THAT(error_of(GgufWriter().tensor("t", TensorType::Q4_K, {32, 1}, "x").bytes()),
              HasSubstr("not a multiple of 256"));
  EXPECT_THAT(
      error_of(GgufWriter().tensor("t", TensorType::F32, {1LL << 40U, 1LL << 40U}, "").bytes()),
      HasSubstr("impossible shape"));
  EXPECT_THAT(error_of(GgufWriter().tensor("t", TensorType::F32, {1LL << 61U, 2}, "").bytes()),
              HasSubstr("impossible size"));
  EXPECT_THAT(error_of(GgufWriter().tensor("t", TensorType::F32, {-1}, "").bytes()),
              HasSubstr("impossible shape"));
}

TEST(GgufFile, AHugeCountDoesNotAllocate) {
  std::string array(4, '\0');
  array[0] = 8;  // texts
  array += std::string(7, '\xff') + '\x7f';
  EXPECT_THAT(error_of(GgufWriter().raw("a", 9, array).bytes()), HasSubstr("truncated"));
  array[0] = 6;  // f32
  EXPECT_THAT(error_of(GgufWriter().raw("a", 9, array).bytes()), HasSubstr("truncated"));
}

TEST(GgufFile, AFileWithoutTensorsIsFine) {
  const std::string bytes = GgufWriter().text("general.architecture", "llama").bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "vocabulary.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->tensors().empty());
}

TEST(GgufFile, ATensorOfAnUnknownTypeIsListedWithoutData) {
  const std::string bytes =
      GgufWriter().tensor("t", static_cast<TensorType>(17), {256, 1}, std::string(90, 'x')).bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "model.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->tensor("t")->data.empty());
  EXPECT_EQ(tensor_type_name(file->tensor("t")->type), "type 17");
}

TEST(GgufFile, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(GgufFile::open("/nowhere/model.gguf").error().kind, ErrorKind::NotFound);
}

}  // namespace
}  // namespace trialwright
