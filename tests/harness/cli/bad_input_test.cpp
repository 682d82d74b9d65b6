// What people get wrong: one sentence that says what and where, the right exit code, and nothing
// half-written.

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "results/run_folder.h"
#include "results/store.h"
#include "tests/harness/cli/program.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Mistake {
  std::string name;
  std::vector<std::string> arguments;
  int exit_code = 2;
  std::vector<std::string> named;  ///< What the sentence must name.
};

std::ostream& operator<<(std::ostream& out, const Mistake& mistake) { return out << mistake.name; }

/// Files that the mistakes are made with.
FileTree files_of_mistakes() {
  const std::string model = tiny_model_bytes({.layers = 1, .vocabulary = 32});
  return FileTree{
      {"script.jsonl", "{\"text\": \"42\"}\n"},
      {"bad_script.jsonl", "{\"text\": \"42\"}\n{\"txt\": \"42\"}\n"},
      {"not_toml.toml", "name = \"x\"\n[limits\n"},
      {"bad_type.toml", "name = 7\n"},
      {"bad_field.toml", "[limits]\nturnz = 3\n"},
      {"half.gguf", model.substr(0, model.size() / 2)},
      {"head.gguf", model.substr(0, 100)},
      {"text.gguf", "not a model\n"},
      {"weights.bin", std::string("\x80\x02", 2) + "pickled"},
      {"tag.jinja", "fine\n{% frobnicate x %}"},
      {"filter.jinja", "{{ messages | frobnicate }}"},
      {"cases.jsonl", "{\"messages\": []}\n{\"messages\": [}\n"},
      {"fine.jinja", "{{ messages | length }}"},
      {"folder/inside.txt", ""},
      {"pickled/config.json", "{}"},
      {"pickled/pytorch_model.bin", std::string("\x80\x02", 2) + "pickled"},
      {"suite/suite.toml", "name = 7\n"},
  };
}

