#include "tasks/answer_schema.h"

// Without this the validator ends the program where a schema is wrong.
#define VALIJSON_USE_EXCEPTIONS 1

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "tasks/pattern.h"

namespace trialwright {

namespace {

using PlainJson = nlohmann::json;

constexpr int kSchemaDepthMax = 64;
constexpr std::size_t kReferenceDepthMax = 256;
/// How many properties of one answer patterns may name.
constexpr std::size_t kNamedByPatternMax = 1000;
/// "format" is checked by std::regex, which recurses once a character.
constexpr std::size_t kFormattedTextMax = 4096;
/// What "pattern" is called where the validator shall leave it to us.
constexpr const char* kPatternKey = "trialwright:pattern";

bool uses_format(const PlainJson& schema) {
  if (schema.is_object() && schema.contains("format")) return true;
  return schema.is_structured() &&
         std::any_of(schema.begin(), schema.end(),
                     [](const PlainJson& part) { return uses_format(part); });
}

std::size_t longest_text(const PlainJson& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().size();
  std::size_t longest = 0;
  if (value.is_structured()) {
    for (const PlainJson& part : value) longest = std::max(longest, longest_text(part));
  }
  return longest;
}

void collect_keys(const PlainJson& value, std::set<std::string>& keys) {
  if (!value.is_structured()) return;
  for (const auto& [key, part] : value.items()) {
    if (value.is_object()) keys.insert(key);
    collect_keys(part, keys);
  }
}

int depth_of(const PlainJson& value) {
  int deepest = 0;
  if (value.is_structured())
    for (const PlainJson& part : value) deepest = std::max(deepest, depth_of(part));
  return deepest + 1;
}

/// Walks the schemas that are held against one and the same value, to find a reference that comes
/// back to where it started: validating it would never end.
class LoopFinder {
 public:
  explicit LoopFinder(const PlainJson& root) : root_(root) {}

  /// Looks at every schema below `part`.
  Result<void> look_below(const PlainJson& part) {
    open_.clear();
    auto looked = look(part);
    if (!looked || !part.is_structured()) return looked;
    for (const PlainJson& below : part) {
      looked = look_below(below);
      if (!looked) return looked;
    }
    return {};
  }

 private:
  Result<void> look(const PlainJson& schema) {
    if (!schema.is_object()) return {};
    if (done_.contains(&schema)) return {};
    if (!open_.insert(&schema).second) return invalid("a $ref leads back to itself");
    if (open_.size() > kReferenceDepthMax) return invalid("references are nested too deeply");
    if (const auto ref = schema.find("$ref"); ref != schema.end() && ref->is_string()) {
      const auto& text = ref->get_ref<const std::string&>();
      if (text.empty() || text.front() != '#')
        return invalid("$ref \"" + text + "\" leads out of the schema");
      const PlainJson* target = nullptr;
      try {
        const PlainJson::json_pointer pointer(text.substr(1));
        if (root_.contains(pointer)) target = &root_.at(pointer);
      } catch (const PlainJson::exception&) {
        target = nullptr;
      }
      if (target == nullptr) return invalid("$ref \"" + text + "\" leads nowhere");
      auto looked = look(*target);
      if (!looked) return looked;
    }
    for (const char* key :
         {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies"}) {
      const auto found = schema.find(key);
      if (found == schema.end()) continue;
      auto looked = look(*found);
      if (looked && found->is_structured()) {
        for (const PlainJson& below : *found) {
          looked = look(below);
          if (!looked) break;
        }
      }
      if (!looked) return looked;
    }
    open_.erase(&schema);
    done_.insert(&schema);
    return {};
  }

  const PlainJson& root_;
  std::set<const PlainJson*> open_;
  std::set<const PlainJson*> done_;
};

using Patterns = std::map<std::string, std::shared_ptr<const RE2>>;

/// The validator's own patterns are std::regex, which backtracks: a model's answer could keep it
/// busy for longer than anybody waits. RE2 takes time linear in the text.
class PatternConstraint final : public valijson::constraints::PolyConstraint {
 public:
  /// `pattern` must outlive this and its copies.
  explicit PatternConstraint(const RE2* pattern) : pattern_(pattern) {}

  bool validate(const valijson::adapters::Adapter& target, const std::vector<std::string>& context,
                valijson::ValidationResults* results) const override {
    if (!target.isString() || RE2::PartialMatch(target.asString(), *pattern_)) return true;
    if (results != nullptr) {
      results->pushError(context, "the text does not match the pattern " + pattern_->pattern());
    }
    return false;
  }

 private:
  Constraint* cloneInto(void* place) const override { return new (place) PatternConstraint(*this); }
  std::size_t sizeOf() const override { return sizeof(*this); }

  const RE2* pattern_;
};

class PatternBuilder final : public valijson::ConstraintBuilder {
 public:
  explicit PatternBuilder(const Patterns& patterns) : patterns_(patterns) {}
  valijson::constraints::Constraint* make(
      const valijson::adapters::Adapter& pattern) const override {
    return new PatternConstraint(patterns_.at(pattern.asString()).get());
  }

 private:
  const Patterns& patterns_;
};

/// Writes a schema anew without anything that the validator would make a std::regex of.
///
/// "pattern" gets another name. "patternProperties" become "properties" with the names that `keys`
/// has for them, which says the same about every value whose keys are among `keys`.
class PatternRewriter {
 public:
  /// Patterns that are met for the first time are added to `patterns`.
  PatternRewriter(const std::set<std::string>& keys, Patterns& patterns)
      : keys_(keys), patterns_(patterns) {}

