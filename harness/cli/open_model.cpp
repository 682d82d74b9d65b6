#include "harness/cli/open_model.h"

#include <cstdlib>

#include "base/files.h"
#include "inference/models/embedded_model.h"
#include "inference/models/http_model.h"
#include "inference/models/scripted_model.h"

namespace trialwright {

namespace {

constexpr std::string_view kScripted = "scripted:";
constexpr const char* kKeyVariable = "TRIALWRIGHT_API_KEY";

Result<std::unique_ptr<Model>> open_endpoint(const std::string& name) {
  const std::size_t hash = name.find('#');
  if (hash == std::string::npos || hash + 1 == name.size()) {
    return invalid("an endpoint is given as http://HOST/v1#MODEL; \"" + name +
                   "\" does not name the model");
  }
  HttpModelOptions options;
  options.base_url = name.substr(0, hash);
  options.model = name.substr(hash + 1);
  // A local server often needs no key.
  if (std::getenv(kKeyVariable) != nullptr) options.key_variable = kKeyVariable;
  auto model = HttpModel::make(options);
  if (!model) return model.error();
  return std::unique_ptr<Model>(*std::move(model));
}

Result<std::unique_ptr<Model>> open_script(const std::string& name) {
  auto model = ScriptedModel::load(name.substr(kScripted.size()));
  if (!model) return model.error();
  return std::unique_ptr<Model>(*std::move(model));
}

/// "localhost", a number such as 127.0.0.1, or [::1]: never a name that somebody else resolves.
bool is_on_this_machine(std::string_view url) {
  std::string_view host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.find('@') != std::string_view::npos) return false;
  const bool bracketed = host.starts_with("[");
  host = host.substr(0, bracketed ? host.find(']') + 1 : host.find(':'));
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

bool is_endpoint(const std::string& name) {
  return name.starts_with("http://") || name.starts_with("https://");
}

Result<void> check_recorded_endpoint(const std::string& name, const Arguments& arguments) {
  if (!is_endpoint(name) || is_on_this_machine(name)) return {};
  if (arguments.text("model") == name) return {};
  return invalid("the run's file names the endpoint \"" + name +
                 "\", which is on another machine; say '--model " + name +
                 "' to send its questions, and a key if one is set, there");
}

Result<EmbeddedModelOptions> read_model_options(const Arguments& arguments) {
  EmbeddedModelOptions options;
  auto device = parse_device(arguments.text("device", "cpu"));
  if (!device) return invalid("--device " + device.error().message);
  options.engine.device = *device;
  auto threads = arguments.integer("threads", 0, 1, 1024);
  if (!threads) return threads.error();
  auto context = arguments.integer("context", 0, 16, 1 << 24);
  if (!context) return context.error();
  options.engine.threads = static_cast<int>(*threads);
  options.engine.context_tokens_max = static_cast<int>(*context);
  options.cache_file = arguments.text("cache-file");
  options.guess = !arguments.has("no-guesses");
  if (arguments.has("draft-model")) {
    if (!options.guess) return invalid("--draft-model guesses, which --no-guesses forbids");
    auto file = model_file(arguments.text("draft-model"));
    if (!file) return file.error().during("--draft-model");
    options.draft_model = *file;
  }
  return options;
}

std::vector<Flag> engine_flags() {
  return {
      {"threads", "N", "Threads of the engine; all cores if left out. Results do not depend on it.",
       '\0', false},
      {"context", "TOKENS", "Bound on prompt and completion together; the model's own if left out.",
       '\0', false},
      {"device", "NAME", "Where the engine computes: cpu.", '\0', false},
      {"draft-model", "MODEL",
       "Guess with this small model too; its vocabulary must be the same. Results stay the same.",
       '\0', false},
      {"cache-file", "FILE",
       "Keep what was read of prompts in this file, and go on from it: a faster start after a "
       "crash.",
       '\0', false},
      {"no-guesses", "", "Compute every token alone. Results stay the same.", '\0', false},
  };
}

std::vector<Flag> sampling_flags() {
  return {
      {"temperature", "T", "0 takes the most probable token.", '\0', false},
      {"top-k", "K", "Keep the K most probable tokens; 0 keeps all.", '\0', false},
      {"top-p", "P", "Keep the most probable tokens that together have probability P.", '\0',
       false},
      {"min-p", "P", "Keep tokens with at least this share of the best one's probability.", '\0',
       false},
      {"repetition-penalty", "R", "Makes tokens that came before less likely; 1 is off.", '\0',
       false},
  };
}

Result<Sampling> read_sampling(const Arguments& arguments, Sampling sampling) {
  auto temperature = arguments.number("temperature", sampling.temperature, 0, 100);
  auto top_p = arguments.number("top-p", sampling.top_p, 0, 1);
  auto min_p = arguments.number("min-p", sampling.min_p, 0, 1);
  auto penalty = arguments.number("repetition-penalty", sampling.repetition_penalty, 0.01, 100);
  auto top_k = arguments.integer("top-k", sampling.top_k, 0, 1 << 24);
  for (const auto* number : {&temperature, &top_p, &min_p, &penalty}) {
    if (!*number) return number->error();
  }
  if (!top_k) return top_k.error();
  sampling.temperature = *temperature;
  sampling.top_p = *top_p;
  sampling.min_p = *min_p;
  sampling.repetition_penalty = *penalty;
  sampling.top_k = static_cast<int>(*top_k);
  return sampling;
}

std::filesystem::path models_folder() { return user_cache_folder() / "models"; }

Result<Catalog> user_catalog() { return load_catalog(user_manifest_path()); }

Result<std::filesystem::path> model_file(const std::string& name) {
  auto catalog = user_catalog();
  if (!catalog) return catalog.error();
  return resolve_model(*catalog, name, models_folder());
}

std::filesystem::path last_part(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  return whole.has_filename() ? whole.filename() : whole.parent_path().filename();
}

std::string rooted_model_name(const std::string& name) {
  if (is_endpoint(name)) return name;
  const bool scripted = name.starts_with(kScripted);
  const std::string path = scripted ? name.substr(kScripted.size()) : name;
  if (!scripted) {
    const auto catalog = user_catalog();
    if (!is_model_path(catalog ? *catalog : Catalog{}, path)) return name;
  }
  return (scripted ? std::string(kScripted) : "") + std::filesystem::absolute(path).string();
}

Result<std::unique_ptr<Model>> open_model(const std::string& name,
                                          const EmbeddedModelOptions& options) {
  if (is_endpoint(name)) return open_endpoint(name);
  if (name.starts_with(kScripted)) return open_script(name);
  auto path = model_file(name);
  if (!path) return path.error();
  EmbeddedModelOptions named = options;
  named.name = name;
  auto model = EmbeddedModel::load(*path, named);
  if (!model) return model.error();
  return std::unique_ptr<Model>(*std::move(model));
}

ToolProtocol settled_protocol(ToolProtocol asked, const std::string& name,
                              const ModelIdentity& identity) {
  if (asked != ToolProtocol::Auto) return asked;
  auto catalog = user_catalog();
  if (catalog) {
    const auto entry = catalog->find(name);
    if (entry && entry->tool_protocol == "fenced") return ToolProtocol::Fenced;
    if (entry && entry->tool_protocol == "native") return ToolProtocol::Native;
  }
  return identity.native_tools ? ToolProtocol::Native : ToolProtocol::Fenced;
}

}  // namespace trialwright
