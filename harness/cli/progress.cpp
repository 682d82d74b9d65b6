#include "harness/cli/progress.h"

#include <algorithm>
#include <cstdlib>

#include "base/clock.h"

namespace trialwright {

namespace {

constexpr std::chrono::seconds kHeartbeat{60};

std::chrono::microseconds between(std::chrono::steady_clock::time_point from,
                                  std::chrono::steady_clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from);
}

/// Counts that both styles show.
struct Tally {
  int total = 0;
  int done = 0;
  std::map<Verdict, int> verdicts;
  std::chrono::steady_clock::time_point start;

  void add(Verdict verdict) {
    ++done;
    ++verdicts[verdict];
  }
  /// "✓ 41  ✗ 50  ! 1": passed and failed always, the others where there are any, no more than
  /// `kinds_max`.
  [[nodiscard]] std::string text(const Console& console, int kinds_max) const {
    std::string out;
    for (const Verdict verdict : {Verdict::Passed, Verdict::Failed, Verdict::Limit, Verdict::Infra,
                                  Verdict::GraderError, Verdict::Invalid, Verdict::Skipped}) {
      const auto found = verdicts.find(verdict);
      const int count = found == verdicts.end() ? 0 : found->second;
      const bool always = verdict == Verdict::Passed || verdict == Verdict::Failed;
      if ((count == 0 && !always) || kinds_max-- <= 0) continue;
      out += "  " + console.paint(std::string(verdict_glyph(verdict)) + " " + std::to_string(count),
                                  verdict_colour(verdict));
    }
    return out;
  }
};

class NoProgress final : public RunObserver {
 public:
  void trial_started(const PlannedTrial&) override {}
  void turn_ended(const PlannedTrial&, int) override {}
  void trial_ended(const PlannedTrial&, const TrialOutcome&) override {}
  void tick() override {}
};

class LineProgress final : public RunObserver {
 public:
  LineProgress(const Console& console, int total, const Clock& clock)
      : console_(console), clock_(clock) {
    tally_.total = total;
    tally_.start = last_line_ = clock.now();
  }

  void trial_started(const PlannedTrial&) override {}
  void turn_ended(const PlannedTrial&, int) override {}
  void trial_ended(const PlannedTrial& trial, const TrialOutcome& outcome) override {
    tally_.add(outcome.verdict);
    const std::string total = std::to_string(tally_.total);
    std::string done = std::to_string(tally_.done);
    done.insert(0, total.size() - std::min(total.size(), done.size()), ' ');
    std::string word(verdict_name(outcome.verdict));
    std::transform(word.begin(), word.end(), word.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    std::string line =
        "[" + done + "/" + total + "] " + console_.paint(word, verdict_colour(outcome.verdict)) +
        " " + visible_line(trial.task) + " epoch=" + std::to_string(trial.epoch) +
        " turns=" + std::to_string(outcome.turns) + " time=" + duration_text(outcome.total_time);
    if (!enters_score(outcome.verdict))
      line += " reason=" + cut_to(visible_line(outcome.reason), 160);
    console_.line(line);
    last_line_ = clock_.now();
  }
  void tick() override {
    if (clock_.now() - last_line_ < kHeartbeat) return;
    last_line_ = clock_.now();
    console_.line("[heartbeat] " + std::to_string(tally_.done) + "/" +
                  std::to_string(tally_.total) +
                  " elapsed=" + duration_text(between(tally_.start, last_line_)));
  }

 private:
  const Console& console_;
  const Clock& clock_;
  Tally tally_;
  std::chrono::steady_clock::time_point last_line_;
};

class BarProgress final : public RunObserver {
 public:
  BarProgress(const Console& console, int total, const Clock& clock)
      : console_(console), clock_(clock) {
    tally_.total = total;
    tally_.start = clock.now();
  }
  ~BarProgress() override { erase(); }

  void trial_started(const PlannedTrial& trial) override {
    running_[trial.id] = {&trial, 0, clock_.now()};
    draw();
  }
  void turn_ended(const PlannedTrial& trial, int turns) override {
    running_[trial.id].turns = turns;
    draw();
  }
  void trial_ended(const PlannedTrial& trial, const TrialOutcome& outcome) override {
    tally_.add(outcome.verdict);
    running_.erase(trial.id);
    if (!enters_score(outcome.verdict)) {
      erase();
      console_.line(verdict_label(outcome.verdict, console_) + " " + visible_line(trial.task) +
                    ": " +
                    cut_to(visible_line(outcome.reason), std::max(40, console_.columns() - 40)));
    }
    draw();
  }
  void tick() override { draw(); }

