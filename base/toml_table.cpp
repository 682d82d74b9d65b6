#include "base/toml_table.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

namespace trialwright {

struct TomlTable::Document {
  toml::table root;
  std::optional<std::string> first_error;
  std::set<std::string, std::less<>> read;    ///< Dotted keys that somebody asked for.
  std::set<std::string, std::less<>> opened;  ///< Those of tables that somebody looks into.
};

namespace {

constexpr int kNestedMax = 64;
constexpr std::size_t kKeyDepthMax = 128;

const toml::table* as_table(const void* table) { return static_cast<const toml::table*>(table); }

Json to_json(const toml::node& node, int depth) {
  if (depth > kNestedMax) return nullptr;
  if (const auto* table = node.as_table()) {
    Json json = Json::object();
    for (const auto& [key, value] : *table)
      json[std::string(key.str())] = to_json(value, depth + 1);
    return json;
  }
  if (const auto* array = node.as_array()) {
    Json json = Json::array();
    for (const auto& value : *array) json.push_back(to_json(value, depth + 1));
    return json;
  }
  if (const auto value = node.value_exact<std::string>()) return *value;
  if (const auto value = node.value_exact<std::int64_t>()) return *value;
  if (const auto value = node.value_exact<double>())
    return std::isfinite(*value) ? Json(*value) : Json(nullptr);
  if (const auto value = node.value_exact<bool>()) return *value;
  std::ostringstream text;
  node.visit([&](const auto& other) {
    if constexpr (toml::is_date<decltype(other)> || toml::is_time<decltype(other)> ||
                  toml::is_date_time<decltype(other)>)
      text << other.get();
  });
  return text.str();
}

bool says_something(const toml::node& node) {
  if (const auto* table = node.as_table()) return !table->empty();
  if (const auto* array = node.as_array()) return !array->empty();
  if (const auto* text = node.as_string()) return !text->get().empty();
  if (const auto* number = node.as_integer()) return number->get() != 0;
  if (const auto* flag = node.as_boolean()) return flag->get();
  return true;
}

}  // namespace

TomlTable::TomlTable(std::shared_ptr<Document> document, const void* table, std::string path)
    : document_(std::move(document)), table_(table), path_(std::move(path)) {}

namespace {

/// Where a quoted text that starts at `at` ends: after its last quote, or at the end of its line.
std::size_t after_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string triple(3, quote);
  const bool is_long = text.substr(at).starts_with(triple);
  for (at += is_long ? 3 : 1; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (!is_long && (text[at] == quote || text[at] == '\n')) {
      return at + (text[at] == quote ? 1 : 0);
    } else if (is_long && text.substr(at).starts_with(triple)) {
      at += 3;
      // Up to two quotes of its own may stand before the three that end it.
      for (int own = 0; own < 2 && at < text.size() && text[at] == quote; ++own) ++at;
      return at;
    }
  }
  return text.size();
}

/// The line with a key or value that is nested deeper than kKeyDepthMax, or 0. Looked at before
/// parsing, because the parser does not bound dotted keys, and tables are destroyed recursively.
std::size_t line_nested_too_deeply(std::string_view text) {
  std::size_t line = 1;
  std::size_t depth = 0;           // Of where we are: brackets, and dots of the key on the way.
  std::vector<std::size_t> outer;  // The depth before each open bracket.
  const auto base = [&] { return outer.empty() ? 0 : outer.back() + 1; };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::size_t end = after_quoted(text, at);
      line += static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                                  text.begin() + static_cast<std::ptrdiff_t>(end),
                                                  '\n'));
      at = end;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '[' || c == '{') {
      outer.push_back(depth++);
    } else if (c == ']' || c == '}') {
      if (!outer.empty()) outer.pop_back();
    } else if (c == '.') {
      ++depth;
    } else if (c == ',' || c == '\n') {
      depth = base();
    }
    if (depth > kKeyDepthMax) return line;
    if (c == '\n') ++line;
    ++at;
  }
  return 0;
}

}  // namespace

Result<TomlTable> TomlTable::parse(std::string_view text) {
  if (const std::size_t line = line_nested_too_deeply(text); line > 0) {
    return invalid("line " + std::to_string(line) + ": a key or value is nested too deeply");
  }
  auto document = std::make_shared<Document>();
  try {
    document->root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return invalid("line " + std::to_string(error.source().begin.line) +
                   ": not valid TOML: " + std::string(error.description()));
  }
  const toml::table* root = &document->root;
  return TomlTable(std::move(document), root, "");
}

namespace {

/// The node of a dotted key below a table, or null.
const toml::node* find_node(const void* table, std::string_view key) {
  if (table == nullptr) return nullptr;
  const toml::table* at = as_table(table);
  for (;;) {
    const std::size_t dot = key.find('.');
    const toml::node* node = at->get(key.substr(0, dot));
    if (node == nullptr || dot == std::string_view::npos) return node;
    at = node->as_table();
    if (at == nullptr) return nullptr;
    key.remove_prefix(dot + 1);
  }
}

std::size_t line_of(const toml::node& node) { return node.source().begin.line; }

}  // namespace