std::vector<Mistake> mistakes() {
  const std::string model = "scripted:script.jsonl";
  return {
      {"UnknownCommand", {"runn"}, 2, {"\"runn\"", "did you mean run?"}},
      {"UnknownFlag", {"run", "--modl", "x"}, 2, {"--modl", "did you mean --model?"}},
      {"UnknownShortFlag", {"run", "-Z"}, 2, {"-Z"}},
      {"FlagWithoutValue", {"run", "--model"}, 2, {"--model needs a value"}},
      {"FlagTwice", {"run", "--epochs", "1", "--epochs", "2"}, 2, {"--epochs", "more than once"}},
      {"HalfACommand", {"models"}, 2, {"list, pull, show"}},
      {"MissingOperand", {"search"}, 2, {"TEXT"}},
      {"TooManyOperands", {"verify", "a", "b"}, 2, {"no more than 1"}},
      {"NumberOutOfRange", {"run", "--epochs", "0"}, 2, {"--epochs", "\"0\""}},
      {"JobsOutOfRange", {"run", "-j", "0", "-m", model}, 2, {"--jobs", "\"0\""}},
      {"RateOutOfRange", {"run", "--max-error-rate", "101", "-m", model}, 2, {"--max-error-rate"}},
      {"UnknownProgress", {"run", "--progress", "loud", "-m", model}, 2, {"--progress", "loud"}},
      {"UnknownColour", {"list", "--color", "blue"}, 2, {"--color", "blue"}},
      {"UnknownAgent", {"run", "--agent", "me"}, 2, {"--agent", "\"me\""}},
      {"UnknownProtocol", {"run", "--protocol", "smoke", "-m", model}, 2, {"--protocol"}},
      {"ScaffoldIsNoToml",
       {"run", "--scaffold", "not_toml.toml", "-m", model},
       2,
       {"scaffold", "not_toml.toml", "line 2"}},
      {"ScaffoldFieldOfAnotherType",
       {"run", "--scaffold", "bad_type.toml", "-m", model},
       2,
       {"scaffold", "bad_type.toml", "\"name\" must be a string"}},
      {"ScaffoldFieldThatIsNone",
       {"run", "--scaffold", "bad_field.toml", "-m", model},
       2,
       {"scaffold", "bad_field.toml", "limits.turnz"}},
      {"MissingScaffold", {"run", "--scaffold", "none.toml"}, 2, {"scaffold", "none.toml"}},
      {"MissingSuite", {"run", "nosuch", "-m", model}, 2, {"suite", "\"nosuch\"", "starter"}},
      {"MissingSuiteFolder", {"run", "./nosuch", "-m", model}, 2, {"folder", "nosuch"}},
      {"BadSuiteFile", {"run", "./suite", "-m", model}, 2, {"suite.toml", "\"name\""}},
      {"MissingTask", {"run", "starter", "nosuch", "-m", model}, 4, {"\"nosuch\""}},
      {"OneOfTwoTasksMissing", {"run", "starter", "nosuch", "qa/**", "-m", model}, 2, {"nosuch"}},
      {"MisspeltExclude", {"run", "--exclude", "tag:hrad", "-m", model}, 2, {"did you mean hard?"}},
      {"MissingModelFile", {"run", "-m", "none.gguf"}, 2, {"none.gguf", "does not exist"}},
      {"UnknownModel", {"run", "-m", "smolm2-135m"}, 2, {"did you mean smollm2-135m?"}},
      {"ModelCutInTheWeights", {"run", "-m", "half.gguf"}, 2, {"half.gguf", "truncated"}},
      {"ModelCutInTheHead", {"models", "show", "head.gguf"}, 2, {"head.gguf", "truncated"}},
      {"NoModelAtAll", {"tokenize", "text.gguf"}, 2, {"text.gguf", "not a GGUF file"}},
      {"PickledModel", {"run", "-m", "./weights.bin"}, 2, {"weights.bin"}},
      {"FolderWithPickledWeights",
       {"run", "-m", "pickled"},
       2,
       {"pickled/pytorch_model.bin", "pickle"}},
      {"FolderWithoutWeights", {"tokenize", "./folder"}, 2, {"./folder", "model.safetensors"}},
      {"MissingScript", {"run", "-m", "scripted:none.jsonl"}, 2, {"none.jsonl"}},
      {"BadScript", {"run", "-m", "scripted:bad_script.jsonl"}, 2, {"line 2", "\"txt\""}},
      {"EndpointWithoutModel", {"run", "-m", "http://127.0.0.1:1/v1"}, 2, {"does not name"}},
      {"TemplateTag", {"template", "tag.jinja"}, 2, {"tag.jinja", "line 2", "\"frobnicate\""}},
      {"TemplateFilter", {"template", "filter.jinja"}, 2, {"filter.jinja", "\"frobnicate\""}},
      {"MissingTemplate", {"template", "none.jinja"}, 2, {"none.jinja"}},
      {"CasesThatAreAFolder", {"template", "fine.jinja", "folder"}, 2, {"cannot read folder"}},
      {"MissingCases", {"template", "fine.jinja", "none.jsonl"}, 2, {"none.jsonl"}},
      {"EmptySelection", {"run", "-k", "tag:nosuch", "-m", model}, 4, {"starter", "selection"}},
      {"EmptyList", {"list", "tasks", "-k", "tag:nosuch"}, 4, {"starter", "selection"}},
      {"EmptyTagList", {"list", "tags", "-k", "tag:nosuch"}, 4, {"starter", "selection"}},
      {"OperandOfAListOfRuns", {"list", "runs", "extra"}, 2, {"list runs", "\"extra\""}},
      {"FilterOfAListOfSuites", {"list", "suites", "--tag", "x"}, 2, {"list suites", "--tag"}},
      {"MissingFolderOfTasks", {"validate", "/nonexistent"}, 2, {"no folder /nonexistent"}},
      {"MissingFolderThatReadsAsAGlob", {"validate", "no/such"}, 4, {"nor", "folder no/such"}},
      {"LogprobsThatNothingPrints",
       {"generate", "text.gguf", "--prompt", "x", "--logprobs", "2"},
       2,
       {"--logprobs", "--json"}},
      {"UnknownFormatOfABenchmark",
       {"bench", "text.gguf", "-o", "xml"},
       2,
       {"--output", "\"xml\"", "jsonl"}},
      {"ThreadsOfABenchmark", {"bench", "text.gguf", "-t", "1,0"}, 2, {"--threads", "\"0\""}},
      {"BenchmarkOfNothing", {"bench", "text.gguf", "-p", "0", "-n", "0"}, 2, {"--n-prompt"}},
      {"TestTwice", {"bench", "text.gguf", "-p", "5,5"}, 2, {"--n-prompt", "5", "once"}},
      {"BenchmarkOfNoModel", {"bench", "text.gguf"}, 2, {"text.gguf", "not a GGUF file"}},
      {"UnknownDevice", {"run", "-m", "none.gguf", "--device", "tpu"}, 2, {"--device", "tpu"}},
      {"DeviceOfAScript", {"run", "-m", model, "--device", "tpu"}, 2, {"--device", "tpu"}},
      {"BadExpression", {"run", "-k", "tag:files and (", "-m", model}, 2, {"column", "tag:files"}},
      {"BadShard", {"run", "--shard", "hash:5/4", "-m", model}, 2, {"--shard", "hash:5/4"}},
      {"BadShardKind", {"run", "--shard", "half", "-m", model}, 2, {"--shard", "\"half\""}},
      {"NoRunToVerify", {"verify", "nosuch"}, 2, {"no run", "runs"}},
      {"NoRunToShow", {"show", "nosuch@1"}, 2, {"no run", "runs"}},
      {"NoRunYet", {"resume", "last"}, 2, {"no run"}},
      {"NotARun", {"verify", "./script.jsonl"}, 6, {"script.jsonl"}},
      {"UnknownShell", {"completion", "tcsh"}, 2, {"tcsh"}},
      {"UnknownHelp", {"help", "frob"}, 2, {"\"frob\""}},
      {"UnknownList", {"list", "frobs"}, 2, {"\"frobs\""}},
  };
}

