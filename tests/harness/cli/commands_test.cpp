// Every command prints what its help promises.

#include <gmock/gmock.h>

#include <cstdlib>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "harness/cli/command.h"
#include "harness/sandbox/sandbox.h"
#include "results/event_format.h"
#include "results/store.h"
#include "tests/harness/cli/program.h"
#include "tests/support/fake_clock.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

void expect_golden(const std::string& name, const std::string& text) {
  const fs::path path = fs::path(TRIALWRIGHT_GOLDEN_FOLDER) / "harness/cli" / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file_atomically(path, text));
    return;
  }
  auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden) << "UPDATE_GOLDEN=1 rewrites " << path;
}

class Commands : public testing::Test {
 protected:
  /// What a command prints that must succeed.
  std::string printed(const std::vector<std::string>& arguments, const std::string& input = "") {
    const ProgramResult result = run_trialwright(arguments, folder_.path(), input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }

  FileTree folder_{{"script.jsonl", "{\"text\": \"the answer is 75\"}\n"}};
};

TEST_F(Commands, HelpShowsAllCommands) {
  const std::string overview = printed({"help"});
  expect_golden("help.txt", overview);
  EXPECT_EQ(printed({"--help"}), overview);
  // Without a command the same is shown, but a script that forgot it must notice.
  const ProgramResult nothing = run_trialwright({}, folder_.path());
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_EQ(nothing.out, overview);
}

TEST_F(Commands, HelpOfRunShowsItsFlags) {
  const std::string page = printed({"help", "run"});
  expect_golden("help_run.txt", page);
  EXPECT_EQ(printed({"run", "--help"}), page);
}

TEST_F(Commands, EveryCommandHasHelpThatFitsTheTerminal) {
  for (const Command& command : all_commands()) {
    const std::string page = printed({"help", command.name});
    EXPECT_THAT(page, StartsWith("trialwright " + command.name)) << command.name;
    bool in_examples = false;
    for (const std::string_view line : split(page, '\n')) {
      const auto columns =
          std::count_if(line.begin(), line.end(), [](char c) { return (c & '\xC0') != '\x80'; });
      // An example is to be copied whole. Examples end the prose, before the table of flags.
      in_examples =
          in_examples ? line.starts_with("  ") : line == "example:" || line == "examples:";
      const bool example = in_examples && line.find("trialwright ") != line.npos;
      EXPECT_TRUE(example || columns <= 80) << command.name << ": " << line;
    }
  }
}

TEST_F(Commands, ResumeFindsASuiteThatWasNamedByABareFolder) {
  folder_.write("mine/qa.jsonl", R"({"id": "a", "prompt": "p", "answer": {"numeric": 75}})");
  folder_.write("elsewhere/x", "");
  for (const std::string name : {"mine", "mine/", "."}) {
    const auto where = folder_.path() / (name == "." ? "mine" : "");
    const std::map<std::string, std::string> runs = {
        {"TRIALWRIGHT_RUNS_DIR", (folder_.path() / "runs").string()}};
    const ProgramResult run = run_trialwright(
        {"run", name, "-m", "scripted:" + (folder_.path() / "script.jsonl").string()}, where, "",
        runs);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const ProgramResult resumed =
        run_trialwright({"resume", "last"}, folder_.path() / "elsewhere", "", runs);
    EXPECT_EQ(resumed.exit_code, 0) << name << ": " << resumed.err;
  }
}

TEST_F(Commands, ManualPageHasASectionForEachCommand) {
  const std::string page = printed({"help", "man"});
  EXPECT_THAT(page, StartsWith(".TH TRIALWRIGHT 1\n"));
  for (const Command& command : all_commands()) {
    EXPECT_THAT(page, HasSubstr("\n.SS " + command.name)) << command.name;
  }
  EXPECT_THAT(page, HasSubstr(".SH EXIT STATUS"));
}

TEST_F(Commands, VersionIsOneLine) {
  EXPECT_THAT(printed({"--version"}), testing::MatchesRegex("trialwright [0-9.]+\n"));
}

TEST_F(Commands, BashCompletionIsAScriptThatCompletes) {
  folder_.write("completion", printed({"completion", "bash"}));
  const auto completed = [&](const std::string& words, int number) {
    const std::string script = "cd '" + folder_.path().string() +
                               "' && . ./completion && COMP_WORDS=(" + words +
                               ") COMP_CWORD=" + std::to_string(number) +
                               " && _trialwright && echo \"${COMPREPLY[*]}\" > completed";
    folder_.write("try.sh", script);
    EXPECT_EQ(std::system(("bash " + (folder_.path() / "try.sh").string()).c_str()), 0);
    return *read_file(folder_.path() / "completed");
  };
  EXPECT_EQ(std::system(("bash -n " + (folder_.path() / "completion").string()).c_str()), 0);
  EXPECT_EQ(completed("trialwright res", 1), "resume\n");
  EXPECT_EQ(completed("trialwright run --epo", 2), "--epochs\n");
  EXPECT_EQ(completed("trialwright models pu", 2), "pull\n");
  EXPECT_EQ(completed("trialwright models show --ten", 3), "--tensors\n");
}

TEST_F(Commands, ZshAndFishCompletionsNameTheCommands) {
  EXPECT_THAT(printed({"completion", "zsh"}), StartsWith("#compdef trialwright\n"));
  EXPECT_THAT(printed({"completion", "fish"}), HasSubstr("-a resume"));
}

TEST_F(Commands, ListNamesTheChosenTasksAndRunsNothing) {
  const std::string list = printed({"run", "starter", "files/*", "--list"});
  EXPECT_THAT(list, HasSubstr("starter/files/write-greeting  ["));
  EXPECT_THAT(list, testing::Not(HasSubstr("starter/qa")));
  EXPECT_FALSE(path_exists(folder_.path() / "runs"));
}

TEST_F(Commands, ShardsPartTheTasks) {
  std::vector<std::string> parts;
  for (const std::string shard : {"hash:1/3", "hash:2/3", "hash:3/3"}) {
    const std::string list = printed({"run", "starter", "--list", "--shard", shard});
    for (const std::string_view line : split(list, '\n')) {
      if (!line.empty()) parts.emplace_back(line);
    }
  }
  const std::string whole = printed({"run", "starter", "--list"});
  std::vector<std::string> all;
  for (const std::string_view line : split(whole, '\n')) {
    if (!line.empty()) all.emplace_back(line);
  }
  EXPECT_THAT(parts, testing::UnorderedElementsAreArray(all));
}

TEST_F(Commands, DryRunPrintsThePlanAndRunsNothing) {
  const std::string plan = printed({"run", "starter", "qa/arithmetic/add", "files/write-greeting",
                                    "--epochs", "3", "--dry-run", "--seed", "5"});
  EXPECT_THAT(plan, HasSubstr("2 tasks × 3 epochs = 6 trials"));
  EXPECT_THAT(plan, HasSubstr("seed 5"));
  EXPECT_THAT(plan, HasSubstr("at most"));
  EXPECT_FALSE(path_exists(folder_.path() / "runs"));
}

TEST_F(Commands, ListsOfTasksTagsAndSuites) {
  EXPECT_THAT(printed({"list", "tasks", "starter", "qa/format/*"}),
              HasSubstr("starter/qa/format/capitals"));
  EXPECT_THAT(printed({"list", "tasks", "-k", "tag:files and not tag:hard"}),
              HasSubstr("workspace"));
  EXPECT_THAT(printed({"list", "tags"}), HasSubstr("files"));
  EXPECT_THAT(printed({"list", "suites"}), HasSubstr("starter"));
  EXPECT_THAT(printed({"list"}), StartsWith("no runs in "));
}

TEST_F(Commands, ARunCanBeListedShownSearchedAndReported) {
  const ProgramResult run = run_trialwright(
      {"run", "starter", "qa/arithmetic/*", "-q", "-m", "scripted:script.jsonl"}, folder_.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const std::string id(trimmed(run.out));

  EXPECT_THAT(printed({"list", "runs"}), HasSubstr(id));
  const std::string trials = printed({"show"});
  EXPECT_THAT(trials, HasSubstr("starter/qa/arithmetic/add"));
  EXPECT_THAT(trials, HasSubstr("10 of 10 trials scored"));
  EXPECT_EQ(printed({"show", id.substr(0, 20)}), trials);
  EXPECT_THAT(printed({"show", "add@1"}), HasSubstr("the answer is 75"));
  EXPECT_THAT(printed({"search", "ANSWER IS 75"}), HasSubstr("starter/qa/arithmetic/add@1"));
  EXPECT_THAT(printed({"verify", "last"}), HasSubstr("everything is as it was written"));

  EXPECT_THAT(printed({"report", "-o", "sub/page.html"}), StartsWith("wrote sub/page.html, "));
  const std::string page = *read_file(folder_.path() / "sub/page.html");
  EXPECT_THAT(page.substr(0, 15), testing::StrCaseEq("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy"));
  EXPECT_THAT(page, HasSubstr("the answer is 75"));
  EXPECT_EQ(printed({"report", "-o", "-"}).substr(0, 15), page.substr(0, 15));
}

TEST_F(Commands, RunPrintsItsRootAsVerifyFindsIt) {
  const ProgramResult run = run_trialwright(
      {"run", "starter", "qa/arithmetic/add", "--progress", "none", "-m", "scripted:script.jsonl"},
      folder_.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const std::string root = run.out.substr(run.out.rfind("root "));
  EXPECT_EQ(root.size(), 5U + 64U + 1U);
  EXPECT_THAT(printed({"verify"}), HasSubstr(root));
  EXPECT_THAT(run.out, HasSubstr("over 1 task, 1 of 1 trial scored"));
}

TEST_F(Commands, TextFromOutsideReachesTheTerminalOnlyAsText) {
  folder_.write("hostile.jsonl",
                R"({"error": "boom \u001b[2J\r\n[10/10] PASSED starter/qa/arithmetic/add"})"
                "\n");
  const ProgramResult run = run_trialwright({"run", "starter", "qa/arithmetic/add", "--progress",
                                             "lines", "-m", "scripted:hostile.jsonl"},
                                            folder_.path());
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, HasSubstr("boom \\x1b[2J"));
  EXPECT_THAT(run.err, testing::Not(HasSubstr("\n[10/10]")));
  EXPECT_THAT(run.err, testing::Not(HasSubstr("\x1b")));
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  writer.text("general.\x1b[2Jname", "a\x1b]0;title\x07");
  folder_.write("hostile.gguf", writer.bytes());
  EXPECT_THAT(printed({"models", "show", "hostile.gguf"}), testing::Not(HasSubstr("\x1b")));
}

TEST_F(Commands, RunWhoseEndpointChangedItsModelIsFlagged) {
  const FakeClock clock;
  PlannedTrial trial;
  trial.id = "aa";
  trial.task = "s/one";
  trial.epoch = 1;
  const std::vector<PlannedTrial> plan = {trial};
  auto store = RunStore::create(folder_.path() / "run.db", {"run-1", 0, {}, {}}, plan, clock);
  ASSERT_TRUE(store);
  {
    auto recorder = store->begin_trial("aa");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE(recorder->note(kOtherModelServed, {{"first", "big"}, {"now", "small<\x1b"}}));
    TrialOutcome outcome;
    outcome.verdict = Verdict::Passed;
    outcome.reward = 1;
    ASSERT_TRUE(recorder->finish(outcome, {}));
  }
  ASSERT_TRUE(store->finish(RunStatus::Finished));
  EXPECT_THAT(printed({"show", "./run.db"}),
              HasSubstr("! flagged: the endpoint served \"small<\\x1b\" instead of \"big\" in 1 "
                        "trial, first in s/one@1"));
  EXPECT_THAT(printed({"report", "./run.db", "-o", "-"}),
              HasSubstr("the endpoint served another model, <code>small&lt;"));
}

TEST_F(Commands, GenerateGivesLogprobsWheneverItGivesJson) {
  if (!fs::exists(user_cache_folder() / "models/smollm2-135m.gguf")) {
    GTEST_SKIP() << "the model smollm2-135m is not pulled";
  }
  auto json = parse_json(
      printed({"generate", "smollm2-135m", "--prompt", "Hi", "--json", "--max-tokens", "3"}));
  ASSERT_TRUE(json) << json.error().message;
  for (const std::string field : {"text", "token_ids", "logprobs", "usage", "timings"}) {
    EXPECT_TRUE(json->contains(field)) << field;
  }
  ASSERT_EQ((*json)["logprobs"].size(), (*json)["token_ids"].size());
  EXPECT_GT((*json)["logprobs"].size(), 0U);
  EXPECT_LE((*json)["logprobs"][0]["logprob"].get<double>(), 0);
}

TEST_F(Commands, ValidateListsAndPlansWithoutAttemptingAnything) {
  EXPECT_EQ(printed({"validate", "starter", "qa/arithmetic/add", "--list"}),
            printed({"run", "starter", "qa/arithmetic/add", "--list"}));
  EXPECT_THAT(
      printed({"validate", "starter", "files/*", "--limit", "1", "--repeat", "3", "--dry-run"}),
      HasSubstr("1 task × 3 attempts × reference and do-nothing = 6 trials"));
}

TEST_F(Commands, ValidateCountsWhatIsValid) {
  EXPECT_THAT(printed({"validate", "starter", "qa/arithmetic/*"}), HasSubstr("10 tasks, 10 valid"));
}

TEST_F(Commands, TemplateRendersJsonLines) {
  folder_.write("chat.jinja", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  EXPECT_EQ(
      printed({"template", "chat.jinja"}, R"({"messages": [{"role": "user", "content": "Hi"}]})"
                                          "\n"),
      "{\"rendered\":\"user: Hi\\n\"}\n");
  folder_.write("raise.jinja", "{{ raise_exception('no system message') }}");
  EXPECT_THAT(printed({"template", "raise.jinja"}, "{\"messages\": []}\n"),
              testing::AllOf(StartsWith("{\"error\":"), HasSubstr("no system message")));
}

TEST_F(Commands, ModelsAreListedAndShown) {
  EXPECT_THAT(printed({"models", "list"}), HasSubstr("smollm2-135m"));
  folder_.write("tiny.gguf", tiny_model_bytes({.layers = 1, .vocabulary = 32}));
  const std::string shown = printed({"models", "show", "tiny.gguf", "--tensors"});
  EXPECT_THAT(shown, HasSubstr("general.architecture"));
  EXPECT_THAT(shown, HasSubstr("token_embd.weight"));
}

/// A model with random weights whose tokens are the bytes, and without a chat template.
std::string base_model_bytes() {
  std::vector<std::string> tokens;
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    append_utf8(tokens.emplace_back(), printable ? byte : next++);
  }
  return tiny_model_writer({.layers = 1, .vocabulary = 256, .context = 2048})
      .text("tokenizer.ggml.model", "gpt2")
      .text("tokenizer.ggml.pre", "gpt-2")
      .texts("tokenizer.ggml.tokens", tokens)
      .i32s("tokenizer.ggml.token_type", std::vector<std::int32_t>(256, 1))
      .texts("tokenizer.ggml.merges", {})
      .bytes();
}

TEST_F(Commands, BaseModelGoesOnWithTextsAndAnswersQuestions) {
  folder_.write("base.gguf", base_model_bytes());
  EXPECT_THAT(printed({"generate", "base.gguf", "--raw", "--prompt", "x", "--max-tokens", "3"}),
              testing::Not(testing::IsEmpty()));
  // Of questions both the free ones and the choices.
  const ProgramResult run = run_trialwright(
      {"run", "starter", "qa/arithmetic/add", "qa/logic/*", "-m", "base.gguf"}, folder_.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("trials scored"));
  const ProgramResult again =
      run_trialwright({"replay", "starter/qa/arithmetic/add@1"}, folder_.path());
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("same"));
}

TEST_F(Commands, BaseModelIsNotAskedToChat) {
  folder_.write("base.gguf", base_model_bytes());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"generate", "base.gguf", "--prompt", "x"},
        {"template", "base.gguf"},
        {"run", "starter", "--tag", "files", "-m", "base.gguf"}}) {
    const ProgramResult result = run_trialwright(arguments, folder_.path());
    EXPECT_EQ(result.exit_code, 2) << arguments[0];
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("base.gguf")) << arguments[0];
    EXPECT_THAT(result.err, HasSubstr("has no chat template")) << arguments[0];
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "runs"));
}

