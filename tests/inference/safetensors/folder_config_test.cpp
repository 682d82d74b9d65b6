#include "inference/safetensors/folder_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;

/// The fields of a real config.json of the class, in small.
Json config_of(const std::string& class_name) {
  Json config = {{"architectures", {class_name}},
                 {"num_hidden_layers", 6},
                 {"max_position_embeddings", 512},
                 {"hidden_size", 256},
                 {"intermediate_size", 1024},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2},
                 {"rms_norm_eps", 1e-5},
                 {"vocab_size", 300}};
  if (class_name == "Gemma3ForCausalLM") {
    config["sliding_window"] = 128;
    config["hidden_activation"] = "gelu_pytorch_tanh";
  }
  return config;
}

struct Read {
  FolderConfig config;
  GgufFile file;
};

Read read(const Json& json) {
  GgufMetadata metadata;
  auto config = read_folder_config(to_text(json), metadata);
  EXPECT_TRUE(config) << config.error().message;
  return {*config, *GgufFile::assemble("folder", metadata, {})};
}

std::string error_of(const Json& json) {
  GgufMetadata metadata;
  const auto config = read_folder_config(to_text(json), metadata);
  return config ? "no error" : config.error().message;
}

std::string error_with(const std::string& class_name, const std::string& field, const Json& value) {
  Json config = config_of(class_name);
  config[field] = value;
  return error_of(config);
}

TEST(FolderConfig, HasTheKeysOfTheConverter) {
  Json json = config_of("LlamaForCausalLM");
  json["rope_theta"] = 130000.0;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};
  const auto [config, file] = read(json);
  EXPECT_EQ(*file.text("general.architecture"), "llama");
  EXPECT_EQ(*file.integer("llama.block_count"), 6);
  EXPECT_EQ(*file.integer("llama.context_length"), 512);
  EXPECT_EQ(*file.integer("llama.embedding_length"), 256);
  EXPECT_EQ(*file.integer("llama.feed_forward_length"), 1024);
  EXPECT_EQ(*file.integer("llama.attention.head_count"), 4);
  EXPECT_EQ(*file.integer("llama.attention.head_count_kv"), 2);
  EXPECT_EQ(*file.integer("llama.attention.key_length"), 64);
  EXPECT_EQ(*file.integer("llama.attention.value_length"), 64);
  EXPECT_EQ(*file.integer("llama.rope.dimension_count"), 64);
  EXPECT_EQ(*file.integer("llama.vocab_size"), 300);
  EXPECT_EQ(static_cast<float>(*file.number("llama.attention.layer_norm_rms_epsilon")), 1e-5F);
  EXPECT_EQ(*file.number("llama.rope.freq_base"), 130000);
  EXPECT_EQ(*file.text("llama.rope.scaling.type"), "linear");
  EXPECT_EQ(*file.number("llama.rope.scaling.factor"), 4);
  EXPECT_FALSE(config.tied);
  EXPECT_TRUE(config.architecture.permutes_rows);
}

TEST(FolderConfig, LeavesOutWhatTransformersHasByDefault) {
  Json json = config_of("LlamaForCausalLM");
  json.erase("num_key_value_heads");
  const Read llama = read(json);
  EXPECT_EQ(llama.config.kv_heads, 4);
  EXPECT_EQ(*llama.file.number("llama.rope.freq_base"), 10000);
  Json small = config_of("Gemma3ForCausalLM");
  small.erase("num_attention_heads");
  small.erase("num_key_value_heads");
  small.erase("max_position_embeddings");
  small.erase("rms_norm_eps");
  const auto [config, file] = read(small);
  EXPECT_TRUE(config.tied);
  EXPECT_EQ(*file.integer("gemma3.attention.head_count"), 8);
  EXPECT_EQ(*file.integer("gemma3.attention.head_count_kv"), 4);
  EXPECT_EQ(*file.integer("gemma3.attention.key_length"), 256);
  EXPECT_EQ(*file.integer("gemma3.context_length"), 131072);
  EXPECT_EQ(*file.integer("gemma3.attention.sliding_window"), 128);
  EXPECT_EQ(*file.number("gemma3.rope.freq_base"), 1e6);
}

TEST(FolderConfig, ReadsRopeInItsNewerForm) {
  Json json = config_of("Qwen3ForCausalLM");
  json["rope_parameters"] = {{"rope_theta", 1e6}, {"rope_type", "default"}};
  EXPECT_EQ(*read(json).file.number("qwen3.rope.freq_base"), 1e6);
  Json gemma = config_of("Gemma3ForCausalLM");
  gemma["rope_parameters"] = {
      {"full_attention", {{"rope_theta", 2e6}, {"rope_type", "linear"}, {"factor", 8.0}}},
      {"sliding_attention", {{"rope_theta", 1e4}, {"rope_type", "default"}}}};
  const Read read_gemma = read(gemma);
  EXPECT_EQ(*read_gemma.file.number("gemma3.rope.freq_base"), 2e6);
  EXPECT_EQ(*read_gemma.file.number("gemma3.rope.scaling.factor"), 8);
  gemma["rope_parameters"]["sliding_attention"]["rope_theta"] = 5e4;
  EXPECT_EQ(*read(gemma).file.number("gemma3.rope.freq_base_swa"), 5e4);
}

