#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/text.h"
#include "inference/constrain/string_format.h"
#include "tests/inference/constrain/walk.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

GrammarResult compile(std::string_view schema) {
  auto json = parse_json(schema);
  CHECK(json, "the test's schema is JSON");
  return compile_json_schema(*json);
}

std::shared_ptr<const Grammar> grammar_of(std::string_view schema) {
  auto grammar = compile(schema);
  EXPECT_TRUE(grammar) << error_of(grammar) << " in " << schema;
  CHECK(grammar, "the test's schema is supported");
  return *grammar;
}

/// The words of draft 7, which valijson reads, for those of draft 2020-12.
nlohmann::json in_draft_7(const nlohmann::json& schema) {
  if (schema.is_array()) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& item : schema) list.push_back(in_draft_7(item));
    return list;
  }
  if (!schema.is_object()) return schema;
  nlohmann::json old = nlohmann::json::object();
  for (const auto& [key, value] : schema.items()) {
    const bool tuple = schema.contains("prefixItems");
    const std::string name = key == "prefixItems"      ? "items"
                             : tuple && key == "items" ? "additionalItems"
                                                       : key;
    old[name] = in_draft_7(value);
  }
  return old;
}

/// The second way to judge a text: a JSON parser and valijson.
bool is_valid(const std::string& schema_text, const std::string& text) {
  const auto schema_json = in_draft_7(nlohmann::json::parse(schema_text));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return false;
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  valijson::Validator validator;
  return validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(json), nullptr);
}

struct Case {
  std::string schema;
  std::vector<std::string> right;
  std::vector<std::string> wrong;
};