/// `trialwright: …` and nothing more.
void expect_one_sentence(const ProgramResult& result, const std::vector<std::string>& named) {
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("trialwright: ")) << result.err;
  for (const std::string& part : named) EXPECT_THAT(result.err, HasSubstr(part));
}

class BadInput : public testing::TestWithParam<Mistake> {};

TEST_P(BadInput, IsOneSentenceAndLeavesNothing) {
  const FileTree folder = files_of_mistakes();
  const auto before = files_below(folder.path());
  const ProgramResult result = run_trialwright(GetParam().arguments, folder.path());
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  expect_one_sentence(result, GetParam().named);
  EXPECT_EQ(files_below(folder.path()), before);
}

INSTANTIATE_TEST_SUITE_P(Of, BadInput, testing::ValuesIn(mistakes()),
                         [](const auto& mistake) { return mistake.param.name; });

class BadPlace : public testing::Test {
 protected:
  ProgramResult trialwright(const std::vector<std::string>& arguments) const {
    return run_trialwright(arguments, folder_.path());
  }

  FileTree folder_{{"script.jsonl", "{\"text\": \"42\"}\n"}, {"folder/", ""}};
};

TEST_F(BadPlace, BadJsonLineIsNamedAfterTheGoodOnesAreAnswered) {
  const FileTree folder = files_of_mistakes();
  const ProgramResult result =
      run_trialwright({"template", "fine.jinja", "cases.jsonl"}, folder.path());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "{\"rendered\":\"0\"}\n");
  expect_one_sentence(result, {"cases.jsonl, line 2"});
}

/// A run whose record holds something else than what this program writes.
std::string store_odd_run(const FileTree& folder, const Json& spec, const Json& environment) {
  const SystemClock clock;
  const RunRecord run{new_run_id(clock), clock.wall_us(), spec, environment};
  PlannedTrial trial;
  trial.id = "aa";
  trial.task = "s/one";
  trial.epoch = 1;
  const std::vector<PlannedTrial> plan = {trial};
  auto store = RunStore::create(run_file(folder.path() / "runs", run.id), run, plan, clock);
  EXPECT_TRUE(store);
  if (store) {
    EXPECT_TRUE(store->finish(RunStatus::Interrupted));
  }
  return run.id;
}

TEST_F(BadPlace, StoredModelThatIsNoTextIsAnErrorAndNoAbort) {
  const std::string id =
      store_odd_run(folder_, {{"suite", "starter"}, {"agent", "model"}, {"model", 7}}, {});
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"replay", "s/one@1"}, {"resume", "last"}}) {
    SCOPED_TRACE(arguments[0]);
    const ProgramResult result = trialwright(arguments);
    EXPECT_EQ(result.exit_code, 6);
    expect_one_sentence(result, {id, "configuration", "\"model\" must be a string"});
  }
  const ProgramResult list = trialwright({"list"});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, HasSubstr("?"));
}

