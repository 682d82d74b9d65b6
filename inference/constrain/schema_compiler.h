#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "inference/constrain/json_text.h"

namespace trialwright {

/// Whether a keyword says something about values without restricting them.
bool is_schema_annotation(std::string_view key);

/// Makes the rules of one schema document.
///
/// Equal subschemas are one rule, which is also how recursion ends. Where a schema leaves more open
/// than helps a model (order of properties, properties that it does not name, the type, spelling),
/// what is written is narrower than the schema; docs/constrained-decoding.md lists it. It is never
/// wider: what cannot be kept is refused.
class SchemaCompiler {
 public:
  /// Both must outlive this. `place` is what messages call the document, such as "#".
  SchemaCompiler(JsonText& text, const Json& document, std::string place = "#");

  /// The rule of the whole document.
  /// Errors: Invalid, with the place.
  Result<RuleId> compile();

 private:
  struct Pending {
    RuleId rule = 0;
    Json schema;
    std::string place;
  };
  using Types = std::vector<std::string>;

  void fail(const std::string& place, const std::string& what);

  RuleId rule_for(const Json& schema, const std::string& place);
  /// Each appends the values of a schema; after an error the result means nothing.
  StateId value(StateId from, const Json& schema, const std::string& place);
  StateId written_out(StateId from, const Json& schema, const std::string& place);
  StateId alternatives(StateId from, const Json& schema, const std::string& key,
                       const std::string& place);
  StateId listed(StateId from, const Json& schema, const std::string& place);
  StateId of_type(StateId from, const std::string& type, const Json& schema,
                  const std::string& place);
  StateId object(StateId from, const Json& schema, const std::string& place);
  StateId other_key(StateId from, const std::vector<std::string>& names, const std::string& place);
  StateId array(StateId from, const Json& schema, const std::string& place);
  StateId string(StateId from, const Json& schema, const std::string& place);
  StateId number(StateId from, const Json& schema, bool whole, const std::string& place);

  void check_keywords(const Json& schema, const std::string& place);
  Types types_of(const Json& schema, const std::string& place);
  std::optional<std::uint32_t> count_of(const Json& schema, const char* key,
                                        const std::string& place);
  std::optional<std::int64_t> limit_of(const Json& schema, const char* key, bool whole,
                                       const std::string& place);
  const Json* target_of(const Json& reference, const std::string& place);

  /// A schema that holds where both do, without `$ref` and `allOf`.
  Json merged(const Json& a, const Json& b, const std::string& place);
  Json flattened(const Json& schema, const std::string& place);
  void merge_keyword(Json& into, const std::string& key, const Json& value,
                     const std::string& place);
  void check_closed(const Json& a, const Json& b, const std::string& place);
  void check_items(const Json& a, const Json& b, const std::string& place);

  JsonText& text_;
  const Json& document_;
  std::string place_;
  std::optional<Error> error_;
  std::map<std::string, RuleId> rules_;  ///< By the schema's text.
  std::vector<Pending> pending_;
  int merges_ = 0;
  int merge_depth_ = 0;
};

}  // namespace trialwright