/// Right and wrong are judged by the schema; a few wrong ones are narrower on purpose and are in
/// tests of their own.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},
           "required":["name"]})",
       {R"({"name":"Ann"})", R"({"name": "Ann", "age": 3})", R"({"name":"","age":-12})"},
       {R"({})", R"({"age":3})", R"({"name":1})", R"({"name":"a","age":1.5})", R"([])",
        R"({"name":"a")"}},
      {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"boolean"},
           "c":{"type":"number"}},"additionalProperties":false})",
       {R"({})", R"({"a":null})", R"({"b":true})", R"({"a": null, "c": -1.5e3})",
        R"({"b":false,"c":0})"},
       {R"({"d":1})", R"({"a":null,})", R"({,"a":null})", R"({"c":01})", R"({"c":.5})",
        R"({"c":1.})"}},
      {R"({"type":"object","properties":{"order":{"type":"integer"},"orderId":{"type":"integer"}},
           "additionalProperties":{"type":"string"}})",
       {R"({"order":1,"orderId":2,"orderI":"x","\"":"y"})", R"({"o":"x"})", R"({"é日":"x"})",
        R"({"orderIds":""})"},
       {R"({"order":"x"})", R"({"o":1})", R"({"order":1,"orderId":"x"})"}},
      {R"({"type":"object","additionalProperties":{"type":"array","items":{"type":"integer"}}})",
       {R"({})", R"({"a":[1,2],"b":[]})", R"({"x": [1, 2]})"},
       {R"({"a":1})", R"({"a":[1,"2"]})"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})",
       {"[1,2]", "[1, 2, 3]", "[1,2,3,4]"},
       {"[]", "[1]", "[1,2,3,4,5]", "[1,2,]", "[,1]"}},
      {R"({"type":"array","items":{"type":"boolean"},"minItems":1})",
       {"[true]", "[true,false,true]"},
       {"[]", "[1]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"}})",
       {"[]", "[1]", R"([1,"a"])", R"([1,"a",null,null])"},
       {R"(["a"])", R"([1,2])", R"([1,"a",3])"}},
      {R"({"enum":["a","ab",1,null,true,{"x":[1,2]}]})",
       {R"("a")", R"("ab")", "1", "null", "true", R"({"x":[1,2]})", R"({"x": [1, 2]})"},
       {R"("b")", "2", "false", R"({"x":[1]})"}},
      {R"({"const":"a\"b\\c\nd"})", {R"("a\"b\\c\nd")"}, {R"("a")"}},
      {R"({"type":["string","null"],"enum":["x",null,3]})", {R"("x")", "null"}, {"3"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":2},{"type":"array","items":{"type":"null"}}]})",
       {"12", R"("ab")", "[null]"},
       {R"("abc")", "true", "[1]"}},
      {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"]},
                    {"type":"object","properties":{"kind":{"const":"b"},"y":{"type":"string"}},"required":["kind","y"]}]})",
       {R"({"kind":"a","x":1})", R"({"kind":"b","y":"1"})"},
       {R"({"kind":"a","y":"1"})", R"({"kind":"c"})"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},
           "anyOf":[{"required":["a"]},{"required":["b"]}]})",
       {R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
       {"{}"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]},
                    {"properties":{"a":{"type":"integer","minimum":5},"b":{"type":"string"}},"required":["b"]}]})",
       {R"({"a":5,"b":""})"},
       {R"({"a":4,"b":""})", R"({"a":5})", R"({"b":""})"}},
      {R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{
           "value":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
           "required":["value","next"]}}})",
       {R"({"value":1,"next":null})", R"({"value":1,"next":{"value":2,"next":null}})"},
       {R"({"value":1})", R"({"value":1,"next":{"value":2}})"}},
      {R"({"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}}})",
       {"{}", R"({"children":[]})", R"({"children":[{},{"children":[{}]}]})"},
       {R"({"children":[1]})"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("aéb")", R"("\n\"")", R"("日本語")"},
       {R"("a")", R"("abcd")", "\"a\nb\"", R"("\x")"}},
      {R"({"type":"string","pattern":"^[a-z]+\\d$"})",
       {R"("ab1")"},
       {R"("ab")", R"("A1")", R"("xab1y")"}},
      {R"({"type":"string","pattern":"b\"c"})",
       {R"("ab\"cd")", R"("b\"c")"},
       {R"("bc")", R"("b\"")"}},
      {R"({"type":"string","pattern":"^[a-z]*$","minLength":2,"maxLength":4})",
       {R"("ab")", R"("abcd")"},
       {R"("a")", R"("abcde")", R"("a1")"}},
      {R"({"type":"string","pattern":"^a|b$"})", {R"("ax")", R"("xb")"}, {R"("xbx")"}},
      {R"({"type":"integer","minimum":-12,"maximum":345})",
       {"-12", "-9", "-1", "0", "7", "99", "100", "345"},
       {"-13", "346", "400", "1000", "00", "-0.5"}},
      {R"({"type":"integer","exclusiveMinimum":9,"exclusiveMaximum":1010})",
       {"10", "99", "1009", "999"},
       {"9", "1010", "-10", "0"}},
      {R"({"type":"integer","minimum":2.5})", {"3", "1000000"}, {"2", "-3"}},
      {R"({"type":"integer","maximum":-7})", {"-7", "-10", "-123456"}, {"-6", "0", "7"}},
      {R"({"type":"number","minimum":0,"maximum":10})",
       {"0", "0.5", "9.99", "10", "10.00"},
       {"-1", "-0.1", "10.01", "11", "100"}},
      {R"({"type":"number","minimum":-3,"maximum":-1})",
       {"-3", "-2.5", "-1", "-1.0"},
       {"-3.5", "-0.5", "0", "1"}},
      {R"({"type":"string","nullable":true})", {R"("x")"}, {"1"}},
      {"{}",
       {"1", R"("a")", "[]", "{}", R"({"a": [1, {"b": null}], "a": true})", "-0.5e+10"},
       {"", "tru", "[1,]", R"({"a"})", "1 2"}},
      {R"({"type":"object"})", {"{}", R"({"a":1})"}, {"[]"}},
      {R"({"properties":{"a":{"type":"integer"}},"required":["a"]})", {R"({"a":1})"}, {"{}"}},
      {"true", {"1"}, {""}},
  };
  return all;
}

TEST(JsonSchema, TakesWhatIsRightAndNothingThatIsWrong) {
  for (const Case& one : cases()) {
    const auto grammar = grammar_of(one.schema);
    for (const std::string& text : one.right) {
      EXPECT_TRUE(matches(grammar, text)) << text << " for " << one.schema;
      EXPECT_TRUE(is_valid(one.schema, text) || one.schema == "true")
          << text << " for " << one.schema;
    }
    for (const std::string& text : one.wrong) {
      EXPECT_FALSE(matches(grammar, text)) << text << " for " << one.schema;
    }
  }
}

