#include "harness/cli/bench_rows.h"

#include <cstdio>
#include <ctime>

#include "base/json.h"

namespace trialwright {

namespace {

/// As printf would write it, with `decimals` digits after the point.
std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

std::string utc_text(std::int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm time{};
  gmtime_r(&seconds, &time);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &time);
  return text;
}

/// "21.3 (87 %)": what was reached, and what of the roof that is. "-" where nothing is known.
std::string share_text(double reached, double roof, int decimals) {
  if (reached <= 0) return "-";
  std::string text = fixed(reached * 1e-9, decimals);
  if (roof > 0) text += " (" + fixed(reached / roof * 100, 0) + " %)";
  return text;
}

/// The fields of a row in their order. Samples are in JSON only.
Json fields_of(const BenchRow& row) {
  const SpeedSummary summary = summarize(row.test, row.times);
  const Achieved reached = achieved(row.work, row.test, summary.mean);
  Json fields;
  fields["cpu_info"] = row.device;
  fields["backends"] = "CPU";
  fields["model_filename"] = row.model;
  fields["model_type"] = row.work.type;
  fields["model_size"] = row.work.bytes;
  fields["model_n_params"] = row.work.parameters;
  fields["n_ubatch"] = row.rows_together;
  fields["n_threads"] = row.threads;
  fields["type_k"] = "f16";
  fields["type_v"] = "f16";
  fields["n_prompt"] = row.test.prompt_tokens;
  fields["n_gen"] = row.test.generated_tokens;
  fields["n_depth"] = 0;
  fields["n_parallel"] = row.test.parallel;
  fields["test"] = row.test.name();
  fields["test_time"] = utc_text(row.wall_us);
  fields["avg_ns"] = static_cast<std::int64_t>(summary.mean_nanoseconds);
  fields["stddev_ns"] = static_cast<std::int64_t>(summary.deviation_nanoseconds);
  fields["avg_ts"] = summary.mean;
  fields["stddev_ts"] = summary.deviation;
  fields["read_bytes_per_second"] = reached.read_bytes_per_second;
  fields["read_roof"] = row.roof.read_bytes_per_second;
  fields["operations_per_second"] = reached.operations_per_second;
  fields["operations_roof"] = row.roof.operations_per_second;
  return fields;
}

Json fields_with_samples(const BenchRow& row) {
  Json fields = fields_of(row);
  fields["samples_ns"] = Json::array();
  for (const std::chrono::nanoseconds time : row.times)
    fields["samples_ns"].push_back(time.count());
  fields["samples_ts"] = summarize(row.test, row.times).tokens_per_second;
  return fields;
}

/// A field of CSV, always in quotes, as llama-bench has them.
std::string csv_quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_heading() {
  std::string line;
  const Json fields = fields_of({});
  for (const auto& [name, value] : fields.items()) line += (line.empty() ? "" : ",") + name;
  return line + "\n";
}

std::string csv_line(const BenchRow& row) {
  std::string line;
  const Json fields = fields_of(row);
  for (const auto& [name, value] : fields.items()) {
    line += (line.empty() ? "" : ",") +
            csv_quoted(value.is_string() ? value.get<std::string>() : value.dump());
  }
  return line + "\n";
}

std::string markdown_line(const BenchRow& row) {
  const SpeedSummary summary = summarize(row.test, row.times);
  const Achieved reached = achieved(row.work, row.test, summary.mean);
  constexpr double kMebibyte = 1024.0 * 1024.0;
  std::string line = "|";
  for (const std::string& cell :
       {row.work.type, fixed(static_cast<double>(row.work.bytes) / kMebibyte, 2) + " MiB",
        fixed(static_cast<double>(row.work.parameters) * 1e-6, 2) + " M", std::string("CPU"),
        std::to_string(row.threads), row.test.name(),
        fixed(summary.mean, 2) + " ± " + fixed(summary.deviation, 2),
        share_text(reached.read_bytes_per_second, row.roof.read_bytes_per_second, 1),
        share_text(reached.operations_per_second, row.roof.operations_per_second, 0)}) {
    line += " " + cell + " |";
  }
  return line + "\n";
}

}  // namespace

Result<BenchFormat> parse_bench_format(std::string_view name) {
  if (name == "md") return BenchFormat::Markdown;
  if (name == "csv") return BenchFormat::Csv;
  if (name == "json") return BenchFormat::JsonArray;
  if (name == "jsonl") return BenchFormat::JsonLines;
  return invalid("must be md, csv, json or jsonl, not \"" + std::string(name) + "\"");
}

std::string bench_heading(BenchFormat format) {
  switch (format) {
    case BenchFormat::Markdown:
      return "| model | size | params | backend | threads | test | t/s | GB/s (of roof) | GOP/s "
             "(of "
             "roof) |\n"
             "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n";
    case BenchFormat::Csv:
      return csv_heading();
    case BenchFormat::JsonArray:
      return "[\n";
    case BenchFormat::JsonLines:
      return "";
  }
  return "";
}

std::string bench_line(BenchFormat format, const BenchRow& row, bool first) {
  switch (format) {
    case BenchFormat::Markdown:
      return markdown_line(row);
    case BenchFormat::Csv:
      return csv_line(row);
    case BenchFormat::JsonArray:
      return (first ? "  " : ",\n  ") + to_text(fields_with_samples(row));
    case BenchFormat::JsonLines:
      return to_text(fields_with_samples(row)) + "\n";
  }
  return "";
}

std::string bench_ending(BenchFormat format) {
  return format == BenchFormat::JsonArray ? "\n]\n" : "";
}

}  // namespace trialwright
