// A run's file with any of its bytes changed is read, or refused, and never ends the program.

#include <cstdint>
#include <fstream>
#include <string>

#include "base/check.h"
#include "base/files.h"
#include "results/run_reader.h"
#include "tests/results/run_fixture.h"

using namespace trialwright;

namespace {

/// A finished run as it lies in its file, and a place for copies of it.
class SampleRun {
 public:
  SampleRun() : folder_(*TemporaryFolder::make("run-fuzz")) {
    CHECK(write_sample_run(path(), 2), "a run can be written");
    content_ = *read_file(path());
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "run.db"; }

  /// Four bytes are one change: where, as three bytes, and to what.
  void write_with(const std::uint8_t* changes, std::size_t size) const {
    std::string content = content_;
    for (std::size_t i = 0; i + 4 <= size; i += 4) {
      const std::size_t at =
          std::size_t{changes[i]} << 16U | std::size_t{changes[i + 1]} << 8U | changes[i + 2];
      content[at % content.size()] = static_cast<char>(changes[i + 3]);
    }
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
  }

 private:
  TemporaryFolder folder_;
  std::string content_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SampleRun run;
  run.write_with(data, size);
  auto reader = RunReader::open(run.path());
  if (!reader) return 0;
  static_cast<void>(reader->verify());
  static_cast<void>(reader->run());
  static_cast<void>(reader->search("line"));
  static_cast<void>(reader->grades());
  const auto trials = reader->trials();
  if (!trials) return 0;
  for (const TrialSummary& trial : *trials) static_cast<void>(reader->trace(trial.trial.id));
  return 0;
}
