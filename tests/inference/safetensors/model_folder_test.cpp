#include "inference/safetensors/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "base/files.h"
#include "base/random.h"
#include "inference/cpu/quant.h"
#include "inference/llm/engine.h"
#include "inference/models/model_digest.h"
#include "inference/safetensors/folder_weights.h"
#include "inference/safetensors/safetensors_file.h"
#include "inference/token/tokenizer.h"
#include "tests/inference/token/small_vocabulary.h"
#include "tests/support/model_folder_writer.h"
#include "tests/support/safetensors_writer.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A folder on disk with these files.
class Folder {
 public:
  explicit Folder(const FolderFiles& files) : folder_(*TemporaryFolder::make()) {
    fs::create_directory(path());
    for (const auto& [name, content] : files) write(name, content);
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path() / name, std::ios::binary) << content;
  }
  void remove(const std::string& name) const { fs::remove(path() / name); }
  [[nodiscard]] fs::path path() const { return folder_.path() / "tiny"; }

 private:
  TemporaryFolder folder_;
};

std::string small_tokenizer() {
  const std::string bytes = SmallVocabulary().file();
  return tokenizer_json_of_gguf(*GgufFile::parse(as_bytes(bytes), "small.gguf"));
}

/// Smaller still than others, since many of them are written to disk.
TinyModel smaller(TinyModel model) {
  model.embedding = 128;
  model.head_dim = 48;  // Not what a head is by default, embedding / heads.
  model.feed_forward = 192;
  return model;
}

/// A tiny model of an architecture in GGUF.
std::string gguf_of(const TinyModel& model) { return tiny_model_bytes(smaller(model)); }

FolderFiles files_of(const std::string& gguf) {
  FolderFiles files = folder_of_gguf(*GgufFile::parse(as_bytes(gguf), "tiny.gguf"));
  files["tokenizer.json"] = small_tokenizer();
  return files;
}

std::string error_of(const Folder& folder) {
  const auto file = open_model_folder(folder.path());
  return file ? "no error" : file.error().message;
}

class EveryArchitecture : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ModelFolder, EveryArchitecture,
                         ::testing::Values("llama", "qwen2", "qwen3", "gemma3"));

TEST_P(EveryArchitecture, HasTheTensorsAndKeysOfItsGguf) {
  for (const TensorType type : {TensorType::F32, TensorType::F16, TensorType::BF16}) {
    for (const bool tied : {true, false}) {
      const std::string bytes = gguf_of({.architecture = GetParam(), .type = type, .tied = tied});
      const auto gguf = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
      const Folder folder(files_of(bytes));

      const auto file = open_model_folder(folder.path());

      ASSERT_TRUE(file) << file.error().message;
      EXPECT_EQ(file->tensors().size(), gguf->tensors().size());
      for (const GgufTensor& expected : gguf->tensors()) {
        const GgufTensor* tensor = file->tensor(expected.name);
        ASSERT_NE(tensor, nullptr) << expected.name;
        EXPECT_EQ(tensor->type, expected.type) << expected.name;
        EXPECT_EQ(tensor->shape, expected.shape) << expected.name;
        EXPECT_TRUE(std::equal(tensor->data.begin(), tensor->data.end(), expected.data.begin(),
                               expected.data.end()))
            << expected.name;
      }
      for (const std::string_view key : gguf->keys()) {
        EXPECT_TRUE(file->has(key)) << key;
        if (const auto text = gguf->text(key)) {
          EXPECT_EQ(*file->text(key), *text) << key;
        } else if (const auto size = gguf->integer(key)) {
          EXPECT_EQ(*file->integer(key), *size) << key;
        } else {
          EXPECT_EQ(*file->number(key), *gguf->number(key)) << key;
        }
      }
    }
  }
}

TEST_P(EveryArchitecture, GivesTheVeryLogitsOfItsGguf) {
  std::vector<std::int32_t> ids(40);
  RandomStream random(3, 1);
  for (auto& id : ids) id = static_cast<std::int32_t>(random.below(300));
  for (const TensorType type : {TensorType::F32, TensorType::F16, TensorType::BF16}) {
    for (const bool tied : {true, false}) {
      const std::string bytes = gguf_of({.architecture = GetParam(), .type = type, .tied = tied});
      auto gguf = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
      const Folder folder(files_of(bytes));
      auto expected = Engine::load(*std::move(gguf), {.threads = 1});
      ASSERT_TRUE(expected) << expected.error().message;

      auto engine = Engine::load(folder.path(), {.threads = 1});

      ASSERT_TRUE(engine) << engine.error().message;
      const auto logits = engine->all_logits(ids);
      ASSERT_TRUE(logits);
      EXPECT_TRUE(*logits == *expected->all_logits(ids)) << tensor_type_name(type);
    }
  }
}