TEST(FolderConfig, ComputesTheRopeFactorsOfLlama3) {
  Json json = config_of("LlamaForCausalLM");
  json["rope_theta"] = 500000;
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 32},
                          {"low_freq_factor", 1},
                          {"high_freq_factor", 4},
                          {"original_max_position_embeddings", 8192}};
  const std::vector<float> factors = read(json).config.rope_factors;
  ASSERT_EQ(factors.size(), 32U);
  // Of Llama 3.2 1B, worked out once with the formula of llama.cpp's converter.
  EXPECT_EQ(factors[14], 1);
  EXPECT_NEAR(factors[15], 1.6513292, 1e-6);
  EXPECT_NEAR(factors[17], 9.6667290, 1e-5);
  EXPECT_EQ(factors[18], 32);
  EXPECT_EQ(factors[31], 32);
}

TEST(FolderConfig, RefusesByNameWhatItDoesNotCompute) {
  const std::string llama = "LlamaForCausalLM";
  const std::string gemma = "Gemma3ForCausalLM";
  EXPECT_THAT(error_with(llama, "architectures", {"MambaForCausalLM"}),
              HasSubstr("field \"architectures\" names \"MambaForCausalLM\"; supported are "
                        "LlamaForCausalLM, MistralForCausalLM"));
  EXPECT_THAT(error_with(llama, "architectures", Json::array()), HasSubstr("must name one class"));
  EXPECT_EQ(error_with(llama, "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}),
            "field \"rope_scaling.rope_type\" is \"yarn\", which is not supported with "
            "LlamaForCausalLM");
  EXPECT_THAT(error_with(llama, "rope_scaling", {{"type", "linear"}}),
              HasSubstr("\"rope_scaling.factor\" is missing"));
  EXPECT_THAT(error_with(llama, "rope_scaling", 7), HasSubstr("field \"rope_scaling\""));
  EXPECT_THAT(error_with(llama, "quantization_config", {{"quant_method", "gptq"}}),
              HasSubstr("quantized weights are read from GGUF only"));
  EXPECT_THAT(error_with(llama, "attention_bias", true), HasSubstr("\"attention_bias\" is set"));
  EXPECT_THAT(error_with(llama, "mlp_bias", true), HasSubstr("\"mlp_bias\" is set"));
  EXPECT_THAT(error_with(llama, "hidden_act", "gelu"), HasSubstr("only silu is supported"));
  EXPECT_THAT(error_with(gemma, "hidden_activation", "gelu"), HasSubstr("only gelu_pytorch_tanh"));
  EXPECT_THAT(error_with(llama, "partial_rotary_factor", 0.5), HasSubstr("is not 1"));
  EXPECT_THAT(error_with(gemma, "final_logit_softcapping", 30.0), HasSubstr("is set"));
  EXPECT_THAT(error_with(gemma, "query_pre_attn_scalar", 168), HasSubstr("is not the size of"));
  EXPECT_THAT(error_with(gemma, "sliding_window_pattern", 0), HasSubstr("between 1 and"));
  EXPECT_THAT(error_with(gemma, "rope_local_base_freq", -1.0), HasSubstr("a positive number"));
  EXPECT_THAT(error_with(gemma, "layer_types", {"full_attention"}), HasSubstr("every layer"));
  EXPECT_THAT(error_with(gemma, "layer_types", Json(std::vector<std::string>(6, "full_attention"))),
              HasSubstr("in one of every 6 layers"));
  EXPECT_THAT(error_with("MistralForCausalLM", "sliding_window", 128),
              HasSubstr("\"sliding_window\" is smaller than the context"));
  EXPECT_EQ(error_with("MistralForCausalLM", "sliding_window", 512), "no error");
  EXPECT_EQ(error_with("Qwen2ForCausalLM", "sliding_window", 128), "no error");
  EXPECT_THAT(error_with("Qwen3ForCausalLM", "layer_types", {"sliding_attention"}),
              HasSubstr("\"layer_types\" has layers of another kind"));
}

TEST(FolderConfig, NamesTheFieldThatIsWrong) {
  const std::string llama = "LlamaForCausalLM";
  for (const char* field :
       {"num_hidden_layers", "max_position_embeddings", "hidden_size", "intermediate_size",
        "num_attention_heads", "rms_norm_eps", "vocab_size", "architectures"}) {
    Json json = config_of(llama);
    json.erase(field);
    EXPECT_THAT(error_of(json), HasSubstr("field \"" + std::string(field) + "\"")) << field;
    EXPECT_THAT(error_with(llama, field, "six"), HasSubstr("field \"" + std::string(field) + "\""));
  }
  EXPECT_EQ(error_with(llama, "hidden_size", 0),
            "field \"hidden_size\" is 0, not between 1 and 1048576");
  EXPECT_EQ(error_with(llama, "hidden_size", 2.5), "field \"hidden_size\" must be a whole number");
  EXPECT_EQ(error_with(llama, "rms_norm_eps", -1.0),
            "field \"rms_norm_eps\" must be a positive number");
  EXPECT_THAT(error_of(Json("text")), HasSubstr("an object was expected"));
}

}  // namespace
}  // namespace trialwright