TEST(JsonSchema, LetsTheTokenizersTokensOfRightTextsThrough) {
  const WordVocabulary vocabulary;
  for (const Case& one : cases()) {
    const auto grammar = grammar_of(one.schema);
    for (const std::string& text : one.right) {
      GrammarConstraint match = vocabulary.match(grammar);
      for (const TokenId id : vocabulary.encode(text)) {
        const auto place = static_cast<std::size_t>(id);
        ASSERT_TRUE((match.allowed()[place / 64] >> (place % 64)) & 1U) << text;
        match.accept(id);
      }
      EXPECT_TRUE(match.complete()) << text;
      EXPECT_TRUE(match.allows(vocabulary.end()));
    }
  }
}

TEST(JsonSchema, WalksEndInTextsThatAnotherValidatorAccepts) {
  const WordVocabulary vocabulary;
  RandomStream random(11, 0);
  int ended = 0;
  for (const Case& one : cases()) {
    const auto grammar = grammar_of(one.schema);
    for (int i = 0; i < 5; ++i) {
      const Walked walked = random_walk(vocabulary, grammar, random);
      ASSERT_EQ(walked.wrong, "") << one.schema;
      if (!walked.ended) continue;
      ++ended;
      EXPECT_TRUE(is_utf8(walked.text)) << walked.text;
      EXPECT_TRUE(parse_json(walked.text)) << walked.text;
      if (one.schema == "true" || one.schema.find("nullable") != std::string::npos) continue;
      EXPECT_TRUE(is_valid(one.schema, walked.text)) << walked.text << " for " << one.schema;
    }
  }
  EXPECT_GT(ended, static_cast<int>(cases().size()) * 4);
}

TEST(JsonSchema, TakesTheFormatsAndNoOthers) {
  const std::vector<std::tuple<std::string, std::string, std::string>> formats = {
      {"date", "2024-02-29", "2023-02-29"},
      {"date", "1999-12-31", "1999-13-01"},
      {"time", "23:59:59Z", "24:00:00Z"},
      {"date-time", "2024-01-02T03:04:05.678+01:00", "2024-01-02 03:04:05"},
      {"uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"},
      {"email", "ann.b@mail.example.org", "ann@"},
      {"ipv4", "192.168.0.255", "192.168.0.256"},
      {"ipv6", "2001:db8:0:0:0:0:0:1", "2001:db8"},
      {"hostname", "a-b.example", "-a.example"},
      {"uri", "https://example.org/a?b=c#d", "example.org"},
      {"duration", "P3DT4H", "P"},
  };
  for (const auto& [format, right, wrong] : formats) {
    const auto grammar = grammar_of(R"({"type":"string","format":")" + format + "\"}");
    EXPECT_TRUE(matches(grammar, '"' + right + '"')) << format;
    EXPECT_FALSE(matches(grammar, '"' + wrong + '"')) << format;
  }
  EXPECT_THAT(error_of(compile(R"({"type":"string","format":"idn-email"})")), HasSubstr("uuid"));
}

TEST(JsonSchema, WritesPropertiesInTheOrderOfTheSchema) {
  const auto grammar =
      grammar_of(R"({"type":"object","properties":{"b":{"type":"null"},"a":{"type":"null"}}})");
  EXPECT_TRUE(matches(grammar, R"({"b":null,"a":null})"));
  EXPECT_FALSE(matches(grammar, R"({"a":null,"b":null})"));
}

TEST(JsonSchema, KeepsToThePropertiesThatAreNamed) {
  const auto named = grammar_of(R"({"type":"object","properties":{"a":{"type":"null"}}})");
  EXPECT_FALSE(matches(named, R"({"x":1})"));
  const auto open = grammar_of(
      R"({"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":true})");
  EXPECT_TRUE(matches(open, R"({"x":1})"));
  // No spelling hides a name that has a schema of its own.
  EXPECT_FALSE(matches(open, R"({"a":1})"));
  EXPECT_FALSE(matches(open, R"({"\u0061":1})"));
}

