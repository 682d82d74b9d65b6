#include "inference/server/answer_options.h"

namespace trialwright {

namespace {

constexpr std::size_t kStopsMax = 16;

void read_sampling_fields(FieldReader& fields, Sampling& sampling) {
  sampling.temperature = fields.number("temperature", 1, 0, 100);
  sampling.top_p = fields.number("top_p", 1, 0, 1);
  sampling.top_k = static_cast<int>(fields.integer("top_k", 0, 0, 1 << 24));
  sampling.min_p = fields.number("min_p", 0, 0, 1);
  sampling.repetition_penalty = fields.number("repetition_penalty", 1, 0.01, 100);
  sampling.seed = static_cast<std::uint64_t>(fields.integer("seed", 0, INT64_MIN, INT64_MAX));
  fields.only("presence_penalty", 0);
  fields.only("frequency_penalty", 0);
  fields.only("logit_bias", Json::object());
}

void read_stops(FieldReader& fields, std::vector<std::string>& stops) {
  const Json* given = fields.find("stop");
  if (given == nullptr) return;
  const Json list = given->is_string() ? Json::array({*given}) : *given;
  if (!list.is_array() || list.size() > kStopsMax) {
    return fields.refuse("stop",
                         "must be a string or up to " + std::to_string(kStopsMax) + " strings");
  }
  for (const Json& stop : list) {
    if (!stop.is_string() || stop.get_ref<const std::string&>().empty()) {
      return fields.refuse("stop", "must hold strings that are not empty");
    }
    stops.push_back(stop.get<std::string>());
  }
}

void read_response_format(const Json& given, const std::string& path, Refusal& refusal,
                          std::optional<OutputFormat>& format) {
  FieldReader fields(given, path, refusal);
  const std::string type = fields.needed_text("type");
  if (type == "text") return;
  if (type == "json_object") {
    format = OutputFormat{OutputFormat::Kind::JsonSchema, R"({"type": "object"})"};
    return;
  }
  if (type != "json_schema") {
    return fields.refuse("type", "must be text, json_object or json_schema");
  }
  const Json* wrapped = fields.find("json_schema");
  if (wrapped == nullptr) return fields.refuse("json_schema", "is missing");
  FieldReader inner(*wrapped, path + ".json_schema", refusal);
  const Json* schema = inner.find("schema");
  if (schema == nullptr || !schema->is_object()) {
    return inner.refuse("schema", "must be an object");
  }
  format = OutputFormat{OutputFormat::Kind::JsonSchema, to_text(*schema)};
}

/// At most one way to say what form the answer must have.
void read_format(FieldReader& fields, Refusal& refusal, std::optional<OutputFormat>& format) {
  const auto source_of = [&](const std::string& name, OutputFormat::Kind kind) {
    if (fields.find(name) == nullptr) return;
    if (format) return fields.refuse(name, "cannot be combined with another format");
    format = OutputFormat{kind, fields.text(name, "")};
  };
  if (const Json* given = fields.find("response_format")) {
    read_response_format(*given, fields.path_of("response_format"), refusal, format);
  }
  source_of("regex", OutputFormat::Kind::Regex);
  source_of("grammar", OutputFormat::Kind::Gbnf);
}

}  // namespace

void read_common_fields(FieldReader& fields, AnswerOptions& options, CompletionRequest& request,
                        Refusal& refusal) {
  options.model = fields.needed_text("model");
  options.choices = static_cast<int>(fields.integer("n", 1, 1, kChoicesMax));
  options.streams = fields.flag("stream", false);
  if (const Json* given = fields.find("stream_options")) {
    FieldReader inner(*given, "stream_options", refusal);
    options.streams_usage = inner.flag("include_usage", false);
    inner.ignore({"include_obfuscation"});
    inner.refuse_others();
    if (!options.streams) fields.refuse("stream_options", "needs \"stream\": true");
  }
  read_sampling_fields(fields, request.sampling);
  read_stops(fields, request.stop);
  read_format(fields, refusal, request.format);
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier",
                 "prompt_cache_key", "prompt_cache_retention"});
}

}  // namespace trialwright
