#include "tests/harness/cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/check.h"
#include "base/json.h"
#include "results/run_reader.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(std::map<std::string, std::string> changed) {
  changed.insert({"TERM", "dumb"});
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    // What a developer set for the own terminal must not change what the tests see.
    if (name.starts_with("TRIALWRIGHT_") || name == "CLICOLOR_FORCE") continue;
    if (changed.count(name) == 0) result.push_back(text);
  }
  for (const auto& [name, value] : changed) result.push_back(name + "=" + value);
  return result;
}

[[noreturn]] void become(const std::vector<int>& streams, const fs::path& folder, char** argv,
                         char** environment) {
  for (int target = 0; target < 3; ++target) {
    if (::dup2(streams[static_cast<std::size_t>(target)], target) < 0) ::_exit(125);
  }
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  ::execve(argv[0], argv, environment);
  ::_exit(127);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const fs::path& folder,
                 const std::string& input, const std::map<std::string, std::string>& environment) {
  streams_.write("in", input);
  const FileDescriptor in(::open((streams_.path() / "in").c_str(), O_RDONLY | O_CLOEXEC));
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
  const FileDescriptor out(::open((streams_.path() / "out").c_str(), flags, 0600));
  const FileDescriptor err(::open((streams_.path() / "err").c_str(), flags, 0600));
  CHECK(in && out && err, "a test may write in its own folder");

  std::vector<std::string> words = {TRIALWRIGHT_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::map<std::string, std::string> changed = environment;
  changed.insert({"TRIALWRIGHT_RUNS_DIR", (folder / "runs").string()});
  std::vector<std::string> variables = environment_with(std::move(changed));
  std::vector<char*> argv = pointers_to(words);
  std::vector<char*> envp = pointers_to(variables);
  pid_ = ::fork();
  CHECK(pid_ >= 0, "a test may start a program");
  if (pid_ == 0) become({in.get(), out.get(), err.get()}, folder, argv.data(), envp.data());
}

Program::~Program() {
  if (pid_ < 0) return;
  send(SIGKILL);
  wait();
}

void Program::send(int signal) const { ::kill(pid_, signal); }

bool Program::has_ended() const {
  siginfo_t info{};
  const int waited = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return waited == 0 && info.si_pid == pid_;
}

std::string Program::out_so_far() const {
  auto text = read_file(streams_.path() / "out");
  return text ? *text : "";
}

std::string Program::err_so_far() const {
  auto text = read_file(streams_.path() / "err");
  return text ? *text : "";
}

ProgramResult Program::wait() {
  int status = 0;
  CHECK(::waitpid(pid_, &status, 0) == pid_, "the program is this test's child");
  pid_ = -1;
  ProgramResult result;
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.out = *read_file(streams_.path() / "out");
  result.err = *read_file(streams_.path() / "err");
  return result;
}

ProgramResult run_trialwright(const std::vector<std::string>& arguments, const fs::path& folder,
                              const std::string& input,
                              const std::map<std::string, std::string>& environment) {
  return Program(arguments, folder, input, environment).wait();
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path only_run(const fs::path& runs) {
  fs::path found;
  for (const std::string& file : files_below(runs)) {
    if (!file.ends_with(".db")) continue;
    EXPECT_TRUE(found.empty()) << "there is more than one run in " << runs;
    found = runs / file;
  }
  EXPECT_FALSE(found.empty()) << "there is no run in " << runs;
  return found;
}

std::vector<std::string> outcomes_of(const fs::path& run) {
  auto reader = RunReader::open(run);
  EXPECT_TRUE(reader) << reader.error().message;
  if (!reader) return {};
  auto trials = reader->trials();
  EXPECT_TRUE(trials) << trials.error().message;
  std::vector<std::string> outcomes;
  for (const TrialSummary& trial : *trials) {
    std::string text = trial.trial.id + " ";
    if (!trial.outcome) {
      outcomes.push_back(text + "missing");
      continue;
    }
    text += std::string(verdict_name(trial.outcome->verdict)) + " ";
    text += trial.outcome->reward ? to_text(Json(*trial.outcome->reward)) : "-";
    outcomes.push_back(text);
  }
  return outcomes;
}

}  // namespace trialwright