TEST(JsonSchema, WritesAtMostOneSpaceAfterColonsAndCommas) {
  const auto grammar = grammar_of("{}");
  EXPECT_TRUE(matches(grammar, R"({"a": 1, "b":[1, 2]})"));
  for (const char* const text :
       {R"({"a":  1})", R"({ "a":1})", R"({"a" :1})", "[1 ,2]", "[1,\n2]", " 1", "1 ", "[1,\t2]"}) {
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

TEST(JsonSchema, WritesStringsThatAreWellFormed) {
  const auto grammar = grammar_of(R"({"type":"string"})");
  EXPECT_TRUE(matches(grammar, R"("\u00e9\uD83D\ude00\/\b")"));
  for (const char* const text :
       {"\"\x01\"", "\"\n\"", "\"\x7F\"", R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")",
        R"("\u12")", "\"\xC3\"", "\"\xED\xA0\x80\"", "\"\xC0\x80\"", "\"\xF5\x80\x80\x80\""}) {
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

TEST(JsonSchema, RefusesWhatItCannotKeepAndNamesThePlace) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {R"({"type":"object","properties":{"a":{"not":{}}}})",
       "#/properties/a: the keyword \"not\" is not supported"},
      {R"({"patternProperties":{}})", "#: the keyword \"patternProperties\" is not supported"},
      {R"({"type":"array","uniqueItems":true})", "#: the keyword \"uniqueItems\" is not supported"},
      {R"({"type":"array","items":{"if":{}}})", "#/items: the keyword \"if\" is not supported"},
      {R"({"type":"number","multipleOf":0.1})", "#: \"multipleOf\" is not supported"},
      {R"({"type":"number","exclusiveMinimum":0})",
       "#: \"exclusiveMinimum\" of a number that is not an integer is supported for whole limits "
       "only, and not exclusive"},
      {R"({"type":"strin"})",
       "#: \"type\" must be one of object, array, string, number, integer, boolean, null, or a "
       "list of them"},
      {R"x({"type":"string","pattern":"(?=a)"})x",
       "#: \"pattern\": byte 0 of the regular expression: looking around and flags are not "
       "supported"},
      {R"({"type":"string","minLength":-1})",
       "#: \"minLength\" must be a whole number, not negative"},
      {R"({"type":"string","minLength":3,"maxLength":2})", "#: no string is that long"},
      {R"({"type":"integer","minimum":3,"maximum":2})", "#: no number is in the range"},
      {R"({"$ref":"#/$defs/x"})", "#: \"$ref\": there is no #/$defs/x"},
      {R"({"$ref":"http://example.org/schema"})",
       "#: \"$ref\" is supported within the schema only, as \"#/$defs/name\""},
      {R"({"anyOf":[]})", "#: \"anyOf\" must be a list of schemas"},
      {R"({"items":3})", "#/items: a schema must be an object or a boolean"},
      {R"({"enum":[]})", "#: \"enum\" must be a list of values"},
      {R"({"enum":["a"],"minLength":3})",
       "#: \"minLength\" beside \"enum\" or \"const\" is not supported"},
      {R"({"allOf":[{"type":"object","properties":{"a":{}},"additionalProperties":false},
                    {"properties":{"b":{}}}]})",
       "#/allOf/1: \"additionalProperties\" beside the property \"b\" of another schema that must "
       "hold too is not supported"},
      {R"({"allOf":[{"prefixItems":[{"type":"integer"}]},{"items":{"type":"string"}}]})",
       "#/allOf/1: \"prefixItems\" beside \"items\" of another schema that must hold too is not "
       "supported"},
      {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})",
       "#/allOf/1: two different \"pattern\" that must hold at once are not supported"},
  };
  for (const auto& [schema, message] : refused) EXPECT_EQ(error_of(compile(schema)), message);
}

TEST(JsonSchema, AllowsNullOnlyIfAllSchemasThatHoldAtOnceDo) {
  const auto takes_null = [](std::string_view schema) {
    return matches(grammar_of(schema), "null");
  };
  EXPECT_FALSE(takes_null(R"({"allOf":[{"type":"string","nullable":true},{"type":"string"}]})"));
  EXPECT_FALSE(takes_null(R"({"allOf":[{"type":"string"},{"type":"string","nullable":true}]})"));
  EXPECT_TRUE(takes_null(R"({"allOf":[{"type":"string","nullable":true},{"title":"a"}]})"));
  EXPECT_TRUE(takes_null(R"({"allOf":[{"type":"string","nullable":true},
                                      {"maxLength":3,"nullable":true}]})"));
}

