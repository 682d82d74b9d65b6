#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/signals.h"
#include "inference/catalog/pull.h"
#include "inference/chat/tool_call_format.h"
#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

int run_models_list(const Arguments& arguments) {
  auto catalog = user_catalog();
  if (!catalog) return report_error(catalog.error());
  const Console out = output_console(arguments);
  std::vector<std::vector<std::string>> rows = {{"MODEL", "SIZE", "HERE", "LICENCE", "NOTES"}};
  for (const ModelEntry& entry : catalog->models) {
    const bool here = path_exists(pulled_model_path(entry, models_folder()));
    rows.push_back({entry.name, bytes_text(static_cast<double>(entry.bytes)), here ? "yes" : "no",
                    entry.licence, entry.notes});
  }
  out.write(table_text(rows, {1}, out.table_columns(), {4}));
  return kExitDone;
}

/// Shows a pull: one line redrawn on a terminal, a line each tenth elsewhere.
class PullProgress {
 public:
  explicit PullProgress(const Console& console) : console_(console) {}

  void show(const PullEvent& event) {
    if (!event.message.empty()) {
      clear();
      console_.line(visible_line(event.message));
      return;
    }
    if (event.total == 0) return;
    const auto percent = static_cast<int>(100 * event.bytes / event.total);
    const int step = console_.is_terminal() ? 1 : 10;
    if (percent / step == shown_ / step) return;
    shown_ = percent;
    const std::string text = std::to_string(percent) + "%  " +
                             bytes_text(static_cast<double>(event.bytes)) + " of " +
                             bytes_text(static_cast<double>(event.total));
    if (console_.is_terminal()) {
      console_.write("\r\033[K" + text);
      drawn_ = true;
    } else {
      console_.line(text);
    }
  }
  void clear() {
    if (drawn_) console_.write("\r\033[K");
    drawn_ = false;
  }

 private:
  const Console& console_;
  int shown_ = -1;
  bool drawn_ = false;
};

/// Shows a model's terms and finds out whether they are accepted: by the flag, or by the person at
/// the terminal. Errors: Invalid, if they are not.
Result<void> settle_terms(const ModelEntry& entry, bool accepted, const Console& err) {
  const ModelTerms& terms = *entry.terms;
  err.line(visible_line(entry.name + " is given under the " + terms.name + ": " + terms.url));
  err.line("  " + visible_line(terms.summary));
  if (accepted) return {};
  if (::isatty(STDIN_FILENO) == 0 || !err.is_terminal()) {
    return invalid("the terms of " + entry.name +
                   " were not accepted; read them, then repeat with --accept-terms");
  }
  err.write("Do you accept them? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return invalid("the terms of " + entry.name + " were not accepted, so nothing was fetched");
}

int run_models_pull(const Arguments& arguments) {
  auto catalog = user_catalog();
  if (!catalog) return report_error(catalog.error());
  const Console err = error_console(arguments);
  for (const std::string& name : arguments.positionals()) {
    auto entry = catalog->find(name);
    if (!entry) return report_error(entry.error());
    if (!entry->terms || path_exists(pulled_model_path(*entry, models_folder()))) continue;
    auto settled = settle_terms(*entry, arguments.has("accept-terms"), err);
    if (!settled) return report_error(settled.error());
  }
  // From here nobody is asked anything: long pulls may be left alone.
  const Console out = output_console(arguments);
  const SignalStop signals;
  PullOptions options;
  options.folder = models_folder();
  PipFetcher packages;
  for (const std::string& name : arguments.positionals()) {
    auto entry = catalog->find(name);
    if (!entry) return report_error(entry.error());
    PullProgress progress(err);
    auto path = pull(
        *entry, options, packages, [&](const PullEvent& event) { progress.show(event); },
        signals.token());
    progress.clear();
    if (!path) {
      const int code = report_error(path.error());
      return signals.signal() != 0 ? 128 + signals.signal() : code;
    }
    out.line(name + "  " + path->string());
  }
  return kExitDone;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text;
}

/// One line of metadata, cut to fit; arrays show how long they are.
std::string metadata_text(const GgufFile& file, std::string_view key) {
  if (auto text = file.text(key)) return *text;
  if (auto number = file.integer(key)) return std::to_string(*number);
  if (auto flag = file.boolean(key)) return *flag ? "true" : "false";
  if (auto number = file.number(key)) return to_text(Json(*number));
  if (auto texts = file.texts(key)) return "[" + std::to_string(texts->size()) + " texts]";
  if (auto numbers = file.integers(key)) return "[" + std::to_string(numbers->size()) + " numbers]";
  if (auto numbers = file.numbers(key)) return "[" + std::to_string(numbers->size()) + " numbers]";
  return "?";
}

int run_models_show(const Arguments& arguments) {
  auto path = model_file(arguments.positionals().front());
  if (!path) return report_error(path.error());
  auto file = open_model_files(*path);
  if (!file) return report_error(file.error());
  const Console out = output_console(arguments);
  out.line(out.paint(visible_line(path->string()), Colour::Bold));
  std::vector<std::vector<std::string>> rows;
  for (const std::string_view key : file->keys()) {
    std::string text = metadata_text(*file, key);
    text = text.substr(0, std::min<std::size_t>(text.find('\n'), 1000));
    rows.push_back({"  " + std::string(key), cut_to(visible_line(text), 60)});
  }
  out.write(table_text(rows, {}, out.table_columns()));
  std::map<std::string, std::pair<int, std::size_t>> types;
  for (const GgufTensor& tensor : file->tensors()) {
    auto& [count, bytes] = types[tensor_type_name(tensor.type)];
    ++count;
    bytes += tensor.data.size();
    if (arguments.has("tensors")) {
      out.line("  " + visible_line(tensor.name) + "  " + tensor_type_name(tensor.type) + "  " +
               shape_text(tensor.shape));
    }
  }
  for (const auto& [type, sum] : types) {
    out.line("  " + counted(sum.first, "tensor") + " " + type + ", " +
             bytes_text(static_cast<double>(sum.second)));
  }
  if (types.empty()) {
    out.line("  no tensors: a vocabulary only");
    return kExitDone;
  }
  // A model that cannot be run has no plan, and what its file holds is still worth seeing.
  if (const auto plan = Engine::plan(*file, {})) {
    out.line("memory to run it:");
    out.write(plan->text());
    if (!plan->fits()) out.line("does not fit");
  }
  return kExitDone;
}

}  // namespace

std::vector<Command> model_commands() {
  return {
      {"models list", "", "List the models there are and which are here.",
       "Models come from the bundled manifest and from models.toml in your configuration folder.",
       with_common({}), 0, 0, run_models_list},
      {"models pull", "NAME…", "Fetch models, check them, and keep them.",
       "Each source of a model is tried in order; what an interrupted pull got is used by the "
       "next. Some models come under terms of their own, which are shown before the\n"
       "first pull and need a yes, typed or given with --accept-terms.",
       with_common(
           {{"accept-terms", "", "Accept the terms of the models that have some.", '\0', false}}),
       1, SIZE_MAX, run_models_pull},
      {"models show", "MODEL", "Show what a model's file holds.", "",
       with_common({{"tensors", "", "List every tensor.", '\0', false}}), 1, 1, run_models_show},
  };
}

}  // namespace trialwright
