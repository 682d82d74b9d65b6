#include "harness/cli/generate_command.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/signals.h"
#include "inference/models/embedded_model.h"

namespace trialwright {

namespace {

Json token_to_json(const TokenLogprob& token, const Tokenizer& tokenizer) {
  return {{"id", token.id},
          {"text", std::string(tokenizer.bytes(token.id))},
          {"logprob", token.logprob}};
}

Json completion_to_json(const Completion& completion, const Tokenizer& tokenizer) {
  Json ids = Json::array();
  Json logprobs = Json::array();
  for (const GeneratedToken& token : completion.tokens) {
    ids.push_back(token.chosen.id);
    Json entry = token_to_json(token.chosen, tokenizer);
    for (const TokenLogprob& other : token.alternatives) {
      entry["top"].push_back(token_to_json(other, tokenizer));
    }
    logprobs.push_back(std::move(entry));
  }
  const auto seconds = [](std::chrono::microseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  Json json = {{"text", completion.text},
               {"finish", finish_reason_name(completion.finish)},
               {"token_ids", ids}};
  json["logprobs"] = logprobs;
  json["usage"] = {{"prompt_tokens", completion.usage.prompt_tokens},
                   {"cached_tokens", completion.usage.cached_tokens},
                   {"completion_tokens", completion.usage.completion_tokens}};
  json["timings"] = {{"prefill_seconds", seconds(completion.timings.prefill)},
                     {"decode_seconds", seconds(completion.timings.decode)}};
  return json;
}

Result<std::string> read_prompt(const Arguments& arguments) {
  if (!arguments.has("prompt")) return invalid("--prompt is missing");
  const std::string prompt = arguments.text("prompt");
  if (prompt != "-") return prompt;
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

/// The form that the flags ask for. Errors: Invalid for two of them; as read_file.
Result<std::optional<OutputFormat>> read_format(const Arguments& arguments) {
  std::optional<OutputFormat> format;
  for (const auto& [flag, kind] : {std::pair{"schema", OutputFormat::Kind::JsonSchema},
                                   {"regex", OutputFormat::Kind::Regex},
                                   {"grammar", OutputFormat::Kind::Gbnf}}) {
    if (!arguments.has(flag)) continue;
    if (format) return invalid("only one of --schema, --regex and --grammar can be given");
    format = OutputFormat{kind, arguments.text(flag)};
    if (kind == OutputFormat::Kind::Regex) continue;
    auto text = read_file(format->source);
    if (!text) return text.error().during(std::string("--") + flag);
    format->source = *std::move(text);
  }
  if (!format && arguments.has("audit")) {
    return invalid(
        "--audit looks at what a format changes; it needs --schema, --regex or "
        "--grammar");
  }
  return format;
}

std::string audit_text(const FormatAudit& audit) {
  std::string text =
      counted(audit.tokens, "token") + ", " + std::to_string(audit.forced) + " of them forced";
  if (audit.audited > 0) {
    std::array<char, 32> removed{};
    std::snprintf(removed.data(), removed.size(), "%.4f",
                  audit.removed_probability / audit.audited);
    text += "; the format changed the choice at " + std::to_string(audit.changed) + " of " +
            std::to_string(audit.audited) + " places and removed a probability of " +
            removed.data() + " on average";
  }
  return text;
}

Result<CompletionRequest> read_request(const Arguments& arguments) {
  CompletionRequest request;
  auto prompt = read_prompt(arguments);
  if (!prompt) return prompt.error();
  if (prompt->empty()) return invalid("--prompt must not be empty");
  if (arguments.has("raw") && arguments.has("system")) {
    return invalid("--raw continues the prompt alone, so --system has no place");
  }
  if (arguments.has("system")) {
    request.messages.push_back({Role::System, arguments.text("system"), {}, {}});
  }
  request.messages.push_back({Role::User, *std::move(prompt), {}, {}});
  auto sampling = read_sampling(arguments, {});
  if (!sampling) return sampling.error();
  auto seed = arguments.integer("seed", 0, 0, INT64_MAX);
  auto tokens = arguments.integer("max-tokens", 256, 1, 1 << 24);
  auto logprobs = arguments.integer("logprobs", 0, 0, 1000);
  for (const auto* number : {&seed, &tokens, &logprobs}) {
    if (!*number) return number->error();
  }
  if (arguments.has("logprobs") && !arguments.has("json")) {
    return invalid("--logprobs needs --json, which prints them");
  }
  request.sampling = *sampling;
  request.sampling.seed = static_cast<std::uint64_t>(*seed);
  request.tokens_max = static_cast<int>(*tokens);
  request.alternatives = static_cast<int>(*logprobs);
  request.stop = arguments.texts("stop");
  auto format = read_format(arguments);
  if (!format) return format.error();
  request.format = *std::move(format);
  request.audit_format = arguments.has("audit");
  return request;
}

int run_generate(const Arguments& arguments) {
  auto request = read_request(arguments);
  if (!request) return report_error(request.error());
  auto options = read_model_options(arguments);
  if (!options) return report_error(options.error());
  const std::string& name = arguments.positionals().front();
  auto path = model_file(name);
  if (!path) return report_error(path.error());
  options->name = name;
  auto model = EmbeddedModel::load(*path, *options);
  if (!model) return report_error(model.error());

  const Console out = output_console(arguments);
  const bool json = arguments.has("json");
  if (!json) {
    // A pipe gets what the model said, a terminal what it cannot be made to obey.
    request->on_text = [&out](std::string_view text) {
      out.write(out.is_terminal() ? visible_text(text) : std::string(text));
    };
  }
  const SignalStop signals;
  auto completion = arguments.has("raw") ? (*model)->continue_text(request->messages.back().content,
                                                                   *request, signals.token())
                                         : (*model)->complete(*request, signals.token());
  if (!completion) return report_error(completion.error());
  if (json) {
    out.line(to_text(completion_to_json(*completion, (*model)->tokenizer())));
  } else {
    out.line("");
  }
  if (request->audit_format && completion->format_audit) {
    error_console(arguments).line(audit_text(*completion->format_audit));
  }
  return signals.signal() != 0 ? 128 + signals.signal() : kExitDone;
}

}  // namespace

Command generate_command() {
  std::vector<Flag> flags = {
      {"prompt", "TEXT", "What to answer; '-' reads it from standard input.", 'p', false},
      {"system", "TEXT", "A system message before it.", '\0', false},
      {"raw", "", "Continue the prompt as it stands, without the chat template.", '\0', false},
      {"max-tokens", "N", "At most so many tokens; 256 if left out.", 'n', false},
      {"stop", "TEXT", "End before this text (may be repeated).", '\0', true},
      {"logprobs", "K", "With --json: the K likeliest tokens at each place, too.", '\0', false},
      {"schema", "FILE", "The answer is JSON that this JSON Schema accepts.", '\0', false},
      {"regex", "TEXT", "The answer matches this regular expression as a whole.", '\0', false},
      {"grammar", "FILE", "The answer is a text of this GBNF grammar.", '\0', false},
      {"audit", "", "Say how often the format changed the choice (to standard error).", '\0',
       false},
      {"seed", "N", "Seed of the draws; 0 if left out.", '\0', false},
      {"json", "", "Print one JSON object: text, token_ids, logprobs, usage, timings.", '\0',
       false}};
  for (const auto& more : {sampling_flags(), engine_flags()}) {
    flags.insert(flags.end(), more.begin(), more.end());
  }
  return {"generate",
          "MODEL",
          "Let a model answer one prompt.",
          "The answer is printed as it comes. Without sampling flags the most probable tokens are\n"
          "taken.\n\n"
          "examples:\n"
          "  trialwright generate smollm2-135m --prompt 'Name three colours.'\n"
          "  trialwright generate model.gguf --prompt 'Once upon' --raw --json --logprobs 5",
          with_common(flags),
          1,
          1,
          run_generate};
}

}  // namespace trialwright