TEST(ModelFolder, AppliesTheRopeFactorsOfLlama3) {
  GgufWriter writer = tiny_model_writer(smaller({}));
  std::vector<float> factors(24);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = i < 10 ? 1.0F : 8.0F;
  const std::string plain = writer.bytes();
  const std::string scaled = writer.f32_tensor("rope_freqs.weight", {24}, factors).bytes();
  FolderFiles files = files_of(plain);
  Json config = *parse_json(files["config.json"]);
  // With no smooth part between, factors are 1 up to a wave length and 8 from there on.
  const double wave = 2 * 3.14159265358979 * std::pow(10000.0, 9.5 / 24);
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 1.0000001},
                            {"original_max_position_embeddings", wave}};
  files["config.json"] = to_text(config);
  const Folder folder(files);
  const std::vector<std::int32_t> ids = {5, 7, 250, 3, 3, 9, 120, 44};

  auto engine = Engine::load(folder.path(), {.threads = 1});

  ASSERT_TRUE(engine) << engine.error().message;
  const auto logits = [&ids](const std::string& bytes) {
    return *Engine::load(*GgufFile::parse(as_bytes(bytes), "m.gguf"), {.threads = 1})
                ->all_logits(ids);
  };
  EXPECT_TRUE(*engine->all_logits(ids) == logits(scaled));
  EXPECT_FALSE(*engine->all_logits(ids) == logits(plain));
}

TEST(ModelFolder, ReadsTensorsThatAreNotAligned) {
  const std::string bytes = gguf_of({.layers = 1});
  FolderFiles files = files_of(bytes);
  // The same file with a header that is one byte longer.
  std::string& weights = files["model.safetensors"];
  weights[0] = static_cast<char>(weights[0] + 1);
  const std::size_t data = weights.find("}}", 8);
  weights.insert(data + 2, " ");
  const Folder folder(files);
  auto engine = Engine::load(folder.path(), {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;
  const std::vector<std::int32_t> ids = {1, 2, 3};
  EXPECT_TRUE(
      *engine->all_logits(ids) ==
      *Engine::load(*GgufFile::parse(as_bytes(bytes), "m.gguf"), {.threads = 1})->all_logits(ids));
}

/// The model cut into two files, with an index.
FolderFiles sharded_files() {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  const std::string whole = files.extract("model.safetensors").mapped();
  const auto tensors = parse_safetensors(as_bytes(whole), "whole");
  SafetensorsWriter writers[2];
  Json map;
  for (std::size_t i = 0; i < tensors->size(); ++i) {
    const SafetensorsTensor& tensor = (*tensors)[i];
    writers[i % 2].tensor(tensor.name, "F32", tensor.shape,
                          {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()});
    map[tensor.name] = i % 2 == 0 ? "model-1.safetensors" : "model-2.safetensors";
  }
  files["model-1.safetensors"] = writers[0].bytes();
  files["model-2.safetensors"] = writers[1].bytes();
  files["model.safetensors.index.json"] =
      to_text({{"metadata", {{"total_size", 1}}}, {"weight_map", map}});
  return files;
}

TEST(ModelFolder, JoinsTheFilesThatItsIndexNames) {
  const std::string bytes = gguf_of({.layers = 1});
  const auto gguf = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
  const Folder folder(sharded_files());
  const auto file = open_model_folder(folder.path());
  ASSERT_TRUE(file) << file.error().message;
  for (const GgufTensor& expected : gguf->tensors()) {
    const GgufTensor* tensor = file->tensor(expected.name);
    ASSERT_NE(tensor, nullptr) << expected.name;
    EXPECT_TRUE(std::equal(tensor->data.begin(), tensor->data.end(), expected.data.begin(),
                           expected.data.end()));
  }
}

TEST(ModelFolder, RefusesAnIndexThatItsFilesContradict) {
  const FolderFiles files = sharded_files();
  const auto with_index = [&files](const std::function<void(Json&)>& change) {
    Json index = *parse_json(files.at("model.safetensors.index.json"));
    change(index);
    const Folder folder(files);
    folder.write("model.safetensors.index.json", to_text(index));
    return error_of(folder);
  };
  const char* const head = "model.norm.weight";
  EXPECT_THAT(with_index([&](Json& index) { index["weight_map"].erase(head); }),
              HasSubstr("holds tensor \"model.norm.weight\", which model.safetensors.index.json "
                        "does not place there"));
  EXPECT_THAT(with_index([&](Json& index) { index["weight_map"]["x"] = "model-2.safetensors"; }),
              HasSubstr("model-2.safetensors lacks tensor \"x\""));
  EXPECT_THAT(
      with_index([&](Json& index) { index["weight_map"][head] = "../up.safetensors"; }),
      HasSubstr("names \"../up.safetensors\", which is no Safetensors file of this folder"));
  EXPECT_THAT(with_index([&](Json& index) { index["weight_map"][head] = "pytorch_model.bin"; }),
              HasSubstr("is no Safetensors file"));
  EXPECT_THAT(with_index([&](Json& index) { index["weight_map"][head] = "gone.safetensors"; }),
              HasSubstr("gone.safetensors: No such file or directory"));
  EXPECT_THAT(with_index([](Json& index) { index.erase("weight_map"); }),
              HasSubstr("model.safetensors.index.json: field \"weight_map\" is missing"));
}

TEST(ModelFolder, NamesTheFileThatIsMissing) {
  const FolderFiles files = files_of(gguf_of({.layers = 1}));
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    const Folder folder(files);
    folder.remove(name);
    const auto file = open_model_folder(folder.path());
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().kind, ErrorKind::NotFound);
    EXPECT_THAT(file.error().message, HasSubstr(name));
  }
}

