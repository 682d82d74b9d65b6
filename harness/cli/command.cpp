#include "harness/cli/command.h"

#include <algorithm>
#include <cmath>
#include <cxxopts.hpp>

#include "base/json.h"
#include "base/text.h"

namespace trialwright {

namespace {

constexpr const char* kPositionals = "operands";

std::string dashed(const std::string& name) { return "--" + name; }

/// `--modl` with flags {model, k}: ", did you mean --model?"
std::string suggestion(const Command& command, std::string_view word) {
  while (!word.empty() && word.front() == '-') word.remove_prefix(1);
  std::vector<std::string> names = {"help"};
  for (const Flag& flag : command.flags) names.push_back(flag.name);
  const auto near = nearest_words(word.substr(0, word.find('=')), names);
  return near.empty() ? "; see 'trialwright help " + command.name + "'"
                      : ", did you mean --" + near.front() + "?";
}

cxxopts::Options options_of(const Command& command) {
  cxxopts::Options options("trialwright " + command.name);
  auto add = options.add_options();
  for (const Flag& flag : command.flags) {
    const std::string names =
        flag.short_name == '\0' ? flag.name : std::string(1, flag.short_name) + "," + flag.name;
    if (flag.value_name.empty()) {
      add(names, flag.help, cxxopts::value<bool>());
    } else {
      add(names, flag.help, cxxopts::value<std::string>());
    }
  }
  add(kPositionals, "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional(kPositionals);
  return options;
}

/// The name that cxxopts quotes in its message.
std::string quoted_part(const std::string& message) {
  for (const auto& [open, close] : {std::pair<std::string, std::string>{"‘", "’"}, {"'", "'"}}) {
    const std::size_t start = message.find(open);
    if (start == std::string::npos) continue;
    const std::size_t end = message.find(close, start + open.size());
    if (end != std::string::npos)
      return message.substr(start + open.size(), end - start - open.size());
  }
  return message;
}

bool is_switch(const Command& command, const std::string& name) {
  return std::ranges::any_of(command.flags, [&](const Flag& flag) {
    return flag.name == name && flag.value_name.empty();
  });
}

/// The library knows operands by a name, which users must not find to be a flag.
bool names_operands(std::span<const std::string> words) {
  const auto end = std::ranges::find(words, "--");
  return std::any_of(words.begin(), end, [](const std::string& word) {
    return word == dashed(kPositionals) || word.starts_with(dashed(kPositionals) + "=");
  });
}

Result<void> check_repeats(const Command& command, const cxxopts::ParseResult& parsed) {
  for (const Flag& flag : command.flags) {
    if (!flag.repeated && !flag.value_name.empty() && parsed.count(flag.name) > 1) {
      return invalid("--" + flag.name + " is given more than once");
    }
  }
  return {};
}

Result<void> check_operand_count(const Command& command, std::size_t count) {
  if (count < command.operands_min) {
    return invalid("'trialwright " + command.name + "' needs " + command.operands +
                   "; see 'trialwright help " + command.name + "'");
  }
  if (count > command.operands_max) {
    return invalid("'trialwright " + command.name + "' takes no more than " +
                   std::to_string(command.operands_max) + " operands; see 'trialwright help " +
                   command.name + "'");
  }
  return {};
}

}  // namespace

std::string Arguments::text(const std::string& name, std::string otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::move(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::texts(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<std::int64_t> Arguments::integer(const std::string& name, std::int64_t otherwise,
                                        std::int64_t lowest, std::int64_t highest) const {
  if (!has(name)) return otherwise;
  const std::string word = text(name);
  const Error wrong =
      invalid(dashed(name) + " must be a whole number from " + std::to_string(lowest) + " to " +
              std::to_string(highest) + ", not \"" + word + "\"");
  try {
    std::size_t used = 0;
    const std::int64_t value = std::stoll(word, &used);
    if (used != word.size() || value < lowest || value > highest) return wrong;
    return value;
  } catch (const std::exception&) {
    return wrong;
  }
}

Result<double> Arguments::number(const std::string& name, double otherwise, double lowest,
                                 double highest) const {
  if (!has(name)) return otherwise;
  const std::string word = text(name);
  const Error wrong = invalid(dashed(name) + " must be a number from " + to_text(Json(lowest)) +
                              " to " + to_text(Json(highest)) + ", not \"" + word + "\"");
  try {
    std::size_t used = 0;
    const double value = std::stod(word, &used);
    if (used != word.size() || !std::isfinite(value) || value < lowest || value > highest) {
      return wrong;
    }
    return value;
  } catch (const std::exception&) {
    return wrong;
  }
}

Result<Arguments> parse_arguments(const Command& command, std::span<const std::string> words) {
  std::vector<const char*> argv = {"trialwright"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  if (names_operands(words)) {
    return invalid("'trialwright " + command.name + "' has no flag " + dashed(kPositionals) +
                   "; see 'trialwright help " + command.name + "'");
  }
  Arguments arguments;
  try {
    cxxopts::Options options = options_of(command);
    const cxxopts::ParseResult parsed = options.parse(static_cast<int>(argv.size()), argv.data());
    if (auto once = check_repeats(command, parsed); !once) return once.error();
    for (const cxxopts::KeyValue& item : parsed.arguments()) {
      if (item.key() == kPositionals) {
        arguments.add_positional(item.value());
      } else if (!is_switch(command, item.key()) || item.as<bool>()) {
        arguments.add(item.key(), item.value());
      }
    }
    for (const std::string& word : parsed.unmatched()) arguments.add_positional(word);
  } catch (const cxxopts::exceptions::no_such_option& error) {
    const std::string name = quoted_part(error.what());
    const std::string shown = name.size() == 1 ? "-" + name : "--" + name;
    return invalid("'trialwright " + command.name + "' has no flag " + shown +
                   suggestion(command, name));
  } catch (const cxxopts::exceptions::missing_argument& error) {
    return invalid("--" + quoted_part(error.what()) + " needs a value");
  } catch (const cxxopts::exceptions::exception& error) {
    return invalid(std::string(error.what()) + "; see 'trialwright help " + command.name + "'");
  }
  if (auto counted = check_operand_count(command, arguments.positionals().size()); !counted) {
    return counted.error();
  }
  return arguments;
}

}  // namespace trialwright
