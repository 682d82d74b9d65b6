#include "harness/cli/progress.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

TEST(ProgressBar, NeverWrapsOnANarrowTerminal) {
  int master = -1;
  int slave = -1;
  winsize size{};
  size.ws_row = 24;
  size.ws_col = 40;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, &size), 0);
  std::string shown;
  std::thread reader([&] {
    char piece[4096];
    for (ssize_t count = 0; (count = read(master, piece, sizeof piece)) > 0;) {
      shown.append(piece, static_cast<std::size_t>(count));
    }
  });
  {
    const Console console(slave, "never");
    const FakeClock clock;
    auto progress = make_progress(ProgressStyle::Bar, console, 9999, clock);
    PlannedTrial trial;
    trial.task = "t";
    TrialOutcome outcome;
    for (const Verdict verdict : {Verdict::Passed, Verdict::Failed, Verdict::Limit, Verdict::Infra,
                                  Verdict::GraderError, Verdict::Invalid}) {
      outcome.verdict = verdict;
      for (int i = 0; i < 1200; ++i) progress->trial_ended(trial, outcome);
    }
  }
  close(slave);
  reader.join();
  close(master);
  ASSERT_NE(shown.find("7200/9999"), std::string::npos);
  for (const std::string_view drawn : split(shown, '\r')) {
    const std::size_t percent = drawn.find("% ");
    if (percent == std::string_view::npos) continue;
    const std::string_view line = drawn.substr(percent - 3);
    EXPECT_LT(display_width(line), 40) << line;
  }
}

}  // namespace
}  // namespace trialwright
