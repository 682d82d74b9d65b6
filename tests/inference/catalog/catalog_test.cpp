#include "inference/catalog/catalog.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

const std::string kDigest(64, 'a');

std::string manifest(const std::string& model, const std::string& source) {
  return "[[model]]\n" + model + "\n[[model.source]]\n" + source + "\n";
}

std::string good_model() { return "name = \"m\"\nbytes = 3\nsha256 = \"" + kDigest + "\""; }

std::string error_of(const std::string& toml) {
  auto catalog = parse_catalog(toml, "m.toml");
  return catalog ? "" : catalog.error().message;
}

TEST(Catalog, HoldsTheBundledModels) {
  auto catalog = load_catalog("/nowhere/models.toml");
  ASSERT_TRUE(catalog) << catalog.error().message;
  ASSERT_EQ(catalog->models.size(), 4U);
  auto model = catalog->find("qwen2.5-coder-1.5b");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->bytes, 1'117'320'768U);
  EXPECT_EQ(model->sha256.hex(),
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046");
  ASSERT_EQ(model->sources.size(), 1U);
  EXPECT_EQ(std::get<PackageSource>(model->sources[0]).parts.size(), 22U);
}

TEST(Catalog, ReadsEveryKindOfSource) {
  auto catalog = parse_catalog(
      manifest(good_model(),
               "url = \"https://models.example/m.gguf\"\n[[model.source]]\npath = "
               "\"/srv/m.gguf\"\n[[model.source]]\nparts = [{package = \"p\", version "
               "= \"1.0\", member = \"p/m\", bytes = 3, sha256 = \"" +
                   kDigest + "\"}]"),
      "m.toml");
  ASSERT_TRUE(catalog) << catalog.error().message;
  const auto& sources = catalog->models[0].sources;
  ASSERT_EQ(sources.size(), 3U);
  EXPECT_EQ(describe(sources[0]), "https://models.example/m.gguf");
  EXPECT_EQ(describe(sources[1]), "/srv/m.gguf");
  EXPECT_EQ(describe(sources[2]), "package p");
}

TEST(Catalog, KnowsWhichModelsComeUnderTermsOfTheirOwn) {
  auto catalog = load_catalog("/nowhere/models.toml");
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_FALSE(catalog->find("smollm2-135m")->terms);
  const auto gemma = catalog->find("gemma3-270m");
  ASSERT_TRUE(gemma && gemma->terms);
  EXPECT_EQ(gemma->terms->name, "Gemma Terms of Use");
  EXPECT_EQ(gemma->terms->url, "https://ai.google.dev/gemma/terms");

  const auto with_terms = [](const std::string& terms) {
    return error_of(manifest(good_model() + "\nterms = " + terms, "path = \"/m.gguf\""));
  };
  EXPECT_EQ(with_terms("{name = \"T\", url = \"https://t\", summary = \"S.\"}"), "");
  EXPECT_EQ(with_terms("{name = \"T\", url = \"https://t\"}"),
            "m.toml, model 1: field \"model.terms.summary\" is missing");
  EXPECT_EQ(with_terms("{name = \"T\", url = \"file:///t\", summary = \"S.\"}"),
            "m.toml, model 1: line 5: field \"model.terms.url\" must begin with https://");
  EXPECT_EQ(with_terms("\"yes\""),
            "m.toml, model 1: line 5: field \"model.terms\" must be a table");
}

TEST(Catalog, TakesAManifestThatHoldsOnlyAComment) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto own = folder->path() / "models.toml";
  ASSERT_TRUE(write_file_atomically(own, "# none yet\n"));
  auto catalog = load_catalog(own);
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_TRUE(catalog->find("smollm2-135m"));
}

TEST(Catalog, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(
      error_of("[[model]\n"),
      "m.toml: line 1: not valid TOML: Error while parsing table header: expected ']', saw '\\n'");
  EXPECT_EQ(error_of("model = 1"), "m.toml: line 1: field \"model\" must be a list of tables");
  EXPECT_EQ(error_of("version = 1"), "m.toml: field \"version\" is not known");
  EXPECT_EQ(error_of(manifest("name = \"m\"\nbytes = -3\nsha256 = \"" + kDigest + "\"",
                              "path = \"/m.gguf\"")),
            "m.toml, model 1: line 3: field \"model.bytes\" must be a whole number from 1 to "
            "1125899906842624");
  EXPECT_EQ(error_of(manifest("name = \"m\"\nbytes = 3\nsha256 = \"xyz\"", "path = \"/m.gguf\"")),
            "m.toml, model 1: line 4: field \"model.sha256\" must be 64 hexadecimal digits");
  EXPECT_EQ(error_of("[[model]]\n" + good_model()),
            "m.toml, model 1: field \"model.source\" must list at least one source");
  EXPECT_EQ(error_of(manifest(good_model() + "\nsize = 4", "path = \"/m.gguf\"")),
            "m.toml, model 1: field \"model.size\" is not known");
  EXPECT_EQ(error_of(manifest(good_model(), "path = \"/m.gguf\"\nurl = \"https://x/m.gguf\"")),
            "m.toml, model 1: source 1: a source has one of \"url\", \"path\" and \"parts\"");
  EXPECT_EQ(error_of(manifest(good_model(), "url = \"ftp://x/m.gguf\"")),
            "m.toml, model 1: source 1: field \"url\" must begin with https:// or http://");
}