TEST(JsonSchema, APatternWithoutWhiteSpaceHasNoneInAnySense) {
  const auto grammar = grammar_of(R"({"type":"string","pattern":"^[^\\s]$"})");
  EXPECT_TRUE(matches(grammar, R"("a")"));
  for (const char* const text : {"\" \"", "\"\u00A0\"", "\"\u2003\"", "\"\uFEFF\""}) {
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
  const auto spaces = grammar_of(R"({"type":"string","pattern":"^[^\\S]$"})");
  EXPECT_TRUE(matches(spaces, "\" \""));
  EXPECT_FALSE(matches(spaces, "\"\u00A0\""));
}

TEST(JsonSchema, RefusesSchemasThatNothingSatisfies) {
  for (const char* const schema :
       {"false", R"({"type":"string","enum":[1]})", R"({"$ref":"#"})",
        R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
        R"({"anyOf":[{"$ref":"#/anyOf/1"},{"$ref":"#/anyOf/0"}]})",
        R"({"allOf":[{"type":"string"},{"type":"null"}]})"}) {
    EXPECT_THAT(error_of(compile(schema)), HasSubstr("no text can match")) << schema;
  }
}

TEST(JsonSchema, RefusesHostileSchemasInGoodTime) {
  EXPECT_THAT(error_of(compile(R"({"type":"string","maxLength":100000000})")), HasSubstr("states"));
  EXPECT_THAT(error_of(compile(R"({"type":"array","items":{"type":"string","maxLength":9000},
                                   "minItems":10000000})")),
              HasSubstr("states"));
  EXPECT_THAT(error_of(compile(R"({"type":"string","pattern":"((a{99}){99}){99}"})")),
              HasSubstr("states"));
  EXPECT_THAT(error_of(compile(R"({"type":"string","maxLength":9000,
                                   "pattern":"(a|b)*a(a|b){30}c"})")),
              HasSubstr("too many states"));
  EXPECT_THAT(error_of(compile(R"({"allOf":[{"$ref":"#"}]})")), HasSubstr("circle"));
  // Every level doubles the one below it.
  std::string doubling = R"({"$defs":{"a0":{"type":"object"})";
  for (int i = 1; i < 20; ++i) {
    const std::string ref = R"({"$ref":"#/$defs/a)" + std::to_string(i - 1) + "\"}";
    doubling += ",\"a" + std::to_string(i) + "\":{\"allOf\":[" + ref + "," + ref + "]}";
  }
  EXPECT_THAT(error_of(compile(doubling + R"(},"allOf":[{"$ref":"#/$defs/a19"}]})")),
              HasSubstr("too many schemas"));
}

TEST(JsonSchema, TakesLongStringsAndManyProperties) {
  const auto long_string = grammar_of(R"({"type":"string","maxLength":10000})");
  EXPECT_TRUE(matches(long_string, '"' + std::string(10'000, 'x') + '"'));
  EXPECT_FALSE(matches(long_string, '"' + std::string(10'001, 'x') + '"'));
  std::string many = R"({"type":"object","properties":{"p0":{"type":"null"})";
  for (int i = 1; i < 500; ++i) many += ",\"p" + std::to_string(i) + "\":{\"type\":\"null\"}";
  EXPECT_TRUE(matches(grammar_of(many + "}}"), R"({"p3":null,"p499":null})"));
}

TEST(JsonSchema, NestsNoDeeperThanJsonIsRead) {
  const auto grammar = grammar_of("{}");
  std::string text;
  ParseStates states(grammar, {});
  ParseStates::Id id = states.start();
  while (states.step(id, '[') != ParseStates::kDead) {
    id = states.step(id, '[');
    text += '[';
  }
  EXPECT_GE(text.size(), 90U);
  text += std::string(text.size(), ']');
  EXPECT_TRUE(matches(grammar, text));
  EXPECT_TRUE(parse_json(text));
}

}  // namespace
}  // namespace trialwright