void TomlTable::reject(std::string_view key, std::string_view what) const {
  if (document_->first_error) return;
  const toml::node* node = find_node(table_, key);
  std::string message = "field \"" + path_ + std::string(key) + "\" " + std::string(what);
  if (node != nullptr && line_of(*node) > 0) {
    message = "line " + std::to_string(line_of(*node)) + ": " + message;
  }
  document_->first_error = std::move(message);
}

std::optional<std::string> TomlTable::text(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_string()) return value->get();
  reject(key, "must be a string");
  return std::nullopt;
}

std::optional<double> TomlTable::number(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_integer()) return static_cast<double>(value->get());
  if (const auto* value = node->as_floating_point();
      value != nullptr && std::isfinite(value->get()))
    return value->get();
  reject(key, "must be a number");
  return std::nullopt;
}

std::optional<std::int64_t> TomlTable::whole(std::string_view key, std::int64_t least,
                                             std::int64_t most) const {
  const auto value = number(key);
  if (!value) return std::nullopt;
  // Compared as doubles, because a double may not fit a 64-bit integer.
  if (*value != std::floor(*value) || *value < static_cast<double>(least) ||
      *value > static_cast<double>(most)) {
    reject(key,
           "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*value);
}

std::optional<bool> TomlTable::flag(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  reject(key, "must be true or false");
  return std::nullopt;
}

std::optional<std::chrono::seconds> TomlTable::seconds(std::string_view key) const {
  const auto value = number(key);
  if (!value) return std::nullopt;
  if (*value <= 0 || *value > kSecondsMax) {
    reject(key, "must be a number of seconds above 0 and at most 30 days");
    return std::nullopt;
  }
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(*value)));
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return {};
  std::vector<std::string> result;
  const auto* array = node->as_array();
  if (array != nullptr) {
    for (const toml::node& element : *array) {
      if (const auto* value = element.as_string()) result.push_back(value->get());
    }
  }
  if (array == nullptr || result.size() != array->size()) {
    reject(key, "must be a list of strings");
    return {};
  }
  return result;
}

std::map<std::string, std::string> TomlTable::text_map(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return {};
  const auto* table = node->as_table();
  if (table == nullptr) {
    reject(key, "must be a table of strings");
    return {};
  }
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : *table) {
    const auto* text = value.as_string();
    if (text == nullptr) {
      reject(std::string(key) + "." + std::string(name.str()), "must be a string");
      return {};
    }
    result.emplace(name.str(), text->get());
  }
  return result;
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> names;
  if (table_ == nullptr) return names;
  for (const auto& [key, value] : *as_table(table_)) names.emplace_back(key.str());
  return names;
}

TomlTable TomlTable::table(std::string_view key) const {
  document_->opened.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  const toml::table* found = node == nullptr ? nullptr : node->as_table();
  if (node != nullptr && found == nullptr) reject(key, "must be a table");
  return {document_, found, path_ + std::string(key) + "."};
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return {};
  std::vector<TomlTable> result;
  const auto* array = node->as_array();
  if (array != nullptr) {
    for (const toml::node& element : *array) {
      if (const auto* table = element.as_table()) {
        result.push_back(TomlTable(document_, table, path_ + std::string(key) + "."));
      }
    }
  }
  if (array == nullptr || result.size() != array->size()) {
    reject(key, "must be a list of tables");
    return {};
  }
  return result;
}

Json TomlTable::json(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  return node == nullptr ? Json(nullptr) : to_json(*node, 0);
}

bool TomlTable::is_set(std::string_view key) const {
  document_->read.insert(path_ + std::string(key));
  const toml::node* node = find_node(table_, key);
  return node != nullptr && says_something(*node);
}

Result<void> TomlTable::check() const {
  if (document_->first_error) return invalid(*document_->first_error);
  return {};
}

namespace {

void collect_unread(const toml::table& table, const std::string& path,
                    const std::set<std::string, std::less<>>& read,
                    const std::set<std::string, std::less<>>& opened, int depth,
                    std::vector<std::string>& unread) {
  for (const auto& [key, value] : table) {
    const std::string name = path + std::string(key.str());
    if (read.contains(name)) continue;
    const toml::table* below = value.as_table();
    const toml::array* array = value.as_array();
    if (below != nullptr && below->empty() && opened.contains(name)) continue;
    if (below != nullptr && !below->empty() && depth < kNestedMax) {
      collect_unread(*below, name + ".", read, opened, depth + 1, unread);
    } else if (array != nullptr && !array->empty() && array->is_homogeneous<toml::table>() &&
               depth < kNestedMax) {
      for (const toml::node& element : *array)
        collect_unread(*element.as_table(), name + ".", read, opened, depth + 1, unread);
    } else {
      unread.push_back(name);
    }
  }
}

}  // namespace

std::vector<std::string> TomlTable::unread_keys() const {
  std::vector<std::string> unread;
  if (table_ != nullptr) {
    collect_unread(*as_table(table_), path_, document_->read, document_->opened, 0, unread);
  }
  return unread;
}

}  // namespace trialwright
