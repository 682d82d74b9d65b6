#include "tasks/qa.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/text.h"
#include "tasks/answer_schema.h"
#include "tasks/pattern.h"

namespace trialwright {

namespace {

constexpr std::size_t kChoicesMax = 26;  ///< They are named by letters.
constexpr std::int64_t kTokensMax = 1 << 20;

Error wrong(std::string_view field, std::string_view what) {
  return invalid("field \"" + std::string(field) + "\" " + std::string(what));
}

/// Nothing if all keys are known, so that a misspelt one is not missed.
Result<void> check_keys(const Json& object, std::string_view prefix,
                        const std::vector<std::string>& known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string message = "is not known";
    if (const auto near = nearest_words(key, known); !near.empty())
      message += "; did you mean \"" + near.front() + "\"?";
    return wrong(std::string(prefix) + key, message);
  }
  return {};
}

Result<std::vector<std::string>> read_texts(const Json& json, std::string_view field) {
  std::vector<std::string> texts;
  if (json.is_array()) {
    for (const Json& text : json)
      if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  if (!json.is_array() || texts.size() != json.size())
    return wrong(field, "must be a list of strings");
  return texts;
}

Result<Answer> read_exact(const Json& json) {
  auto known = check_keys(json, "answer.", {"exact", "ignore_case"});
  if (!known) return known.error();
  ExactAnswer answer;
  const Json& exact = json.at("exact");
  if (exact.is_string()) {
    answer.accepted = {exact.get<std::string>()};
  } else {
    auto texts = read_texts(exact, "answer.exact");
    if (!texts) return wrong("answer.exact", "must be a string or a list of strings");
    answer.accepted = std::move(*texts);
  }
  if (answer.accepted.empty()) return wrong("answer.exact", "accepts nothing");
  const auto ignore_case = bool_field_or(json, "ignore_case", false);
  if (!ignore_case) return ignore_case.error();
  answer.ignore_case = *ignore_case;
  return Answer(std::move(answer));
}

Result<Answer> read_numeric(const Json& json) {
  auto known = check_keys(json, "answer.", {"numeric", "tolerance"});
  if (!known) return known.error();
  NumericAnswer answer;
  if (!json.at("numeric").is_number()) return wrong("answer.numeric", "must be a number");
  answer.value = json.at("numeric").get<double>();
  const auto tolerance = number_field_or(json, "tolerance", 0);
  if (!tolerance) return tolerance.error();
  if (*tolerance < 0) return wrong("answer.tolerance", "must not be negative");
  answer.tolerance = *tolerance;
  return Answer(answer);
}

Result<Answer> read_regex(const Json& json) {
  auto known = check_keys(json, "answer.", {"regex", "reference"});
  if (!known) return known.error();
  if (!json.at("regex").is_string()) return wrong("answer.regex", "must be a string");
  RegexAnswer answer{json.at("regex").get<std::string>()};
  const auto compiled = compile_pattern(answer.pattern);
  if (!compiled) return wrong("answer.regex", "is no RE2 pattern: " + compiled.error().message);
  if (const auto reference = json.find("reference"); reference != json.end()) {
    if (!reference->is_string()) return wrong("answer.reference", "must be a string");
    answer.reference = reference->get<std::string>();
  }
  return Answer(std::move(answer));
}

Result<Answer> read_schema(const Json& json) {
  auto known = check_keys(json, "answer.", {"schema", "reference"});
  if (!known) return known.error();
  const auto compiled = AnswerSchema::compile(json.at("schema"));
  if (!compiled) return wrong("answer.schema", "is no schema: " + compiled.error().message);
  SchemaAnswer answer{json.at("schema")};
  if (const auto reference = json.find("reference"); reference != json.end())
    answer.reference = to_text(*reference);
  return Answer(std::move(answer));
}

Result<Answer> read_choices(const Json& json) {
  auto known = check_keys(json, "answer.", {"choices", "correct"});
  if (!known) return known.error();
  auto choices = read_texts(json.at("choices"), "answer.choices");
  if (!choices) return choices.error();
  if (choices->size() < 2 || choices->size() > kChoicesMax)
    return wrong("answer.choices", "must have 2 to 26 texts");
  const auto correct = json.find("correct");
  if (correct == json.end() || !correct->is_number_unsigned() ||
      correct->get<std::uint64_t>() >= choices->size()) {
    return wrong("answer.correct", "must be the index of a choice, from 0");
  }
  return Answer(ChoiceAnswer{std::move(*choices), correct->get<std::size_t>()});
}

Result<Answer> read_answer(const Json& json) {
  if (!json.is_object()) return wrong("answer", "must be an object");
  using Reader = Result<Answer> (*)(const Json&);
  constexpr std::array<std::pair<const char*, Reader>, 5> kKinds = {{{"exact", read_exact},
                                                                     {"numeric", read_numeric},
                                                                     {"regex", read_regex},
                                                                     {"schema", read_schema},
                                                                     {"choices", read_choices}}};
  for (const auto& [kind, reader] : kKinds)
    if (json.contains(kind)) return reader(json);
  return wrong("answer",
               "must have one of \"exact\", \"numeric\", \"regex\", \"schema\", \"choices\"");
}

Result<Task> read_question(std::string_view line, std::string_view id_prefix, int tokens_max) {
  const auto json = parse_json(line);
  if (!json) return json.error();
  if (!json->is_object()) return invalid("it must be an object");
  auto known = check_keys(*json, "", {"id", "prompt", "answer", "tags", "tokens_max", "metadata"});
  if (!known) return known.error();

  Task task;
  QaTask question;
  const auto id = string_field(*json, "id");
  if (!id) return id.error();
  if (!is_id_part(*id)) return wrong("id", "must be made of letters, digits, '.', '_' and '-'");
  task.id = std::string(id_prefix) + *id;
  const auto prompt = string_field(*json, "prompt");
  if (!prompt) return prompt.error();
  if (trimmed(*prompt).empty()) return wrong("prompt", "is empty");
  question.prompt = *prompt;
  if (!json->contains("answer")) return wrong("answer", "is missing");
  auto answer = read_answer(json->at("answer"));
  if (!answer) return answer.error();
  question.answer = std::move(*answer);
  const auto tokens = int_field_or(*json, "tokens_max", tokens_max);
  if (!tokens) return tokens.error();
  if (*tokens < 1 || *tokens > kTokensMax) return wrong("tokens_max", "must be from 1 to 1048576");
  question.tokens_max = static_cast<int>(*tokens);

  task.tags = {"qa"};
  if (json->contains("tags")) {
    auto tags = read_texts(json->at("tags"), "tags");
    if (!tags) return tags.error();
    for (std::string& tag : *tags)
      if (std::find(task.tags.begin(), task.tags.end(), tag) == task.tags.end())
        task.tags.push_back(std::move(tag));
  }
  if (json->contains("metadata")) {
    if (!json->at("metadata").is_object()) return wrong("metadata", "must be an object");
    task.metadata = json->at("metadata");
  }
  task.content = std::move(question);
  return task;
}

}  // namespace

Result<std::vector<Task>> parse_qa(std::string_view text, std::string_view id_prefix,
                                   int tokens_max) {
  std::vector<Task> tasks;
  std::set<std::string, std::less<>> ids;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (trimmed(line).empty()) continue;
    auto task = read_question(line, id_prefix, tokens_max);
    if (!task) return task.error().during("line " + std::to_string(number));
    if (!ids.insert(task->id).second)
      return invalid("line " + std::to_string(number) + ": the id \"" + task->id +
                     "\" is there twice");
    tasks.push_back(std::move(*task));
  }
  return tasks;
}

}  // namespace trialwright
