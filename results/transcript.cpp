#include "results/transcript.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"
#include "results/terminal_text.h"

namespace trialwright {

namespace {

std::string decimal(const char* format, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// Writes the transcript part by part.
class Transcript {
 public:
  explicit Transcript(const TranscriptOptions& options)
      : options_(options), width_(std::max(40, options.width)) {}

  std::string render(const TrialSummary& trial, const Trace& trace,
                     std::span<const StoredGrade> grades) {
    header(trial);
    for (const Message& message : trace.opening) {
      rule(role_name(message.role), "");
      body(message.content, "", options_.lines_max);
    }
    int number = 0;
    for (const Turn& turn : trace.turns) show_turn(turn, ++number);
    show_end(trace);
    show_grades(grades);
    return std::move(out_);
  }

 private:
  void line(std::string_view text, Colour colour = Colour::Plain) {
    out_ += painted(text, options_.colour ? colour : Colour::Plain);
    out_ += '\n';
  }

  /// Lines of outside text behind a margin, wrapped, at most `lines_max` of them.
  void body(std::string_view text, std::string_view margin, int lines_max,
            Colour colour = Colour::Plain) {
    std::string visible = visible_text(text);
    while (visible.ends_with('\n')) visible.pop_back();
    const auto lines = wrapped(visible, width_ - display_width(margin));
    const auto count = static_cast<int>(lines.size());
    // Folding away one or two lines would save none.
    const int shown = lines_max > 0 && count > lines_max + 2 ? lines_max : count;
    const int head = shown == count ? count : shown - shown / 4;
    for (int i = 0; i < head; ++i) margin_line(margin, lines[static_cast<std::size_t>(i)], colour);
    if (shown == count) return;
    line(std::string(margin) + "… " + std::to_string(count - shown) + " lines folded …",
         Colour::Dim);
    for (int i = count - (shown - head); i < count; ++i) {
      margin_line(margin, lines[static_cast<std::size_t>(i)], colour);
    }
  }

  void margin_line(std::string_view margin, std::string_view text, Colour colour) {
    std::string whole = std::string(margin) + std::string(text);
    while (whole.ends_with(' ')) whole.pop_back();
    line(whole, colour);
  }

  /// A line across with a title and, at its end, a remark.
  void rule(std::string_view title, std::string_view remark) {
    std::string text = "── " + std::string(title) + " ";
    const int remark_width = remark.empty() ? 0 : display_width(remark) + 1;
    const int room = width_ - display_width(text) - remark_width;
    for (int i = 0; i < room; ++i) text += "─";
    if (!remark.empty()) text += " " + std::string(remark);
    out_ += '\n';
    body(text, "", 0, Colour::Bold);
  }

  void header(const TrialSummary& trial) {
    body(trial.trial.task + " · epoch " + std::to_string(trial.trial.epoch), "", 0, Colour::Bold);
    std::string facts = "trial " + visible_text(trial.trial.id).substr(0, 16);
    if (trial.attempts > 1) {
      facts += " · attempt " + std::to_string(trial.finished_attempt) + " of " +
               std::to_string(trial.attempts);
    }
    facts += " · seed " + std::to_string(trial.trial.seed);
    if (!trial.trial.tags.empty()) facts += " · " + visible_text(joined(trial.trial.tags, ", "));
    body(facts, "", 0, Colour::Dim);
    if (!trial.outcome) return line("! not finished", Colour::Yellow);
    const TrialOutcome& outcome = *trial.outcome;
    std::string verdict = std::string(verdict_glyph(outcome.verdict)) + " " +
                          std::string(verdict_name(outcome.verdict));
    if (outcome.reward) verdict += " · reward " + decimal("%.2f", *outcome.reward);
    if (!outcome.reason.empty()) verdict += " · " + outcome.reason;
    body(verdict, "", 0, verdict_colour(outcome.verdict));
    std::string use = counted(outcome.turns, "turn") + " · " + grouped(outcome.prompt_tokens) +
                      " tokens in (" + grouped(outcome.cached_tokens) + " cached), " +
                      grouped(outcome.completion_tokens) + " out";
    if (options_.times) use += " · " + duration_text(outcome.total_time);
    body(use, "", 0, Colour::Dim);
  }

  void show_turn(const Turn& turn, int number) {
    const Completion& completion = turn.completion;
    std::string remark = grouped(completion.usage.prompt_tokens) + " in, " +
                         grouped(completion.usage.completion_tokens) + " out";
    if (options_.times)
      remark += ", " + duration_text(completion.timings.prefill + completion.timings.decode);
    if (completion.finish != FinishReason::Stop) {
      remark += ", " + std::string(finish_reason_name(completion.finish));
    }
    rule("turn " + std::to_string(number), remark);
    body(completion.text, "", 0);
    for (const ToolCall& call : completion.tool_calls) show_call(call);
    for (const std::string& error : completion.tool_call_errors) {
      body("! call not understood: " + error, "", 0, Colour::Yellow);
    }
    for (const Observation& observation : turn.observations) show(observation);
  }

  void show_call(const ToolCall& call) {
    body("▶ " + call.name, "", 0, Colour::Cyan);
    if (!call.arguments.is_object()) {
      return body(to_text(call.arguments), "    ", options_.lines_max);
    }
    for (const auto& [name, value] : call.arguments.items()) {
      const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
      if (text.find('\n') == std::string::npos) {
        body(name + ": " + text, "    ", options_.lines_max);
      } else {
        body(name + ":", "    ", 0);
        body(text, "      ", options_.lines_max);
      }
    }
  }

  void show(const Observation& observation) {
    if (observation.is_error) line("! error", Colour::Yellow);
    if (observation.text.empty()) return line("│ (nothing)", Colour::Dim);
    body(observation.text, "│ ", options_.lines_max);
  }

  void show_end(const Trace& trace) {
    rule("end", episode_end_name(trace.end));
    if (!trace.error.empty()) body("! " + trace.error, "", 0, Colour::Yellow);
    if (!trace.answer.empty()) body("answer: " + trace.answer, "", options_.lines_max);
  }

  void show_grades(std::span<const StoredGrade> grades) {
    if (grades.empty()) return;
    rule("grades", "");
    for (const StoredGrade& stored : grades) {
      const Grade& grade = stored.grade;
      std::string text = grade.score >= 1 ? "✓ " : "✗ ";
      text += decimal("%.2f", grade.score) + "  " + grade.grader;
      if (!grade.version.empty()) text += " " + grade.version;
      if (stored.generation > 0)
        text += " (graded again, " + std::to_string(stored.generation) + ")";
      body(text, "", 0, grade.score >= 1 ? Colour::Green : Colour::Red);
      body(grade.explanation, "    ", options_.lines_max);
    }
  }

  const TranscriptOptions& options_;
  int width_;
  std::string out_;
};

}  // namespace

std::string render_transcript(const TrialSummary& trial, const Trace& trace,
                              std::span<const StoredGrade> grades,
                              const TranscriptOptions& options) {
  return Transcript(options).render(trial, trace, grades);
}

}  // namespace trialwright