TEST(Catalog, RefusesNamesThatLeaveTheModelsFolder) {
  for (const char* name : {"../m", "a/b", ".hidden", "-rf", "", "m.gguf"}) {
    EXPECT_FALSE(parse_catalog(
        manifest("name = \"" + std::string(name) + "\"\nbytes = 3\nsha256 = \"" + kDigest + "\"",
                 "path = \"/m.gguf\""),
        "m.toml"))
        << name;
  }
}

TEST(Catalog, RefusesPackageNamesThatPipWouldTakeForSomethingElse) {
  for (const char* package : {"--index-url=x", "https://x/y.whl", "./folder", "a b", "a==1"}) {
    EXPECT_EQ(error_of(manifest(good_model(),
                                "parts = [{package = \"" + std::string(package) +
                                    "\", version = \"1\", member = \"m\", bytes = 3, sha256 = \"" +
                                    kDigest + "\"}]")),
              "m.toml, model 1: source 1: part 1: line 6: field \"model.source.parts.package\" is "
              "not the "
              "name of a package");
  }
}

TEST(Catalog, RefusesPickledWeightsByName) {
  EXPECT_EQ(error_of(manifest(good_model(), "url = \"https://x/pytorch_model-1.bin\"")),
            "m.toml, model 1: source 1: https://x/pytorch_model-1.bin is in Python's pickle "
            "format, which can run code when it is read; only GGUF files are supported");
}

TEST(Catalog, LetsAUsersManifestStandInForABundledModel) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path own = folder->path() / "models.toml";
  ASSERT_TRUE(write_file_atomically(
      own, manifest("name = \"smollm2-135m\"\nbytes = 5\nsha256 = \"" + kDigest + "\"",
                    "path = \"/m.gguf\"") +
               manifest("name = \"mine\"\nbytes = 5\nsha256 = \"" + kDigest + "\"",
                        "path = \"/m.gguf\"")));
  auto catalog = load_catalog(own);
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->models.size(), 5U);
  EXPECT_EQ(catalog->find("smollm2-135m")->bytes, 5U);
  EXPECT_TRUE(catalog->find("mine"));
}

class ResolveModel : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    auto catalog = parse_catalog(manifest(good_model(), "path = \"/m.gguf\""), "m.toml");
    ASSERT_TRUE(catalog);
    catalog_ = *std::move(catalog);
  }

  std::string resolve_error(const std::string& name) {
    auto path = resolve_model(catalog_, name, folder_->path());
    return path ? "" : path.error().message;
  }

  std::unique_ptr<TemporaryFolder> folder_;
  Catalog catalog_;
};

TEST_F(ResolveModel, FindsAPulledModelByName) {
  ASSERT_TRUE(write_file_atomically(folder_->path() / "m.gguf", "abc"));
  auto path = resolve_model(catalog_, "m", folder_->path());
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, folder_->path() / "m.gguf");
}

TEST_F(ResolveModel, SaysHowToPullOneThatIsNotThere) {
  EXPECT_EQ(resolve_error("m"),
            "model m is not on this machine; fetch it with: trialwright models pull m");
}

TEST_F(ResolveModel, NoticesATruncatedFile) {
  ASSERT_TRUE(write_file_atomically(folder_->path() / "m.gguf", "ab"));
  EXPECT_EQ(resolve_error("m"), (folder_->path() / "m.gguf").string() +
                                    " has 2 bytes, not 3; fetch it again with: trialwright models "
                                    "pull m");
}

TEST_F(ResolveModel, TakesWhatLooksLikeAFileForAFile) {
  const std::string file = (folder_->path() / "other.gguf").string();
  EXPECT_EQ(resolve_error(file), "model file " + file + " does not exist");
  ASSERT_TRUE(write_file_atomically(file, "abc"));
  EXPECT_EQ(resolve_error(file), "");
}

TEST_F(ResolveModel, RefusesPickledWeightsByName) {
  EXPECT_EQ(resolve_error("weights/model.pt"),
            "weights/model.pt is in Python's pickle format, which can run code when it is read; "
            "only GGUF files are supported");
}

TEST_F(ResolveModel, SuggestsNamesThatAreClose) {
  EXPECT_EQ(resolve_error("n"), "there is no model named \"n\"; did you mean m?");
  EXPECT_EQ(resolve_error("something-else"),
            "there is no model named \"something-else\"; known are m");
}

}  // namespace
}  // namespace trialwright
