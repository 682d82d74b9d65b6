#include <ctime>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/bench_command.h"
#include "harness/cli/chat_command.h"
#include "harness/cli/commands.h"
#include "harness/cli/generate_command.h"
#include "harness/cli/json_lines.h"
#include "harness/cli/open_model.h"
#include "harness/cli/serve_command.h"
#include "inference/chat/chat_template.h"
#include "inference/safetensors/model_folder.h"
#include "inference/token/tokenizer.h"

namespace trialwright {

namespace {

std::string input_of(const Arguments& arguments) {
  return arguments.positionals().size() > 1 ? arguments.positionals()[1] : "";
}

Result<GgufFile> open_gguf(const std::string& name) {
  auto path = model_file(name);
  if (!path) return path.error();
  return open_model_files(*path);
}

int run_tokenize(const Arguments& arguments) {
  auto file = open_gguf(arguments.positionals().front());
  if (!file) return report_error(file.error());
  auto tokenizer = Tokenizer::load(*file);
  if (!tokenizer) return report_error(tokenizer.error());
  const bool special = arguments.has("special");
  auto done = answer_json_lines(input_of(arguments), [&](const Json& line) -> Result<Json> {
    auto text = string_field(line, "text");
    if (!text) return text.error();
    return Json{{"ids", tokenizer->encode(*text, special)}};
  });
  return done ? kExitDone : report_error(done.error());
}

/// "2026-01-15T10:30:00" as seconds since 1970, read as UTC.
Result<std::int64_t> parse_time(const std::string& text) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr || *end != '\0') {
    return invalid("field \"now\" must be a time such as 2026-01-15T10:30:00");
  }
  return static_cast<std::int64_t>(::timegm(&time));
}

/// A conversation in the form of the case files: what a template is given.
Result<ChatTemplateInput> read_case(const Json& line, const ChatTemplateInput& defaults) {
  ChatTemplateInput input = defaults;
  if (!line.is_object() || !line.contains("messages"))
    return invalid("field \"messages\" is missing");
  input.messages = line["messages"];
  if (line.contains("tools")) input.tools = line["tools"];
  auto prompt = bool_field_or(line, "add_generation_prompt", true);
  auto bos = string_field_or(line, "bos_token", defaults.bos_token);
  auto eos = string_field_or(line, "eos_token", defaults.eos_token);
  auto now = string_field_or(line, "now", "");
  if (!prompt) return prompt.error();
  for (const auto* field : {&bos, &eos, &now}) {
    if (!*field) return field->error();
  }
  input.add_generation_prompt = *prompt;
  input.bos_token = *bos;
  input.eos_token = *eos;
  if (!now->empty()) {
    auto seconds = parse_time(*now);
    if (!seconds) return seconds.error();
    input.now = *seconds;
  }
  if (line.contains("variables")) input.variables = line["variables"];
  return input;
}

/// A template's text, and the special tokens it is given unless the input names others.
struct TemplateSource {
  std::string text;
  ChatTemplateInput defaults;
};

Result<TemplateSource> load_template(const std::string& name) {
  TemplateSource source;
  if (name.ends_with(".jinja")) {
    auto text = read_file(name, 1U << 22U);
    if (!text) return text.error();
    source.text = *std::move(text);
    return source;
  }
  auto file = open_gguf(name);
  if (!file) return file.error();
  if (!file->has("tokenizer.chat_template")) {
    return invalid(file->name() + ": has no chat template, as base models do not");
  }
  auto text = file->text("tokenizer.chat_template");
  if (!text) return text.error();
  auto tokenizer = Tokenizer::load(*file);
  if (!tokenizer) return tokenizer.error();
  source.text = *std::move(text);
  if (tokenizer->bos() >= 0) source.defaults.bos_token = tokenizer->bytes(tokenizer->bos());
  if (tokenizer->eos() >= 0) source.defaults.eos_token = tokenizer->bytes(tokenizer->eos());
  return source;
}

int run_template(const Arguments& arguments) {
  const std::string& name = arguments.positionals().front();
  auto source = load_template(name);
  if (!source) return report_error(source.error());
  auto chat_template = ChatTemplate::parse(source->text);
  if (!chat_template)
    return report_error(chat_template.error().during("reading the template of " + name));
  auto done = answer_json_lines(input_of(arguments), [&](const Json& line) -> Result<Json> {
    auto input = read_case(line, source->defaults);
    if (!input) return input.error();
    auto rendered = chat_template->render(*input);
    if (!rendered) return Json{{"error", rendered.error().message}};
    return Json{{"rendered", rendered_text(*rendered)}};
  });
  return done ? kExitDone : report_error(done.error());
}

}  // namespace

std::vector<Command> engine_commands() {
  return {
      generate_command(),
      chat_command(),
      serve_command(),
      bench_command(),
      {"tokenize", "MODEL [FILE]", "Turn texts into token ids.",
       "Reads JSON Lines {\"text\": …} from FILE or standard input and writes {\"ids\": […]}.\n"
       "Control tokens in the text are ordinary text unless --special is given. MODEL may be a\n"
       "vocabulary without weights.\n\n"
       "example:\n  echo '{\"text\": \"Hello\"}' | trialwright tokenize smollm2-135m",
       with_common(
           {{"special", "", "Read control tokens such as <|im_end|> from the text.", '\0', false}}),
       1, 2, run_tokenize},
      {"template", "MODEL|FILE.jinja [FILE]", "Render conversations with a chat template.",
       "Reads JSON Lines {\"messages\": […], \"tools\": […], \"add_generation_prompt\": true,\n"
       "\"bos_token\": …, \"eos_token\": …, \"now\": …, \"variables\": {…}} from FILE or standard "
       "input;\n"
       "all but messages may be left out. Writes {\"rendered\": …} or {\"error\": …}.\n\n"
       "example:\n"
       "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}' | trialwright "
       "template smollm2-135m",
       with_common({}), 1, 2, run_template},
  };
}

}  // namespace trialwright
