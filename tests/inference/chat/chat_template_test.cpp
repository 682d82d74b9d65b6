#include "inference/chat/chat_template.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "base/text.h"

namespace trialwright {
namespace {

Result<std::string> render(std::string_view source, Json variables = Json::object()) {
  auto chat_template = ChatTemplate::parse(source);
  if (!chat_template) return chat_template.error();
  ChatTemplateInput input;
  input.now = 1768473000;
  input.variables = std::move(variables);
  auto pieces = chat_template->render(input);
  if (!pieces) return pieces.error();
  return rendered_text(*pieces);
}

std::string error_of(std::string_view source, Json variables = Json::object()) {
  auto text = render(source, std::move(variables));
  return text ? "rendered: " + *text : text.error().message;
}

/// The rendered text with «» around what came from input.
std::string marked(std::string_view source, Json variables) {
  auto chat_template = ChatTemplate::parse(source);
  if (!chat_template) return chat_template.error().message;
  ChatTemplateInput input;
  input.variables = std::move(variables);
  auto pieces = chat_template->render(input);
  if (!pieces) return pieces.error().message;
  std::string text;
  for (const RenderedPiece& piece : *pieces) {
    text += piece.from_input ? "«" + piece.text + "»" : piece.text;
  }
  return text;
}

TEST(ChatTemplate, RendersSnippetsAsPythonDoes) {
  auto file = read_file(std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) /
                        "inference/chat/jinja_snippets.jsonl");
  ASSERT_TRUE(file);
  Json variables;
  for (const std::string_view line : split(*file, '\n')) {
    if (line.empty()) continue;
    auto json = parse_json(line);
    ASSERT_TRUE(json);
    if (json->contains("variables")) {
      variables = (*json)["variables"];
      continue;
    }
    const auto source = (*json)["template"].get<std::string>();
    auto text = render(source, variables);
    if (json->contains("rendered")) {
      EXPECT_TRUE(text) << source << "\n" << text.error().message;
      EXPECT_EQ(text ? *text : "", (*json)["rendered"].get<std::string>()) << source;
    } else {
      EXPECT_FALSE(text) << source << "\nshould fail with " << (*json)["error"] << "\nrenders "
                         << *text;
    }
  }
}

TEST(ChatTemplate, NamesWhatItDoesNotKnowAndTheLine) {
  EXPECT_EQ(error_of("a\n{{ 1 | nofilter }}"), "line 2: the filter \"nofilter\" is not supported");
  EXPECT_EQ(error_of("{{ 1 is notest }}"), "line 1: the test \"notest\" is not supported");
  EXPECT_EQ(error_of("\n\n{% include 'x' %}"), "line 3: the tag \"include\" is not supported");
  EXPECT_EQ(error_of("{{ 'a'.zfill(3) }}"),
            "line 1: the method \"zfill\" of a str is not supported");
  EXPECT_EQ(error_of("{{ 'a' % 3 }}"), "line 1: formatting a text with % is not supported");
  EXPECT_EQ(error_of("\n{{ nothing.at_all }}"), "line 2: \"nothing\" is undefined");
  EXPECT_EQ(error_of("{{ f(*l) }}"),
            "line 1: arguments taken from a list or a dict (* and **) are not supported");
  EXPECT_EQ(error_of("{% if x %}"), "line 1: the template ends before \"endif\"");
  EXPECT_EQ(error_of("{{ d.items }}", {{"d", Json::object()}}),
            "line 1: a method cannot be printed");
  EXPECT_EQ(error_of("{{ m.append(1) }}", {{"m", Json::array()}}),
            "line 1: a template must not change a list");
}

TEST(ChatTemplate, GivesWhatTheTemplateRaisesAsItStands) {
  EXPECT_EQ(error_of("{{ raise_exception('Roles must ' ~ 'alternate') }}"), "Roles must alternate");
}

TEST(ChatTemplate, RefusesVariablesThatAreAlwaysGiven) {
  EXPECT_EQ(error_of("x", {{"messages", 1}}),
            "variable \"messages\" is always given, so it cannot be set");
}

TEST(ChatTemplate, KeepsApartWhatCameFromInput) {
  const Json variables = {{"s", "<|im_end|>"}, {"d", {{"k", "v"}}}, {"n", 12}, {"l", {"a", "b"}}};
  EXPECT_EQ(marked("<|im_start|>{{ s }}<|im_end|>", variables),
            "<|im_start|>«<|im_end|>»<|im_end|>");
  EXPECT_EQ(marked("{{ '[' + s + ']' ~ s }}", variables), "[«<|im_end|>»]«<|im_end|>»");
  EXPECT_EQ(marked("{{ ('[' + s)[:5] }}", variables), "[«<|im»");
  EXPECT_EQ(marked("{{ s | upper | replace('IM', 'xx') | trim }}", variables), "«<|»xx«_END|>»");
  EXPECT_EQ(marked("{{ 'x-y' | replace('-', s) }}", variables), "x«<|im_end|>»y");
  EXPECT_EQ(marked("{{ d | tojson }} {{ d }} {{ n }}", variables),
            "«{\"k\": \"v\"}» «{'k': 'v'}» «12»");
  EXPECT_EQ(marked("{{ l | join(', ') }}", variables), "«a», «b»");
  EXPECT_EQ(marked("{{ {'key': s} | tojson }}", variables), "{\"key\": «\"<|im_end|>\"»}");
  EXPECT_EQ(marked("{{ s.split('_')[0] ~ '_' ~ (s | reverse) | first }}", variables), "«<|im»_«>»");
  EXPECT_EQ(marked("{% set x %}a{{ s }}{% endset %}{{ x }}", variables), "a«<|im_end|>»");
  EXPECT_EQ(marked("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(s) }}", variables),
            "(«<|im_end|>»)");
  EXPECT_EQ(marked("{{ '<' ~ '|im_end|>' }}", variables), "<|im_end|>");
  EXPECT_EQ(marked("{{ ('a' ~ s) | capitalize | title | indent(2, true) }}", variables),
            "  A«<|im_end|>»");
  EXPECT_EQ(marked("{{ n + 1 }} {{ -n }} {{ n > 1 }}", variables), "«13» «-12» True");
}

TEST(ChatTemplate, EndsHostileTemplatesInAnError) {
  const std::vector<std::string> hostile = {
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
      "{% set ns = namespace(a='x') %}{% for i in range(100) %}{% set ns.a = ns.a ~ ns.a %}{% "
      "endfor %}",
      "{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = ns.a + ns.a %}{% "
      "endfor %}",
      "{% set ns = namespace(a=[]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}",
      "{% set ns = namespace(a=1) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor "
      "%}{{ ns.a }}",
      "{% set ns = namespace(a=1) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor "
      "%}"
      "{{ ns.a | tojson }}",
      "{% set ns = namespace(a=1, b=1) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}"
      "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
      "{{ 'x' * 99999999999 }}",
      "{{ [1] * 99999999999 }}",
      "{{ 'x' | indent(99999999999) }}",
      "{{ ('x' * 9999999).replace('', 'y' * 9999999) }}",
      "{{ ('x' * 9999999) | list | join('y' * 9999) }}",
      "{{ range(99999999999) }}{{ range(1, 9223372036854775807) | list }}",
      "{{ 9 ** 999999999 }}",
      "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}",
      "{{ strftime_now('%99999999d') }}",
      "{% set ns = namespace(m={}) %}{% for i in range(9999) %}{% set ns.m = {'a': ns.m.get} %}{% "
      "endfor %}",
      "{% for i in range(100000) %}{{ 'y' * 9999 }}{% endfor %}",
      "{{ " + std::string(100'000, '(') + " }}",
      "{{ " + std::string(100'000, '-') + "1 }}",
      "{{ " + std::string(100'000, '[') + " }}",
      "{{ x" + std::string(100'000, '.') + " }}",
  };
  for (const std::string& source : hostile) {
    EXPECT_FALSE(render(source)) << source.substr(0, 100);
  }
  std::string chain = "{{ 1";
  for (int i = 0; i < 50'000; ++i) chain += " + 1";
  EXPECT_FALSE(render(chain + " }}"));
  std::string nots = "{{ ";
  for (int i = 0; i < 50'000; ++i) nots += "not ";
  EXPECT_FALSE(render(nots + "1 }}"));
  std::string blocks;
  for (int i = 0; i < 50'000; ++i) blocks += "{% if 1 %}";
  EXPECT_FALSE(render(blocks));
  std::string attributes = "{{ x";
  for (int i = 0; i < 50'000; ++i) attributes += ".y";
  EXPECT_FALSE(render(attributes + " }}"));
}

TEST(ChatTemplate, ChargesForWhatIsSharedAndForWhatIsCopied) {
  const std::vector<std::string> hostile = {
      // Two keys whose tuples share their parts.
      "{% set ns = namespace(a=1, b=1) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}"
      "{% set ns.b = (ns.b, ns.b) %}{% endfor %}{{ {ns.a: 1}[ns.b] }}",
      // Lists and the keys of dicts that are copied again and again.
      "{% set l = [x] * 2000000 %}{% for i in range(1000) %}{{ l | reject('true') | first }}"
      "{% endfor %}",
      "{% set l = [1] * 2000000 %}{% for i in range(1000) %}{{ l | join | length }}{% endfor %}",
      // Many texts that change their origin at every byte.
      "{% set t = ('a' ~ x) * 900000 %}{% set ns = namespace(l=[]) %}"
      "{% for i in range(100) %}{% set ns.l = ns.l + [t ~ i] %}{% endfor %}",
  };
  for (const std::string& source : hostile) {
    const std::string error = error_of(source, {{"x", "b"}});
    EXPECT_TRUE(error.ends_with("the template does more work than a rendering may"))
        << source << error;
  }
  EXPECT_EQ(error_of("{{ ('a' ~ x) * 33554432 }}", {{"x", "b"}}),
            "line 1: a text grows beyond the limit of a rendering");
}

TEST(ChatTemplate, MakesKeysOfTuplesThatShareTheirParts) {
  const std::string setup =
      "{% set ns = namespace(a=1) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}"
      "{% endfor %}";
  auto text = render(setup + "{{ {ns.a: 'x'}.values() | first }}");
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "x");
}

TEST(ChatTemplate, TakesTheFirstAndLastOfAListWithoutCopyingIt) {
  EXPECT_TRUE(
      render("{% set l = [1] * 2000000 %}{% for i in range(100000) %}"
             "{{ l | first }}{{ l | last }}{% endfor %}"));
}

TEST(ChatTemplate, SearchesTextsInLinearTime) {
  // A naive search compares a megabyte at each of a million places.
  const std::string setup =
      "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(17) %}"
      "{% set ns.t = ns.t ~ ns.t %}{% endfor %}{% set h = ns.t ~ ns.t %}"
      "{% set m = ns.t ~ 'b' %}";
  const auto start = std::chrono::steady_clock::now();
  for (const char* search :
       {"m in h", "h.find(m)", "h.split(m) | length", "h.count(m)", "h.replace(m, '') | length",
        "(h | replace(m, '')) | length", "h.partition(m) | length"}) {
    EXPECT_TRUE(render(setup + "{{ " + search + " }}")) << search;
  }
  // A long set of characters, none of which the text has but the last.
  EXPECT_TRUE(render(setup + "{{ h.strip('b' * 1000000 ~ 'a') | length }}"));
  // What no search can do in linear time is charged for.
  for (const char* search : {"h.rfind(m)", "h.rsplit(m)", "h.rpartition(m)"}) {
    EXPECT_FALSE(render(setup + "{{ " + search + " }}")) << search;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ChatTemplate, RefusesSourceThatIsNotUtf8) {
  EXPECT_EQ(error_of("a\xff"), "line 1: a template must be UTF-8");
}

TEST(ChatTemplate, ReplacesIllFormedBytesOfInput) {
  EXPECT_EQ(*render("{{ s }}", {{"s", "a\xff"}}), "a\xef\xbf\xbd");
}

}  // namespace
}  // namespace trialwright
