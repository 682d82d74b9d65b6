#include "graders/reward.h"

#include <charconv>

#include "base/text.h"

namespace trialwright {

namespace {

constexpr std::uint64_t kRewardBytesMax = 64 * 1024;
constexpr std::uint64_t kCtrfBytesMax = std::uint64_t{1} << 20U;
constexpr std::size_t kNamesMax = 20;
constexpr std::size_t kNameBytesMax = 200;

Result<double> within_range(double reward) {
  // Written so that NaN is refused too.
  if (reward >= 0 && reward <= 1) return reward == 0 ? 0 : reward;  // -0 is 0.
  return invalid("the reward " + Json(reward).dump() + " is not from 0 to 1");
}

std::string shown(std::string_view text) {
  return "\"" + to_valid_utf8(text.substr(0, kNameBytesMax)) + "\"";
}

/// The file's content, or nothing if it is not there.
Result<std::optional<std::string>> read_if_there(VerifierWorkspace& workspace,
                                                 std::string_view name, std::uint64_t bytes_max) {
  auto content = workspace.read_verdict(name, bytes_max);
  if (content) return std::optional<std::string>(std::move(*content));
  if (content.error().kind == ErrorKind::NotFound) return std::optional<std::string>();
  return content.error().during(name);
}

}  // namespace

Result<double> parse_reward_text(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return invalid("it is empty");
  const std::string_view digits = text.front() == '+' ? text.substr(1) : text;
  double reward = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), reward);
  if (error != std::errc() || end != digits.data() + digits.size())
    return invalid(shown(text) + " is no number");
  return within_range(reward);
}

Result<double> reward_of_json(const Json& json) {
  if (json.is_number()) return within_range(json.get<double>());
  if (!json.is_object()) return invalid("it must be a number or an object");
  if (const auto reward = json.find("reward"); reward != json.end()) {
    if (!reward->is_number()) return invalid("field \"reward\" must be a number");
    return within_range(reward->get<double>());
  }
  if (json.size() == 1 && json.begin()->is_number())
    return within_range(json.begin()->get<double>());
  return invalid("it has no field \"reward\"");
}

Result<RewardFiles> read_reward_files(VerifierWorkspace& workspace) {
  RewardFiles files;
  const auto json_text = read_if_there(workspace, "reward.json", kRewardBytesMax);
  if (!json_text) return json_text.error();
  if (*json_text) {
    auto json = parse_json(**json_text);
    if (!json) return json.error().during("reward.json");
    const auto reward = reward_of_json(*json);
    if (!reward) return reward.error().during("reward.json");
    files.from_json = *reward;
    files.json = std::move(*json);
  }
  const auto text = read_if_there(workspace, "reward.txt", kRewardBytesMax);
  if (!text) return text.error();
  if (*text) {
    const auto reward = parse_reward_text(**text);
    if (!reward) return reward.error().during("reward.txt");
    files.from_text = *reward;
  }
  return files;
}

Json read_ctrf(VerifierWorkspace& workspace) {
  const auto text = read_if_there(workspace, "ctrf.json", kCtrfBytesMax);
  if (!text) return Json{{"unreadable", text.error().message}};
  if (!*text) return nullptr;
  const auto json = parse_json(**text);
  if (!json) return Json{{"unreadable", json.error().message}};
  const auto results = json->is_object() ? json->find("results") : json->end();
  if (results == json->end() || !results->is_object() || !results->contains("tests") ||
      !results->at("tests").is_array()) {
    return Json{{"unreadable", "it has no list results.tests"}};
  }
  std::int64_t passed = 0;
  Json failed = Json::array();
  for (const Json& test : results->at("tests")) {
    const bool named = test.is_object() && test.contains("name") && test["name"].is_string();
    const bool ok = test.is_object() && test.contains("status") && test["status"] == "passed";
    if (ok)
      ++passed;
    else if (named && failed.size() < kNamesMax)
      failed.push_back(to_valid_utf8(test["name"].get<std::string>().substr(0, kNameBytesMax)));
  }
  return Json{{"tests", results->at("tests").size()}, {"passed", passed}, {"failed", failed}};
}

}  // namespace trialwright