TEST_F(Commands, ModelWithTermsIsPulledOnlyWhenTheyAreAccepted) {
  const std::string model = tiny_model_bytes({.layers = 1, .vocabulary = 32});
  folder_.write("tiny.gguf", model);
  folder_.write("config/trialwright/models.toml",
                "[[model]]\nname = \"tiny\"\nbytes = " + std::to_string(model.size()) +
                    "\nsha256 = \"" + sha256(model).hex() +
                    "\"\nterms = {name = \"Tiny Terms\", url = \"https://terms.example/tiny\", "
                    "summary = \"Be kind.\"}\n[[model.source]]\npath = \"" +
                    (folder_.path() / "tiny.gguf").string() + "\"\n");
  const std::map<std::string, std::string> environment = {
      {"XDG_CONFIG_HOME", (folder_.path() / "config").string()},
      {"XDG_CACHE_HOME", (folder_.path() / "cache").string()}};
  const fs::path pulled = folder_.path() / "cache/trialwright/models/tiny.gguf";
  const auto pull = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"models", "pull", "tiny"});
    return run_trialwright(more, folder_.path(), "y\n", environment);
  };

  // Nobody is at the terminal, so what comes in on standard input is no answer.
  const ProgramResult refused = pull({});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("tiny is given under the Tiny Terms: "
                                     "https://terms.example/tiny\n  Be kind.\n"));
  EXPECT_THAT(refused.err, HasSubstr("repeat with --accept-terms"));
  EXPECT_FALSE(fs::exists(pulled));

  const ProgramResult accepted = pull({"--accept-terms"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.err;
  EXPECT_THAT(accepted.err, HasSubstr("Tiny Terms"));
  EXPECT_TRUE(fs::exists(pulled));

  // They were accepted when it came.
  const ProgramResult again = pull({});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, testing::Not(HasSubstr("Tiny Terms")));
}