TEST(ModelFolder, NamesFileAndFieldOfAMistake) {
  const FolderFiles files = files_of(gguf_of({.layers = 1}));
  const auto with = [&files](const std::string& name, const std::string& content) {
    const Folder folder(files);
    folder.write(name, content);
    return error_of(folder);
  };
  EXPECT_THAT(with("config.json", "{"), HasSubstr("tiny/config.json: not valid JSON"));
  EXPECT_THAT(with("config.json", "{}"), HasSubstr("config.json: field \"architectures\""));
  EXPECT_THAT(with("tokenizer.json", "{}"), HasSubstr("tokenizer.json: field \"model.type\""));
  EXPECT_THAT(with("tokenizer_config.json", R"({"add_bos_token": 7})"),
              HasSubstr("tokenizer_config.json: field \"add_bos_token\" must be true or false"));
  EXPECT_THAT(with("generation_config.json", R"({"eos_token_id": "x"})"),
              HasSubstr("generation_config.json: field \"eos_token_id\""));
  EXPECT_THAT(with("model.safetensors", "short"), HasSubstr("model.safetensors is truncated"));
}

TEST(ModelFolder, RefusesPicklesByNameAndByContent) {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  const std::string pickle = std::string("PK\x03\x04\x14\0\0\0\0\0", 10) + "archive/data.pkl";
  files["model.safetensors"] = pickle;
  EXPECT_THAT(error_of(Folder(files)), HasSubstr("model.safetensors is a Python pickle"));
  files.erase("model.safetensors");
  for (const char* name : {"pytorch_model.bin", "consolidated.00.pth", "model.pt", "last.ckpt"}) {
    FolderFiles others = files;
    others[name] = pickle;
    EXPECT_THAT(error_of(Folder(others)),
                HasSubstr(std::string(name) + " is in Python's pickle format"));
  }
}

TEST(ModelFolder, RefusesAHeadThatIsNeitherThereNorTied) {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  Json config = *parse_json(files["config.json"]);
  config["tie_word_embeddings"] = false;
  files["config.json"] = to_text(config);
  EXPECT_THAT(error_of(Folder(files)), HasSubstr("tensor \"lm_head.weight\" is missing"));
  config["tie_word_embeddings"] = true;
  config["vocab_size"] = 299;
  files["config.json"] = to_text(config);
  EXPECT_THAT(error_of(Folder(files)),
              HasSubstr("has 300 rows, but \"vocab_size\" in config.json"));
}

TEST(ModelFolder, RefusesRowsWithoutColumnsHoweverManyThereAre) {
  FolderConfig config;
  config.architecture.permutes_rows = true;
  config.heads = 2;
  SafetensorsTensor endless;
  endless.name = "model.layers.0.self_attn.q_proj.weight";
  endless.shape = {std::int64_t{1} << 61U, 0};
  ModelTensors tensors;
  const auto added = add_folder_tensors(config, {endless}, tensors);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("no whole heads"));
}

