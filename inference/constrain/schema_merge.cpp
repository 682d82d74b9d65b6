// How SchemaCompiler puts together schemas that must hold at once.

#include <algorithm>

#include "inference/constrain/schema_compiler.h"

namespace trialwright {

namespace {

constexpr int kMergesMax = 2'000;
constexpr int kMergeDepthMax = 60;

Json listed(const Json& one_or_more) {
  return one_or_more.is_array() ? one_or_more : Json::array({one_or_more});
}

bool holds(const Json& list, const Json& value) {
  return std::ranges::find(list, value) != list.end();
}

/// The types in both lists; every integer is a number.
Json common_types(const Json& a, const Json& b) {
  Json common = Json::array();
  for (const Json& type : listed(a)) {
    if (holds(listed(b), type) || (type == "integer" && holds(listed(b), "number"))) {
      common.push_back(type);
    } else if (type == "number" && holds(listed(b), "integer")) {
      common.push_back("integer");
    }
  }
  return common;
}

Json both(const Json& a, const Json& b) {
  if (a == b) return a;
  Json list = Json::array();
  list.push_back(a);
  list.push_back(b);
  return Json{{"allOf", list}};
}

bool closes(const Json& schema) {
  return schema.contains("additionalProperties") && schema["additionalProperties"] != Json(true);
}

/// Whether null, which `other` may allow, is allowed here too: because it is said, or because
/// nothing is said about values at all.
bool allows_null(const Json& schema, const Json& other) {
  if (schema.contains("nullable")) return schema["nullable"] == Json(true);
  if (!other.contains("nullable")) return true;
  for (const auto& [key, unused] : schema.items()) {
    if (!is_schema_annotation(key)) return false;
  }
  return true;
}

}  // namespace

Json SchemaCompiler::flattened(const Json& schema, const std::string& place) {
  if (!schema.is_object()) {
    if (!schema.is_boolean()) fail(place, "a schema must be an object or a boolean");
    return schema;
  }
  if (error_ || (!schema.contains("$ref") && !schema.contains("allOf"))) return schema;
  if (++merge_depth_ > kMergeDepthMax) fail(place, "\"$ref\" and \"allOf\" lead in a circle");
  Json all = Json::object();
  for (const auto& [key, value] : schema.items()) {
    if (key != "$ref" && key != "allOf") all[key] = value;
  }
  if (schema.contains("$ref")) {
    if (const Json* const target = target_of(schema["$ref"], place)) {
      all = merged(all, *target, place);
    }
  }
  if (schema.contains("allOf")) {
    if (!schema["allOf"].is_array()) fail(place, "\"allOf\" must be a list of schemas");
    for (std::size_t i = 0; i < schema["allOf"].size() && !error_; ++i) {
      all = merged(all, schema["allOf"][i], place + "/allOf/" + std::to_string(i));
    }
  }
  --merge_depth_;
  return all;
}

Json SchemaCompiler::merged(const Json& a, const Json& b, const std::string& place) {
  if (++merges_ > kMergesMax) fail(place, "too many schemas are put together");
  if (error_) return a;
  Json all = flattened(a, place);
  const Json other = flattened(b, place);
  if (error_ || other == Json(true) || all == Json(false)) return all;
  if (all == Json(true) || other == Json(false)) return other;
  check_keywords(all, place);
  check_keywords(other, place);
  check_closed(all, other, place);
  check_closed(other, all, place);
  check_items(all, other, place);
  check_items(other, all, place);
  const bool may_be_null = allows_null(all, other) && allows_null(other, all);
  for (const auto& [key, value] : other.items()) merge_keyword(all, key, value, place);
  if (all.contains("nullable") && !may_be_null) all["nullable"] = false;
  if (all.contains("type") && all["type"].is_array() && all["type"].empty()) return false;
  return all;
}

/// A schema that forbids other properties forbids those that only the other schema names.
void SchemaCompiler::check_closed(const Json& a, const Json& b, const std::string& place) {
  if (!closes(a) || !b.contains("properties") || !b["properties"].is_object()) return;
  for (const auto& [name, unused] : b["properties"].items()) {
    if (a.contains("properties") && a["properties"].contains(name)) continue;
    fail(place, "\"additionalProperties\" beside the property \"" + name +
                    "\" of another schema that must hold too is not supported");
  }
}

/// "items" alone is about all items, but beside "prefixItems" only about those that follow.
void SchemaCompiler::check_items(const Json& a, const Json& b, const std::string& place) {
  if (!a.contains("prefixItems") || b.contains("prefixItems")) return;
  if (!b.contains("items") || b["items"] == Json(true)) return;
  fail(place,
       "\"prefixItems\" beside \"items\" of another schema that must hold too is not supported");
}

void SchemaCompiler::merge_keyword(Json& into, const std::string& key, const Json& value,
                                   const std::string& place) {
  if (!into.contains(key) || into[key] == value) {
    into[key] = value;
    return;
  }
  Json& known = into[key];
  const auto fails = [&]() {
    fail(place, "two different \"" + key + "\" that must hold at once are not supported");
  };
  const bool numbers = known.is_number() && value.is_number();
  if (key == "type") {
    known = common_types(known, value);
  } else if (key == "properties" && known.is_object() && value.is_object()) {
    for (const auto& [name, schema] : value.items()) {
      known[name] = known.contains(name) ? both(known[name], schema) : schema;
    }
  } else if (key == "required" && known.is_array() && value.is_array()) {
    for (const Json& name : value) {
      if (!holds(known, name)) known.push_back(name);
    }
  } else if (key == "enum" && known.is_array() && value.is_array()) {
    Json common = Json::array();
    for (const Json& item : known) {
      if (holds(value, item)) common.push_back(item);
    }
    if (common.empty()) fails();
    known = common;
  } else if (key == "items" && !known.is_array() && !value.is_array()) {
    known = both(known, value);
  } else if (key == "additionalProperties") {
    known = both(known, value);
  } else if (numbers && (key.starts_with("min") || key == "exclusiveMinimum")) {
    known = std::max(known, value);
  } else if (numbers && (key.starts_with("max") || key == "exclusiveMaximum")) {
    known = std::min(known, value);
  } else if (key == "nullable") {
    known = false;
  } else if (key != "title" && key != "description" && key != "default" && !key.starts_with('$') &&
             key != "definitions" && !key.starts_with("example")) {
    fails();
  }
}

}  // namespace trialwright
