#include "harness/cli/chat_command.h"

#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/signals.h"

namespace trialwright {

namespace {

constexpr std::string_view kCommands =
    "/help          this list\n"
    "/reset         forget the conversation\n"
    "/system TEXT   put TEXT before the conversation; alone, take it away\n"
    "/tokens        what the last answer took\n"
    "/quit          leave; so does the end of input, or Ctrl-C twice\n"
    "A line that ends with \\ goes on in the next one. Ctrl-C stops an answer.\n";

/// A conversation at a terminal, or with a program that writes one line a message.
class Chat {
 public:
  Chat(Model& model, CompletionRequest settings, std::string system, const Arguments& arguments)
      : model_(model),
        settings_(std::move(settings)),
        system_(std::move(system)),
        out_(output_console(arguments)),
        err_(error_console(arguments)),
        is_dialogue_(::isatty(STDIN_FILENO) != 0 && out_.is_terminal()) {}

  /// Goes on until the input ends or somebody leaves; the exit code.
  int run() {
    if (is_dialogue_) err_.line(model_.identity().name + "; /help lists commands");
    std::string line;
    while (read_message(line)) {
      if (trimmed(line).empty()) continue;
      if (line.starts_with('/')) {
        if (trimmed(line) == "/quit") return kExitDone;
        obey(line);
        continue;
      }
      const int code = answer(line);
      if (code != kExitDone) return code;
    }
    if (is_dialogue_) out_.line("");
    return kExitDone;
  }

 private:
  /// False at the end of the input.
  bool read_message(std::string& message) {
    message.clear();
    bool goes_on = false;
    std::string line;
    do {
      if (is_dialogue_) out_.write(goes_on ? ". " : out_.paint("> ", Colour::Dim));
      if (!std::getline(std::cin, line)) return goes_on;
      goes_on = line.ends_with('\\');
      if (goes_on) line.back() = '\n';
      message += line;
    } while (goes_on);
    return true;
  }

  void obey(const std::string& line) {
    const std::string_view word = std::string_view(line).substr(0, line.find(' '));
    const std::string_view rest = trimmed(std::string_view(line).substr(word.size()));
    if (word == "/help") {
      err_.write(kCommands);
    } else if (word == "/reset") {
      conversation_.clear();
      err_.line("the conversation is forgotten");
    } else if (word == "/system") {
      system_ = rest;
      err_.line(rest.empty() ? "there is no system message now" : "the system message is set");
    } else if (word == "/tokens") {
      err_.line(tokens_line());
    } else {
      err_.line("there is no command " + visible_line(word) + "; /help lists them");
    }
  }

  [[nodiscard]] std::string tokens_line() const {
    const auto rate = [](int tokens, std::chrono::microseconds time) {
      const double seconds = std::chrono::duration<double>(time).count();
      return seconds > 0 ? grouped(static_cast<std::int64_t>(tokens / seconds)) + " tokens/s"
                         : std::string("no time");
    };
    const int computed = usage_.prompt_tokens - usage_.cached_tokens;
    return "prompt " + grouped(usage_.prompt_tokens) + " tokens, " + grouped(usage_.cached_tokens) +
           " of them cached (" + rate(computed, timings_.prefill) + "); answer " +
           grouped(usage_.completion_tokens) + " tokens (" +
           rate(usage_.completion_tokens, timings_.decode) + ")";
  }

  int answer(const std::string& text) {
    CompletionRequest request = settings_;
    if (!system_.empty()) request.messages.push_back({Role::System, system_, {}, ""});
    conversation_.push_back({Role::User, text, {}, ""});
    request.messages.insert(request.messages.end(), conversation_.begin(), conversation_.end());
    request.stream = turn_++;
    // A pipe gets what the model said, a terminal what it cannot be made to obey.
    request.on_text = [this](std::string_view piece) {
      out_.write(out_.is_terminal() ? visible_text(piece) : std::string(piece));
    };
    // Until the answer is over the first Ctrl-C ends it alone, the second one the program.
    const SignalStop signals;
    const auto completion = model_.complete(request, signals.token());
    if (!completion) {
      conversation_.pop_back();
      const int code = report_error(completion.error());
      // A person can say something else.
      return is_dialogue_ ? static_cast<int>(kExitDone) : code;
    }
    out_.line("");
    conversation_.push_back({Role::Assistant, completion->text, {}, ""});
    usage_ = completion->usage;
    timings_ = completion->timings;
    if (signals.signal() == SIGTERM) return kExitTerminated;
    if (signals.signal() != 0 && !is_dialogue_) return kExitInterrupted;
    if (completion->finish == FinishReason::Length) err_.line("(cut off at --max-tokens)");
    return kExitDone;
  }

  Model& model_;
  CompletionRequest settings_;
  std::string system_;
  Console out_;
  Console err_;
  bool is_dialogue_;
  std::vector<Message> conversation_;
  std::uint64_t turn_ = 0;
  Usage usage_;
  Timings timings_;
};

Result<CompletionRequest> read_settings(const Arguments& arguments) {
  CompletionRequest request;
  auto sampling = read_sampling(arguments, {});
  if (!sampling) return sampling.error();
  auto seed = arguments.integer("seed", 0, 0, INT64_MAX);
  auto tokens = arguments.integer("max-tokens", 1024, 1, 1 << 24);
  for (const auto* number : {&seed, &tokens}) {
    if (!*number) return number->error();
  }
  request.sampling = *sampling;
  request.sampling.seed = static_cast<std::uint64_t>(*seed);
  request.tokens_max = static_cast<int>(*tokens);
  return request;
}

int run_chat(const Arguments& arguments) {
  auto request = read_settings(arguments);
  if (!request) return report_error(request.error());
  auto options = read_model_options(arguments);
  if (!options) return report_error(options.error());
  const std::string& name = arguments.positionals().front();
  auto model = open_model(name, *options);
  if (!model) return report_error(model.error());
  if (!(*model)->identity().can_chat) {
    return report_error(invalid(name +
                                " is a base model: it has no chat template, so there is nobody to "
                                "talk to; 'trialwright generate " +
                                name + " --raw --prompt TEXT' continues a text"));
  }
  return Chat(**model, *std::move(request), arguments.text("system"), arguments).run();
}

}  // namespace

Command chat_command() {
  std::vector<Flag> flags = {
      {"system", "TEXT", "A system message before the conversation.", '\0', false},
      {"max-tokens", "N", "At most so many tokens an answer; 1024 if left out.", 'n', false},
      {"seed", "N", "Seed of the draws; 0 if left out.", '\0', false}};
  for (const auto& more : {sampling_flags(), engine_flags()}) {
    flags.insert(flags.end(), more.begin(), more.end());
  }
  return {"chat",
          "MODEL",
          "Talk to a model in the terminal.",
          "Every line is a message; the answer is printed as it comes. Ctrl-C stops an answer,\n"
          "twice leaves. /help lists commands: /reset, /system, /tokens, /quit. From a pipe every\n"
          "line is answered too, and only answers are printed.\n\n"
          "example:\n"
          "  trialwright chat smollm2-135m --system 'Answer in one sentence.'",
          with_common(flags),
          1,
          1,
          run_chat};
}

}  // namespace trialwright
