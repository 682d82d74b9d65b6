#include "results/report/html.h"
#include "results/report/sections.h"

namespace trialwright {

namespace {

using html::element;

/// A table as deep as this is no longer read; deeper values are printed as JSON.
constexpr int kDepthMax = 8;

/// One row a leaf, named by its path.
void append_rows(std::string& rows, const std::string& path, const Json& value, int depth) {
  if (value.is_object() && !value.empty() && depth < kDepthMax) {
    for (const auto& [key, inner] : value.items()) {
      append_rows(rows, path.empty() ? key : path + "." + key, inner, depth + 1);
    }
    return;
  }
  std::string shown = value.is_string() ? value.get<std::string>() : to_text(value);
  const bool is_short = shown.size() < 200 && shown.find('\n') == std::string::npos;
  rows += element("tr", "",
                  element("th", "", html::text(path)) +
                      element("td", "", is_short ? html::text(shown) : html::block(shown)));
}

std::string table_of(std::string_view title, const Json& json) {
  std::string rows;
  append_rows(rows, "", json, 0);
  if (json.empty()) return "";
  return "<details class=\"card\"><summary><h3>" + std::string(title) + "</h3></summary>" +
         element("table", "", "<tbody>" + rows + "</tbody>") + "</details>";
}

/// What ties this page to the run's file: whoever has both can hold one against the other.
std::string identity(const ReportInput& input) {
  const std::string root =
      input.root ? element("code", "", input.root->hex()) : "none, the run has not ended";
  return element("dl", "facts",
                 html::fact("run", element("code", "", html::text(input.run.id))) +
                     html::fact("root hash", root));
}

}  // namespace

std::string provenance_section(const ReportInput& input) {
  const std::string tables =
      table_of("Configuration", input.run.spec) + table_of("Environment", input.run.environment);
  const std::string run = html::text(input.run.id);
  const std::string commands =
      element("p", "hint", "Check what is stored, and read or run a trial again:") +
      element("pre", "",
              "trialwright verify " + run + "\ntrialwright show " + run +
                  ":TRIAL\ntrialwright replay " + run + ":TRIAL");
  return element("section", "provenance",
                 element("h2", "", "Provenance") + identity(input) + tables + commands);
}

}  // namespace trialwright