 private:
  struct Running {
    const PlannedTrial* trial = nullptr;
    int turns = 0;
    std::chrono::steady_clock::time_point start;
  };

  /// What takes the drawn lines away again.
  [[nodiscard]] std::string eraser() const {
    if (lines_drawn_ == 0) return "";
    std::string out = "\r\033[K";
    for (int i = 1; i < lines_drawn_; ++i) out += "\033[A\033[K";
    return out;
  }
  void erase() {
    console_.write(eraser());
    lines_drawn_ = 0;
  }

  void draw() {
    const int columns = console_.columns();
    const auto now = clock_.now();
    std::string text = bar_line(columns, now);
    int lines = 1;
    for (const auto& [id, running] : running_) {
      if (running.trial == nullptr || lines > 4) continue;
      const std::string line = "  " + visible_line(running.trial->task) + " e" +
                               std::to_string(running.trial->epoch) + "  turn " +
                               std::to_string(running.turns + 1) + "  " +
                               duration_text(between(running.start, now));
      text += "\n" + console_.paint(cut_to(line, columns - 1), Colour::Dim);
      ++lines;
    }
    // In one piece, so that no terminal shows the gap between the old lines and the new ones.
    console_.write(eraser() + text);
    lines_drawn_ = lines;
  }

  std::string bar_line(int columns, std::chrono::steady_clock::time_point now) {
    const double share = tally_.total == 0 ? 1 : static_cast<double>(tally_.done) / tally_.total;
    std::string percent = std::to_string(static_cast<int>(share * 100));
    percent.insert(0, 3 - std::min<std::size_t>(3, percent.size()), ' ');
    const auto room_beside = [&](const std::string& text) {
      return columns - 1 - 6 - display_width(text);
    };
    const std::string done = " " + std::to_string(tally_.done) + "/" + std::to_string(tally_.total);
    std::string after = done;
    for (int kinds = 7; kinds > 0 && after == done; --kinds) {
      const std::string counts = tally_.text(console_, kinds);
      if (room_beside(done + counts) >= 0) after += counts;
    }
    if (tally_.done > 0) {
      const auto left = between(tally_.start, now) / tally_.done * (tally_.total - tally_.done);
      const std::string eta = "  eta " + duration_text(left);
      // A line that wraps could not be taken away again.
      const bool fits = room_beside(after + eta) >= 0;
      if (fits && left >= std::chrono::seconds(1)) after += eta;
    }
    const int room = room_beside(after);
    std::string bar;
    if (room >= 6) {
      const int cells = std::min(room, 30);
      const int full = static_cast<int>(share * cells);
      for (int i = 0; i < cells; ++i) bar += i < full ? "█" : "░";
    }
    return percent + "% " + bar + after;
  }

  const Console& console_;
  const Clock& clock_;
  Tally tally_;
  std::map<std::string, Running> running_;
  int lines_drawn_ = 0;
};

}  // namespace

std::string verdict_label(Verdict verdict, const Console& console) {
  return console.paint(
      std::string(verdict_glyph(verdict)) + " " + std::string(verdict_name(verdict)),
      verdict_colour(verdict));
}

Result<ProgressStyle> progress_style_from_name(std::string_view name) {
  if (name == "auto") return ProgressStyle::Auto;
  if (name == "bar") return ProgressStyle::Bar;
  if (name == "lines") return ProgressStyle::Lines;
  if (name == "none") return ProgressStyle::None;
  return invalid("--progress must be auto, bar, lines or none, not \"" + std::string(name) + "\"");
}

std::unique_ptr<RunObserver> make_progress(ProgressStyle style, const Console& console, int total,
                                           const Clock& clock) {
  if (style == ProgressStyle::Auto) {
    const char* term = std::getenv("TERM");
    const bool can_redraw = console.is_terminal() && console.columns() >= 40 && term != nullptr &&
                            std::string_view(term) != "dumb";
    style = can_redraw ? ProgressStyle::Bar : ProgressStyle::Lines;
  }
  if (style == ProgressStyle::Bar) return std::make_unique<BarProgress>(console, total, clock);
  if (style == ProgressStyle::Lines) return std::make_unique<LineProgress>(console, total, clock);
  return std::make_unique<NoProgress>();
}

}  // namespace trialwright