TEST_F(BadPlace, StoredSuiteThatIsNoObjectIsAnErrorAndNoAbort) {
  store_odd_run(folder_, {}, {{"suite", 7}});
  const ProgramResult result = trialwright({"report", "-o", "page.html"});
  EXPECT_EQ(result.exit_code, 6);
  expect_one_sentence(result, {"environment", "\"suite\""});
  EXPECT_FALSE(path_exists(folder_.path() / "page.html"));
}

TEST_F(BadPlace, ReportThatCannotBeWrittenLeavesNothing) {
  ASSERT_EQ(
      trialwright({"run", "starter", "qa/arithmetic/*", "-m", "scripted:script.jsonl"}).exit_code,
      0);
  const auto before = files_below(folder_.path());
  for (const std::string target : {"folder", "script.jsonl/report.html", "/proc/report.html"}) {
    SCOPED_TRACE(target);
    const ProgramResult result = trialwright({"report", "-o", target});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    expect_one_sentence(result, {"writing the report", target});
    EXPECT_EQ(files_below(folder_.path()), before);
  }
}

TEST_F(BadPlace, MissingRunOrTrialIsNamed) {
  ASSERT_EQ(
      trialwright({"run", "starter", "qa/arithmetic/*", "-m", "scripted:script.jsonl"}).exit_code,
      0);
  for (const std::string command : {"show", "verify", "report", "replay", "resume"}) {
    SCOPED_TRACE(command);
    const ProgramResult result = trialwright({command, "nosuch"});
    EXPECT_EQ(result.exit_code, 2);
    expect_one_sentence(result, {"\"nosuch\""});
  }
}

TEST_F(BadPlace, MissingSandboxIsNamedBeforeARunIsMade) {
  const ProgramResult result =
      run_trialwright({"run", "starter", "files/*", "-m", "scripted:script.jsonl"}, folder_.path(),
                      "", {{"PATH", "/nonexistent"}});
  EXPECT_EQ(result.exit_code, 3);
  expect_one_sentence(result, {"opening the sandbox", "bubblewrap", "install"});
  EXPECT_FALSE(path_exists(folder_.path() / "runs"));
}

TEST_F(BadPlace, RunIsNotWrittenOverAFileThatIsThere) {
  const ProgramResult result = trialwright(
      {"run", "starter", "qa/arithmetic/*", "-m", "scripted:script.jsonl", "-o", "script.jsonl"});
  EXPECT_EQ(result.exit_code, 2);
  expect_one_sentence(result, {"script.jsonl", "starting the run"});
  EXPECT_EQ(*read_file(folder_.path() / "script.jsonl"), "{\"text\": \"42\"}\n");
}

/// A file system of a few pages on a folder of the test.
class SmallDisk : public BadPlace {
 protected:
  void mount(const std::string& size) {
    folder_.write("runs/", "");
    const std::string options = "size=" + size;
    mounted_ = ::mount("none", runs().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  void TearDown() override {
    if (mounted_) ::umount2(runs().c_str(), MNT_DETACH);
  }
  [[nodiscard]] fs::path runs() const { return folder_.path() / "runs"; }

  bool mounted_ = false;
};

TEST_F(SmallDisk, WithoutRoomForThePlanLeavesNothing) {
  mount("16k");
  if (!mounted_) GTEST_SKIP() << "this user may not mount a small disk";
  const ProgramResult result = trialwright({"run", "starter", "-m", "scripted:script.jsonl"});
  EXPECT_EQ(result.exit_code, 3);
  expect_one_sentence(result, {"starting the run", "runs/", "disk is full"});
  EXPECT_TRUE(files_below(runs()).empty());
}

TEST_F(SmallDisk, FullInTheMiddleKeepsASoundRunThatCanBeResumed) {
  mount("220k");
  if (!mounted_) GTEST_SKIP() << "this user may not mount a small disk";
  const ProgramResult result = trialwright({"run", "starter", "qa/**", "--epochs", "4",
                                            "--progress", "none", "-m", "scripted:script.jsonl"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  // The first line says which run began.
  expect_one_sentence({0, "", result.err.substr(result.err.find('\n') + 1)},
                      {"recording the run", "disk is full"});
  const ProgramResult verified = trialwright({"verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;

  // The disk grows, and the rest is made.
  ASSERT_EQ(::mount("none", runs().c_str(), "tmpfs", MS_REMOUNT, "size=20m"), 0);
  const ProgramResult resumed = trialwright({"resume", "last", "--progress", "none"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("192 of 192 trials scored"));
}

}  // namespace
}  // namespace trialwright