TEST(ModelFolder, AnUnknownTensorIsRefusedUnderItsOwnName) {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  SafetensorsWriter writer;
  const auto tensors = parse_safetensors(as_bytes(files["model.safetensors"]), "whole");
  for (const SafetensorsTensor& tensor : *tensors) {
    writer.tensor(tensor.name, "F32", tensor.shape,
                  {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()});
  }
  writer.tensor("model.layers.0.mlp.experts.gate", "F32", {1}, "1234");
  writer.tensor("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {1}, "1234");
  files["model.safetensors"] = writer.bytes();
  const Folder folder(files);
  auto engine = Engine::load(folder.path(), {.threads = 1});
  ASSERT_FALSE(engine);
  EXPECT_THAT(engine.error().message,
              HasSubstr("tensor \"model.layers.0.mlp.experts.gate\" is not"));
}

/// A folder whose vocabulary has tokens that begin texts and end turns.
FolderFiles files_with_roles() {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  SmallVocabulary vocabulary;
  for (const char* text : {"<begin>", "<end>", "<stop>", "<halt>"}) {
    vocabulary.token(text, TokenKind::Control);
  }
  const std::string bytes = vocabulary.file();
  files["tokenizer.json"] = tokenizer_json_of_gguf(*GgufFile::parse(as_bytes(bytes), "small.gguf"));
  return files;
}

Tokenizer tokenizer_of(const FolderFiles& files) {
  const Folder folder(files);
  const auto file = open_model_folder(folder.path());
  EXPECT_TRUE(file) << file.error().message;
  return *Tokenizer::load(*file);
}

TEST(ModelFolder, TakesRolesFromTheTokenizerFirst) {
  FolderFiles files = files_with_roles();
  files["generation_config.json"] = R"({"bos_token_id": 1, "eos_token_id": [258, 259, 100000]})";
  files["tokenizer_config.json"] =
      R"({"bos_token": {"content": "<begin>"}, "eos_token": "<end>", "add_bos_token": true,
          "chat_template": "{{ 1 }}", "added_tokens_decoder": {"256": {"content": "<begin>"}}})";
  const Tokenizer tokenizer = tokenizer_of(files);
  EXPECT_EQ(tokenizer.bos(), 256);
  EXPECT_EQ(tokenizer.eos(), 257);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_TRUE(tokenizer.is_control(256));
  for (TokenId id = 0; id < 300; ++id) EXPECT_EQ(tokenizer.ends_turn(id), id >= 257 && id <= 259);
  EXPECT_EQ(tokenizer.size(), 300);
}

TEST(ModelFolder, TakesRolesFromTheConfigurationsElse) {
  FolderFiles files = files_with_roles();
  Json config = *parse_json(files["config.json"]);
  config["bos_token_id"] = 256;
  config["eos_token_id"] = {258, 257};
  files["config.json"] = to_text(config);
  const Tokenizer tokenizer = tokenizer_of(files);
  EXPECT_EQ(tokenizer.bos(), 256);
  EXPECT_EQ(tokenizer.eos(), 258);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_TRUE(tokenizer.ends_turn(257));
}

TEST(ModelFolder, AddsTheBosThatThePostProcessorAdds) {
  FolderFiles files = files_with_roles();
  std::string& json = files["tokenizer.json"];
  json.insert(1, R"("post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<begin>", "type_id": 0}},
       {"Sequence": {"id": "A", "type_id": 0}}]}]},)");
  files["tokenizer_config.json"] = R"({"bos_token": "<begin>"})";
  EXPECT_TRUE(tokenizer_of(files).adds_bos());
  files["tokenizer_config.json"] = R"({"bos_token": "<begin>", "add_bos_token": false})";
  EXPECT_FALSE(tokenizer_of(files).adds_bos());
}

TEST(ModelFolder, TakesTheChatTemplateFromItsOwnFileFirst) {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  const auto template_of = [&files] {
    const Folder folder(files);
    return *open_model_folder(folder.path())->text("tokenizer.chat_template");
  };
  files["tokenizer_config.json"] = R"({"chat_template": [{"name": "tool_use", "template": "t"},
                                       {"name": "default", "template": "d"}]})";
  EXPECT_EQ(template_of(), "d");
  files["chat_template.jinja"] = "from the file";
  EXPECT_EQ(template_of(), "from the file");
}

TEST(ModelFolder, ItsDigestFollowsEveryFileThatCounts) {
  FolderFiles files = files_of(gguf_of({.layers = 1}));
  files["generation_config.json"] = "{}";
  const auto memory = TemporaryFolder::make();
  const auto digest_of = [&memory](const FolderFiles& each) {
    const Folder folder(each);
    return *digest_model_files(folder.path(), memory->path());
  };
  const Digest digest = digest_of(files);
  EXPECT_EQ(digest_of(files), digest) << "it does not depend on where the folder lies";
  for (const auto& [name, content] : files) {
    FolderFiles changed = files;
    changed[name] += " ";
    EXPECT_NE(digest_of(changed), digest) << name;
  }
  files["README.md"] = "nothing that counts";
  EXPECT_EQ(digest_of(files), digest);
}

TEST(ModelFolder, AFileIsStillAFile) {
  const Folder folder({{"tiny.gguf", gguf_of({.layers = 1})}});
  EXPECT_TRUE(open_model_files(folder.path() / "tiny.gguf"));
  EXPECT_EQ(open_model_files(folder.path() / "gone.gguf").error().kind, ErrorKind::NotFound);
  EXPECT_THAT(open_model_files(folder.path()).error().message,
              HasSubstr("holds neither model.safetensors nor model.safetensors.index.json"));
}

}  // namespace
}  // namespace trialwright