  Result<PlainJson> rewritten(const PlainJson& schema) {
    if (!schema.is_structured()) return schema;
    PlainJson result = schema.is_array() ? PlainJson::array() : PlainJson::object();
    for (const auto& [key, part] : schema.items()) {
      auto written = schema.is_array() ? rewritten(part) : rewritten_keyword(key, part);
      if (!written) return written;
      if (schema.is_array()) {
        result.push_back(*std::move(written));
      } else if (key == "pattern" && part.is_string()) {
        auto added = add_pattern(part.get<std::string>());
        if (!added) return added.error();
        result[kPatternKey] = part;
      } else {
        result[key] = *std::move(written);
      }
    }
    if (result.is_object() && result.contains("patternProperties")) {
      auto named = name_properties(result);
      if (!named) return named.error();
    }
    return result;
  }

 private:
  Result<PlainJson> rewritten_keyword(const std::string& key, const PlainJson& part) {
    static const std::set<std::string> values = {"const", "enum", "default", "examples"};
    static const std::set<std::string> maps = {"properties", "patternProperties", "definitions",
                                               "$defs", "dependencies"};
    if (values.contains(key)) return part;
    if (!maps.contains(key) || !part.is_object()) return rewritten(part);
    PlainJson result = PlainJson::object();
    for (const auto& [name, schema] : part.items()) {
      auto written = rewritten(schema);
      if (!written) return written;
      result[name] = *std::move(written);
    }
    return result;
  }

  Result<void> add_pattern(const std::string& pattern) {
    if (patterns_.contains(pattern)) return {};
    auto compiled = compile_pattern(pattern);
    if (!compiled) return compiled.error().during("the pattern \"" + pattern + "\" cannot be read");
    patterns_[pattern] = *std::move(compiled);
    return {};
  }

  Result<void> name_properties(PlainJson& schema) {
    const PlainJson by_pattern = std::move(schema["patternProperties"]);
    schema.erase("patternProperties");
    if (!by_pattern.is_object()) return invalid("\"patternProperties\" must be an object");
    if (!schema.contains("properties")) schema["properties"] = PlainJson::object();
    for (const auto& [pattern, below] : by_pattern.items()) {
      auto added = add_pattern(pattern);
      if (!added) return added;
      for (const std::string& key : keys_) {
        if (!RE2::PartialMatch(key, *patterns_.at(pattern))) continue;
        if (++named_ > kNamedByPatternMax)
          return invalid("patterns name too many of its properties");
        // A second schema for a name stands beside the first, so that references still lead there.
        PlainJson beside = PlainJson::object();
        const bool is_named = schema["properties"].contains(key);
        (is_named ? beside : schema)["properties"][key] = below;
        if (is_named) schema["allOf"].push_back(std::move(beside));
      }
    }
    return {};
  }

  const std::set<std::string>& keys_;
  Patterns& patterns_;
  std::size_t named_ = 0;
};

/// Errors: what the library says is wrong is thrown.
void populate(const PlainJson& json, const Patterns& patterns, valijson::Schema& schema) {
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
  // The parser deletes its builders.
  parser.addConstraintBuilder(kPatternKey, new PatternBuilder(patterns));
  const valijson::adapters::NlohmannJsonAdapter adapter(json);
  parser.populateSchema(adapter, schema);
}

}  // namespace

struct AnswerSchema::Compiled {
  PlainJson json;
  Patterns patterns;  ///< All that the schema has; its constraints refer to them.
  bool uses_format = false;
};

AnswerSchema::AnswerSchema(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
AnswerSchema::AnswerSchema(AnswerSchema&&) noexcept = default;
AnswerSchema& AnswerSchema::operator=(AnswerSchema&&) noexcept = default;
AnswerSchema::~AnswerSchema() = default;

Result<AnswerSchema> AnswerSchema::compile(const Json& schema) {
  auto compiled = std::make_unique<Compiled>();
  try {
    compiled->json = schema;
    if (!compiled->json.is_object()) return invalid("a schema must be an object");
    if (depth_of(compiled->json) > kSchemaDepthMax)
      return invalid("the schema is nested too deeply");
    auto looked = LoopFinder(compiled->json).look_below(compiled->json);
    if (!looked) return looked.error();
    compiled->uses_format = uses_format(compiled->json);
    const auto rewritten = PatternRewriter({}, compiled->patterns).rewritten(compiled->json);
    if (!rewritten) return rewritten.error();
    valijson::Schema tried;
    populate(*rewritten, compiled->patterns, tried);
  } catch (const std::exception& error) {
    return invalid(std::string("the schema cannot be read: ") + error.what());
  }
  return AnswerSchema(std::move(compiled));
}

Result<void> AnswerSchema::check(const Json& value) const {
  try {
    const PlainJson plain = value;
    if (compiled_->uses_format && longest_text(plain) > kFormattedTextMax) {
      return invalid("a text is longer than " + std::to_string(kFormattedTextMax) +
                     " bytes, too long to be held against a format");
    }
    std::set<std::string> keys;
    collect_keys(plain, keys);
    const auto rewritten = PatternRewriter(keys, compiled_->patterns).rewritten(compiled_->json);
    if (!rewritten) return rewritten.error();
    valijson::Schema schema;
    populate(*rewritten, compiled_->patterns, schema);
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter adapter(plain);
    if (validator.validate(schema, adapter, &results)) return {};
    valijson::ValidationResults::Error first;
    if (!results.popError(first)) return invalid("the schema is not fulfilled");
    std::string place;
    for (const std::string& part : first.context) place += part == "<root>" ? "$" : part;
    return invalid(place + ": " + first.description);
  } catch (const std::exception& error) {
    return invalid(std::string("the value cannot be held against the schema: ") + error.what());
  }
}

}  // namespace trialwright
