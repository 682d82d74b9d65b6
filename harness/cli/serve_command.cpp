#include "harness/cli/serve_command.h"

#include <cstdlib>

#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/signals.h"
#include "inference/models/embedded_model.h"
#include "inference/server/http_server.h"

namespace trialwright {

namespace {

struct ServeSettings {
  ServiceOptions service;
  HttpServerOptions http;
  EmbeddedModelOptions model;
};

/// The key that --api-key-env names; empty if it names none.
Result<std::string> read_key(const Arguments& arguments) {
  if (!arguments.has("api-key-env")) return std::string();
  const std::string variable = arguments.text("api-key-env");
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return invalid("the environment variable " + variable +
                   ", which should hold the clients' key, is not set");
  }
  return std::string(value);
}

Result<ServeSettings> read_settings(const Arguments& arguments) {
  ServeSettings settings;
  auto model = read_model_options(arguments);
  if (!model) return model.error();
  settings.model = *std::move(model);
  auto key = read_key(arguments);
  if (!key) return key.error();
  settings.service.key = *std::move(key);
  auto port = arguments.integer("port", 8080, 0, 65535);
  auto requests = arguments.integer("requests", 8, 1, 1024);
  auto queue = arguments.integer("queue", 56, 0, 100'000);
  auto timeout = arguments.integer("timeout", 600, 1, 86'400);
  auto body = arguments.integer("max-body", 16 << 20, 1024, std::int64_t{1} << 32);
  for (const auto* number : {&port, &requests, &queue, &timeout, &body}) {
    if (!*number) return number->error();
  }
  settings.model.requests_max = static_cast<int>(*requests);
  settings.service.answers_max = static_cast<int>(*requests + *queue);
  settings.service.answers_at_once_max = static_cast<std::size_t>(*requests);
  settings.service.time_max = std::chrono::seconds(*timeout);
  settings.http.host = arguments.text("host", settings.http.host);
  settings.http.port = static_cast<int>(*port);
  settings.http.body_bytes_max = static_cast<std::size_t>(*body);
  settings.http.reply_within = settings.service.time_max + settings.http.write_within;
  settings.http.local_names_only =
      is_loopback_name(settings.http.host) && settings.service.key.empty();
  return settings;
}

Result<std::unique_ptr<Model>> load(const std::string& name, const ServeSettings& settings) {
  if (is_endpoint(name) || name.starts_with("scripted:")) return open_model(name, settings.model);
  auto path = model_file(name);
  if (!path) return path.error();
  // Clients name the model, so a file or folder goes by its name without the folders around it.
  const bool is_path = name.find('/') != std::string::npos || name.ends_with(".gguf");
  EmbeddedModelOptions options = settings.model;
  options.name = name;
  if (is_path) {
    const std::filesystem::path last = last_part(*path);
    options.name = last.extension() == ".gguf" ? last.stem().string() : last.string();
  }
  auto model = EmbeddedModel::load(*path, options);
  if (!model) return model.error();
  return std::unique_ptr<Model>(*std::move(model));
}

std::string access_line(const AccessRecord& record) {
  std::string line = record.peer + " " + (record.method.empty() ? "-" : record.method) + " " +
                     (record.path.empty() ? "-" : record.path) + " " +
                     std::to_string(record.status) + " " + duration_text(record.time);
  const Usage& usage = record.usage;
  if (usage.prompt_tokens > 0) {
    line += " prompt=" + std::to_string(usage.prompt_tokens) +
            " cached=" + std::to_string(usage.cached_tokens) +
            " completion=" + std::to_string(usage.completion_tokens);
  }
  return visible_line(line);
}

int run_serve(const Arguments& arguments) {
  auto settings = read_settings(arguments);
  if (!settings) return report_error(settings.error());
  auto model = load(arguments.positionals().front(), *settings);
  if (!model) return report_error(model.error());

  const Console out = output_console(arguments);
  const Console err = error_console(arguments);
  if (!arguments.has("quiet")) {
    settings->http.on_access = [&err](const AccessRecord& record) {
      err.line(access_line(record));
    };
  }
  if (!is_loopback_name(settings->http.host) && settings->service.key.empty()) {
    err.line("note: anybody who reaches " + settings->http.host +
             " can use the model; --api-key-env asks for a key");
  }
  const SignalStop signals;
  const SystemClock clock;
  Service service(**model, clock, settings->service);
  auto server = HttpServer::bind(service, settings->http);
  if (!server) return report_error(server.error());
  const std::string host = settings->http.host.find(':') == std::string::npos
                               ? settings->http.host
                               : "[" + settings->http.host + "]";
  out.line("serving " + (*model)->identity().name + " at http://" + host + ":" +
           std::to_string((*server)->port()) + "/v1");
  (*server)->run(signals.token());
  return 128 + signals.signal();
}

}  // namespace

Command serve_command() {
  std::vector<Flag> flags = {
      {"host", "ADDRESS", "Where to listen; 127.0.0.1 if left out: this machine only.", '\0',
       false},
      {"port", "N", "The port; 8080 if left out, and 0 takes a free one.", 'p', false},
      {"api-key-env", "NAME", "Ask clients for the key in this environment variable.", '\0', false},
      {"requests", "N", "Answers computed together; 8 if left out.", '\0', false},
      {"queue", "N", "Answers that may wait beside them, 56 if left out; the next gets 429.", '\0',
       false},
      {"timeout", "SECONDS", "For one request, waiting included; 600 if left out.", '\0', false},
      {"max-body", "BYTES", "Of one request; 16777216 if left out.", '\0', false},
      {"quiet", "", "No line on standard error for each request.", 'q', false}};
  for (Flag& flag : engine_flags()) flags.push_back(std::move(flag));
  return {"serve",
          "MODEL",
          "Serve a model over the OpenAI API.",
          "Answers /v1/chat/completions, /v1/completions, /v1/models and /health, until a signal\n"
          "stops it; requests under way then have five seconds to finish. The address is printed\n"
          "when it is ready. docs/serve.md tells what is supported.\n\n"
          "examples:\n"
          "  trialwright serve smollm2-135m\n"
          "  KEY=secret trialwright serve model.gguf --host 0.0.0.0 --api-key-env KEY",
          with_common(flags),
          1,
          1,
          run_serve};
}

}  // namespace trialwright