TEST_F(Commands, TokenizeReadsControlTokensOnlyWhenAsked) {
  if (!fs::exists(user_cache_folder() / "models/smollm2-135m.gguf")) {
    GTEST_SKIP() << "the model smollm2-135m is not pulled";
  }
  const std::string input = "{\"text\": \"<|im_end|>\"}\n";
  EXPECT_EQ(printed({"tokenize", "smollm2-135m", "--special"}, input), "{\"ids\":[2]}\n");
  EXPECT_THAT(printed({"tokenize", "smollm2-135m"}, input), HasSubstr(","));
}

TEST_F(Commands, DoctorTellsOfEverySubjectInJson) {
  const ProgramResult result = run_trialwright({"doctor", "--json"}, folder_.path());
  auto json = parse_json(result.out);
  ASSERT_TRUE(json) << json.error().message;
  bool well = true;
  for (const std::string subject :
       {"system", "cpu", "memory", "runs", "cache", "sandbox", "models", "suites"}) {
    ASSERT_TRUE(json->contains(subject)) << subject;
    well = well && (*json)[subject]["ok"].get<bool>();
    EXPECT_FALSE((*json)[subject]["text"].get<std::string>().empty()) << subject;
  }
  EXPECT_EQ(result.exit_code, well ? 0 : 3);
}

}  // namespace
}  // namespace trialwright
