#include "inference/constrain/schema_compiler.h"

#include <algorithm>
#include <array>

#include "inference/constrain/product.h"

namespace trialwright {

namespace {

constexpr std::size_t kRulesMax = 5'000;

/// Says something about values without restricting them.
constexpr std::array<std::string_view, 17> kAnnotations = {
    "$schema",     "$id",      "$comment",        "$defs",
    "definitions", "title",    "deprecated",      "description",
    "default",     "examples", "example",         "readOnly",
    "writeOnly",   "$anchor",  "contentEncoding", "contentMediaType",
    "strict"};

/// Which keywords restrict values of which type.
struct TypeKeywords {
  std::string_view type;
  std::vector<std::string_view> keywords;
};

const std::vector<TypeKeywords>& type_keywords() {
  static const std::vector<TypeKeywords> all = {
      {"object", {"properties", "required", "additionalProperties"}},
      {"array", {"items", "prefixItems", "additionalItems", "minItems", "maxItems"}},
      {"string", {"minLength", "maxLength", "pattern", "format"}},
      {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
  };
  return all;
}

constexpr std::array<std::string_view, 8> kOfAllTypes = {"type",  "enum",  "const", "nullable",
                                                         "anyOf", "oneOf", "allOf", "$ref"};

/// The type that a keyword is about, or nothing if it is about all or about none.
std::string_view type_of_keyword(std::string_view key) {
  for (const auto& [type, keywords] : type_keywords()) {
    if (std::ranges::find(keywords, key) != keywords.end()) return type;
  }
  return {};
}

bool has_type(const Json& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

Json without(const Json& schema, std::string_view key) {
  Json rest = Json::object();
  for (const auto& [name, value] : schema.items()) {
    if (name != key && !is_schema_annotation(name)) rest[name] = value;
  }
  return rest;
}

}  // namespace

bool is_schema_annotation(std::string_view key) {
  return std::ranges::find(kAnnotations, key) != kAnnotations.end();
}

SchemaCompiler::SchemaCompiler(JsonText& text, const Json& document, std::string place)
    : text_(text), document_(document), place_(std::move(place)) {}

void SchemaCompiler::fail(const std::string& place, const std::string& what) {
  if (!error_) error_ = invalid(place + ": " + what);
}

Result<RuleId> SchemaCompiler::compile() {
  const RuleId root = rule_for(document_, place_);
  while (!pending_.empty() && !error_ && !text_.builder().full()) {
    const Pending next = std::move(pending_.back());
    pending_.pop_back();
    const StateId start = text_.builder().state();
    text_.builder().define(next.rule, start, written_out(start, next.schema, next.place));
  }
  if (error_) return *error_;
  return root;
}

RuleId SchemaCompiler::rule_for(const Json& schema, const std::string& place) {
  const auto [known, is_new] = rules_.try_emplace(to_text(schema), 0);
  if (is_new) {
    if (rules_.size() > kRulesMax) fail(place, "the schema has too many parts");
    known->second = text_.builder().declare(place);
    pending_.push_back({known->second, schema, place});
  }
  return known->second;
}

/// Simple values are written where they stand, others are rules.
StateId SchemaCompiler::value(StateId from, const Json& schema, const std::string& place) {
  if (schema.is_boolean()) return written_out(from, schema, place);
  const auto is_simple = [](const auto& item) {
    return is_schema_annotation(item.key()) || item.key() == "nullable" ||
           (item.key() == "type" && item.value() != "object" && item.value() != "array");
  };
  bool simple = schema.is_object();
  for (auto item = schema.begin(); simple && item != schema.end(); ++item) simple = is_simple(item);
  if (simple) return written_out(from, schema, place);
  return text_.builder().call(from, rule_for(schema, place));
}

StateId SchemaCompiler::written_out(StateId from, const Json& schema, const std::string& place) {
  if (error_) return from;
  if (schema.is_boolean()) {
    return schema.get<bool>() ? text_.value(from) : text_.builder().state();
  }
  if (!schema.is_object()) {
    fail(place, "a schema must be an object or a boolean");
    return from;
  }
  check_keywords(schema, place);
  if (schema.contains("$ref") && without(schema, "$ref").empty()) {
    const Json* const target = target_of(schema["$ref"], place);
    if (target == nullptr) return from;
    return text_.builder().call(from, rule_for(*target, place));
  }
  if (schema.contains("$ref") || schema.contains("allOf")) {
    return written_out(from, flattened(schema, place), place);
  }
  for (const char* const key : {"anyOf", "oneOf"}) {
    if (schema.contains(key)) return alternatives(from, schema, key, place);
  }
  if (schema.contains("const") || schema.contains("enum")) return listed(from, schema, place);
  const Types types = types_of(schema, place);
  const StateId to = text_.builder().state();
  for (const std::string& type : types) {
    text_.builder().epsilon(of_type(from, type, schema, place), to);
  }
  return to;
}

/// Each branch holds together with what stands beside the list.
StateId SchemaCompiler::alternatives(StateId from, const Json& schema, const std::string& key,
                                     const std::string& place) {
  const Json& branches = schema[key];
  if (!branches.is_array() || branches.empty()) {
    fail(place, "\"" + key + "\" must be a list of schemas");
    return from;
  }
  const Json rest = without(schema, key);
  const StateId to = text_.builder().state();
  for (std::size_t i = 0; i < branches.size() && !error_; ++i) {
    const std::string branch_place = place + "/" + key + "/" + std::to_string(i);
    const StateId end = value(
        from, rest.empty() ? branches[i] : merged(rest, branches[i], branch_place), branch_place);
    text_.builder().epsilon(end, to);
  }
  return to;
}

StateId SchemaCompiler::listed(StateId from, const Json& schema, const std::string& place) {
  for (const auto& [key, unused] : schema.items()) {
    if (type_of_keyword(key).empty()) continue;
    fail(place, "\"" + key + "\" beside \"enum\" or \"const\" is not supported");
  }
  Json values = Json::array();
  if (schema.contains("enum")) {
    if (!schema["enum"].is_array() || schema["enum"].empty()) {
      fail(place, "\"enum\" must be a list of values");
      return from;
    }
    values = schema["enum"];
  }
  if (schema.contains("const")) {
    const bool also_listed =
        !schema.contains("enum") || std::ranges::find(values, schema["const"]) != values.end();
    values = Json::array();
    if (also_listed) values.push_back(schema["const"]);
  }
  const bool any_type = !schema.contains("type");
  const Types types = any_type ? Types() : types_of(schema, place);
  const StateId to = text_.builder().state();
  std::vector<std::string> scalars;
  for (const Json& value : values) {
    const auto fits = [&](const std::string& type) { return has_type(value, type); };
    if (!any_type && std::ranges::none_of(types, fits)) continue;
    if (value.is_structured()) {
      text_.builder().epsilon(text_.constant(from, value), to);
    } else {
      scalars.push_back(to_text(value));
    }
  }
  text_.builder().epsilon(text_.builder().one_of(from, scalars), to);
  return to;
}

StateId SchemaCompiler::of_type(StateId from, const std::string& type, const Json& schema,
                                const std::string& place) {
  if (type == "object") return object(from, schema, place);
  if (type == "array") return array(from, schema, place);
  if (type == "string") return string(from, schema, place);
  if (type == "integer") return number(from, schema, true, place);
  if (type == "number") return number(from, schema, false, place);
  if (type == "null") return text_.builder().literal(from, "null");
  const std::array<std::string, 2> words = {"true", "false"};
  return text_.builder().one_of(from, words);
}

StateId SchemaCompiler::object(StateId from, const Json& schema, const std::string& place) {
  struct Property {
    std::string name;
    Json schema;
    bool required = false;
  };
  AutomatonBuilder& builder = text_.builder();
  const Json none = Json::object();
  const Json& properties = schema.contains("properties") ? schema["properties"] : none;
  const Json required = schema.contains("required") ? schema["required"] : Json::array();
  const auto is_text = [](const Json& name) { return name.is_string(); };
  if (!properties.is_object()) fail(place, "\"properties\" must be an object");
  if (!required.is_array() || !std::ranges::all_of(required, is_text)) {
    fail(place, "\"required\" must be a list of names");
  }
  if (error_) return from;
  // Without a word about other properties, there are some only where none is named.
  const Json others = schema.contains("additionalProperties")
                          ? schema["additionalProperties"]
                          : Json(!schema.contains("properties"));
  std::vector<Property> all;
  std::vector<std::string> names;
  for (const auto& [name, inner] : properties.items()) {
    all.push_back({name, inner, std::ranges::find(required, Json(name)) != required.end()});
    names.push_back(name);
  }
  for (const Json& name : required) {
    if (std::ranges::find(names, name.get_ref<const std::string&>()) != names.end()) continue;
    names.push_back(name.get<std::string>());
    const bool may_be_any = !schema.contains("additionalProperties");
    all.push_back({names.back(), may_be_any ? Json(true) : others, true});
  }

  // Until the first property is written, `before_any` goes on; after that, `after_some` does.
  std::optional<StateId> before_any = builder.literal(from, "{");
  std::optional<StateId> after_some;
  const auto member_start = [&]() {
    const StateId start = builder.state();
    if (before_any) builder.epsilon(*before_any, start);
    if (after_some) builder.epsilon(text_.comma(*after_some), start);
    return start;
  };
  for (const Property& property : all) {
    if (error_) return from;
    const StateId key = text_.key(member_start(), property.name);
    const StateId written = builder.state();
    const std::string inner_place = place + "/properties/" + property.name;
    builder.epsilon(value(key, property.schema, inner_place), written);
    if (property.required) {
      before_any.reset();
    } else if (after_some) {
      builder.epsilon(*after_some, written);
    }
    after_some = written;
  }
  if (others != Json(false)) {
    const StateId start = member_start();
    const StateId key = text_.colon(other_key(start, names, place));
    const StateId member = value(key, others, place + "/additionalProperties");
    builder.epsilon(text_.comma(member), start);
    const StateId written = builder.state();
    builder.epsilon(member, written);
    if (after_some) builder.epsilon(*after_some, written);
    after_some = written;
  }
  const StateId close = builder.state();
  for (const auto& last : {before_any, after_some}) {
    if (last) builder.bytes(*last, '}', '}', close);
  }
  return close;
}

/// A name that is not one of `names`. Where there are any, it is written without needless escapes,
/// so that no spelling hides one of them.
StateId SchemaCompiler::other_key(StateId from, const std::vector<std::string>& names,
                                  const std::string& place) {
  if (names.empty()) return text_.string(from);
  AutomatonBuilder any_builder;
  const RuleId any = any_builder.declare("any name");
  const StateId any_start = any_builder.state();
  const Expression content =
      Expression::repeat(Expression::one_of(CharSet::all()), 0, Expression::kUnbounded);
  any_builder.define(any, any_start,
                     append(any_builder, any_start, content, Spelling::InJsonString));
  AutomatonBuilder known_builder;
  const RuleId known = known_builder.declare("known names");
  std::vector<std::string> spelled;
  for (const std::string& name : names) {
    const std::string quoted = to_text(Json(name));
    spelled.push_back(quoted.substr(1, quoted.size() - 2));
  }
  const StateId known_start = known_builder.state();
  known_builder.define(known, known_start, known_builder.one_of(known_start, spelled));
  auto wanted = any_builder.build(any);
  auto unwanted = known_builder.build(known);
  if (!wanted || !unwanted) {
    fail(place, "the names of properties need too many states");
    return from;
  }
  const auto end = append_product(text_.builder(), text_.builder().literal(from, "\""),
                                  {&*wanted, 1}, {&*unwanted, 1});
  if (end) return text_.builder().literal(*end, "\"");
  fail(place, end.error().message);
  return from;
}

StateId SchemaCompiler::array(StateId from, const Json& schema, const std::string& place) {
  AutomatonBuilder& builder = text_.builder();
  std::vector<Json> first;
  Json items = true;
  // Draft 7 calls prefixItems and items by the names items and additionalItems.
  const bool old = schema.contains("items") && schema["items"].is_array();
  const char* const first_key = old ? "items" : "prefixItems";
  const char* const items_key = old ? "additionalItems" : "items";
  if (schema.contains(first_key)) {
    if (!schema[first_key].is_array()) {
      fail(place, std::string("\"") + first_key + "\" must be a list of schemas");
      return from;
    }
    first.assign(schema[first_key].begin(), schema[first_key].end());
    items = false;  // Unless something is said about the others.
  }
  if (schema.contains(items_key)) items = schema[items_key];
  const std::uint32_t min = count_of(schema, "minItems", place).value_or(0);
  std::optional<std::uint32_t> max = count_of(schema, "maxItems", place);
  if (items == Json(false)) {
    const auto there_are = static_cast<std::uint32_t>(first.size());
    max = std::min(max.value_or(there_are), there_are);
  }
  if (max && *max < min) fail(place, "no array is that long");

  const StateId open = builder.literal(from, "[");
  const StateId close = builder.state();
  if (min == 0) builder.bytes(open, ']', ']', close);
  StateId at = open;
  std::uint32_t written = 0;
  while ((!max || written < *max) && !error_ && !builder.full()) {
    const bool is_first = written < first.size();
    // From here on all items are alike, as many as one likes.
    const bool loops = !is_first && !max && written >= min;
    const Json& schema_of_item = is_first ? first[written] : items;
    const std::string item_place =
        place + "/" + (is_first ? first_key + ("/" + std::to_string(written)) : items_key);
    const StateId start = builder.state();
    builder.epsilon(written == 0 ? at : text_.comma(at), start);
    at = value(start, schema_of_item, item_place);
    ++written;
    if (written >= min) builder.bytes(at, ']', ']', close);
    if (loops) {
      builder.epsilon(text_.comma(at), start);
      break;
    }
  }
  return close;
}

void SchemaCompiler::check_keywords(const Json& schema, const std::string& place) {
  for (const auto& [key, unused] : schema.items()) {
    const bool known = is_schema_annotation(key) || !type_of_keyword(key).empty() ||
                       std::ranges::find(kOfAllTypes, key) != kOfAllTypes.end();
    // A format of numbers, such as "int32", says how to store them.
    if (!known) fail(place, "the keyword \"" + key + "\" is not supported");
  }
}

/// Without "type", the keywords tell it; without such keywords, or with some of several types,
/// it is any of them.
SchemaCompiler::Types SchemaCompiler::types_of(const Json& schema, const std::string& place) {
  static const Types all = {"object", "array", "string", "number", "boolean", "null"};
  Types types;
  if (!schema.contains("type")) {
    for (const auto& [key, unused] : schema.items()) {
      const std::string type(type_of_keyword(key));
      if (!type.empty() && std::ranges::find(types, type) == types.end()) types.push_back(type);
    }
    if (types.empty()) types = all;
  } else {
    const Json& type = schema["type"];
    const Json listed = type.is_array() ? type : Json::array({type});
    for (const Json& name : listed) {
      const auto is_named = [&](const std::string& one) { return name == one; };
      const bool known = name == "integer" || std::ranges::any_of(all, is_named);
      if (!known) {
        fail(place,
             "\"type\" must be one of object, array, string, number, integer, boolean, "
             "null, or a list of them");
        return {};
      }
      types.push_back(name.get<std::string>());
    }
    if (std::ranges::find(types, "number") != types.end()) std::erase(types, "integer");
  }
  if (schema.contains("nullable") && schema["nullable"] == Json(true) &&
      std::ranges::find(types, "null") == types.end()) {
    types.emplace_back("null");
  }
  return types;
}

const Json* SchemaCompiler::target_of(const Json& reference, const std::string& place) {
  if (!reference.is_string() || !reference.get_ref<const std::string&>().starts_with('#')) {
    fail(place, "\"$ref\" is supported within the schema only, as \"#/$defs/name\"");
    return nullptr;
  }
  const std::string pointer = reference.get<std::string>().substr(1);
  try {
    const Json::json_pointer parsed(pointer);
    if (document_.contains(parsed)) return &document_.at(parsed);
  } catch (const Json::exception&) {
    // Then it is no pointer, which is as bad as one that leads nowhere.
  }
  fail(place, "\"$ref\": there is no " + reference.get<std::string>());
  return nullptr;
}

}  // namespace trialwright
