#include "tasks/selection.h"

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "base/random.h"
#include "base/text.h"
#include "tasks/task_expression.h"

namespace trialwright {

namespace {

constexpr std::uint32_t kPartsMax = 100'000;

/// A number that stands for an id, the same on every machine.
std::uint64_t id_number(std::string_view id) {
  const Digest digest = sha256(id);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8U | digest.bytes[i];
  return number;
}

Error no_such(std::string_view what, const std::string& word,
              const std::vector<std::string>& known) {
  std::string message = "no task " + std::string(what) + " \"" + word + "\"";
  if (const auto near = nearest_words(word, known); !near.empty())
    message += "; did you mean " + joined(near, " or ") + "?";
  return not_found(message);
}

/// What a glob could have meant: ids with and without the suite's name, and the folders above them
/// with the glob's own ending.
std::vector<std::string> names_like(const std::string& glob, const std::vector<Task>& tasks) {
  const std::size_t star = glob.find_first_of("*?");
  const std::size_t slash = star == std::string::npos ? star : glob.rfind('/', star);
  std::set<std::string> names;
  for (const Task& task : tasks) {
    const std::string& id = task.id;
    const std::size_t below_suite = id.find('/') == std::string::npos ? 0 : id.find('/') + 1;
    if (star == std::string::npos) {
      names.insert(id);
      names.insert(id.substr(below_suite));
    } else if (slash != std::string::npos) {
      for (std::size_t end = id.find('/'); end != std::string::npos; end = id.find('/', end + 1)) {
        names.insert(id.substr(0, end) + glob.substr(slash));
        if (end > below_suite)
          names.insert(id.substr(below_suite, end - below_suite) + glob.substr(slash));
      }
    }
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> all_tags(const std::vector<Task>& tasks) {
  std::set<std::string> tags;
  for (const Task& task : tasks) tags.insert(task.tags.begin(), task.tags.end());
  return {tags.begin(), tags.end()};
}

/// Errors: NotFound if nothing that was there to begin with fits.
Result<void> check_named(const std::vector<Task>& tasks, const Selection& selection) {
  const auto some = [&](const auto& fits) { return std::any_of(tasks.begin(), tasks.end(), fits); };
  const auto check_glob = [&](const std::string& glob) -> Result<void> {
    if (some([&](const Task& task) { return glob_fits_id(glob, task.id); })) return {};
    return no_such("has an id like", glob, names_like(glob, tasks));
  };
  const auto check_tag = [&](const std::string& tag) -> Result<void> {
    if (some([&](const Task& task) { return has_tag(task, tag); })) return {};
    return no_such("has the tag", tag, all_tags(tasks));
  };
  for (const std::string& glob : selection.globs)
    if (auto checked = check_glob(glob); !checked) return checked;
  for (const std::string& tag : selection.tags)
    if (auto checked = check_tag(tag); !checked) return checked;
  for (const std::string& excluded : selection.exclude) {
    const bool is_tag = excluded.substr(0, 4) == "tag:";
    if (auto checked = is_tag ? check_tag(excluded.substr(4)) : check_glob(excluded); !checked)
      return checked;
  }
  return {};
}

bool is_excluded(const Task& task, const std::vector<std::string>& exclude) {
  return std::any_of(exclude.begin(), exclude.end(), [&](const std::string& word) {
    return word.substr(0, 4) == "tag:" ? has_tag(task, std::string_view(word).substr(4))
                                       : glob_fits_id(word, task.id);
  });
}

/// Keeps `count` tasks. Each draws a number by seed and id; the lowest stay, so whether two tasks
/// are compared in one way or the other depends on nothing else that is there.
void keep_sample(std::vector<Task>& tasks, std::size_t count, std::uint64_t seed) {
  if (count >= tasks.size()) return;
  std::vector<std::pair<double, std::string>> drawn;
  drawn.reserve(tasks.size());
  for (const Task& task : tasks)
    drawn.emplace_back(uniform_at(seed, id_number(task.id), 0), task.id);
  std::sort(drawn.begin(), drawn.end());
  std::set<std::string> kept;
  for (std::size_t i = 0; i < count; ++i) kept.insert(drawn[i].second);
  std::erase_if(tasks, [&](const Task& task) { return !kept.contains(task.id); });
}

void keep_shard(std::vector<Task>& tasks, const Shard& shard) {
  const std::uint64_t parts = shard.parts;
  if (shard.kind == Shard::Kind::Hash) {
    std::erase_if(tasks,
                  [&](const Task& task) { return id_number(task.id) % parts != shard.part - 1; });
    return;
  }
  const auto begin = static_cast<std::ptrdiff_t>(tasks.size() * (shard.part - 1) / parts);
  const auto end = static_cast<std::ptrdiff_t>(tasks.size() * shard.part / parts);
  tasks.erase(tasks.begin() + end, tasks.end());
  tasks.erase(tasks.begin(), tasks.begin() + begin);
}

/// A whole number without sign; 0 for anything else.
std::uint32_t small_number(std::string_view text) {
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != text.npos)
    return 0;
  return static_cast<std::uint32_t>(std::stoul(std::string(text)));
}

}  // namespace

Result<Shard> parse_shard(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view kind = text.substr(0, colon);
  const std::string_view numbers = text.substr(std::min(colon + 1, text.size()));
  const std::size_t slash = std::min(numbers.find('/'), numbers.size());
  Shard shard;
  shard.kind = kind == "slice" ? Shard::Kind::Slice : Shard::Kind::Hash;
  shard.part = small_number(numbers.substr(0, slash));
  shard.parts = small_number(numbers.substr(std::min(slash + 1, numbers.size())));
  if ((kind != "hash" && kind != "slice") || shard.part < 1 || shard.part > shard.parts ||
      shard.parts > kPartsMax) {
    return invalid("the shard \"" + std::string(text) +
                   "\" must look like hash:1/4 or slice:1/4, with the part from 1 to their number");
  }
  return shard;
}

Result<std::vector<Task>> select(std::vector<Task> tasks, const Selection& selection) {
  const auto named = check_named(tasks, selection);
  if (!selection.globs.empty()) {
    std::erase_if(tasks, [&](const Task& task) {
      return std::none_of(selection.globs.begin(), selection.globs.end(),
                          [&](const std::string& glob) { return glob_fits_id(glob, task.id); });
    });
  }
  if (!selection.expression.empty()) {
    const auto expression = TaskExpression::parse(selection.expression);
    if (!expression)
      return expression.error().during("the expression '" + selection.expression + "'");
    std::erase_if(tasks, [&](const Task& task) { return !expression->matches(task); });
  }
  if (!selection.tags.empty()) {
    std::erase_if(tasks, [&](const Task& task) {
      return std::none_of(selection.tags.begin(), selection.tags.end(),
                          [&](const std::string& tag) { return has_tag(task, tag); });
    });
  }
  std::erase_if(tasks, [&](const Task& task) { return is_excluded(task, selection.exclude); });
  // A word that fits nothing is a slip of the pen. Where it leaves nothing to do, that comes first.
  if (!named) return tasks.empty() ? named.error() : invalid(named.error().message);
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.id < b.id; });
  if (selection.sample) keep_sample(tasks, *selection.sample, selection.seed);
  if (selection.limit && *selection.limit < tasks.size()) tasks.resize(*selection.limit);
  // From here only the shard takes tasks away, so every machine sees the same whole.
  if (selection.shard) keep_shard(tasks, *selection.shard);
  return tasks;
}

}  // namespace trialwright
