#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/task.h"

namespace trialwright {

/// One part of n, to spread tasks over machines.
struct Shard {
  enum class Kind {
    Hash,   ///< By the digest of the task's id: a task keeps its shard when others come and go.
    Slice,  ///< Consecutive ids, in parts of equal size.
  };
  Kind kind = Kind::Hash;
  std::uint32_t part = 1;  ///< 1 to `parts`.
  std::uint32_t parts = 1;
};

/// Reads "hash:1/4" or "slice:1/4". Errors: Invalid.
Result<Shard> parse_shard(std::string_view text);

/// What a user names, the same wherever tasks are named. The filters apply in the order below.
struct Selection {
  std::vector<std::string> globs =
      {};                       ///< Any of them; empty means all. A plain word is a whole id.
  std::string expression = {};  ///< TaskExpression; empty means all.
  std::vector<std::string> tags = {};      ///< Any of them; empty means all.
  std::vector<std::string> exclude = {};   ///< Globs of ids, or "tag:GLOB".
  std::optional<std::size_t> sample = {};  ///< So many at random, chosen by `seed` and id alone.
  std::uint64_t seed = 0;                  ///< Of the sample.
  std::optional<std::size_t> limit = {};   ///< The first so many by id.
  std::optional<Shard> shard = {};         ///< Always last, and by task, so epochs stay together.
};

/// The tasks that a selection names, by id. May be empty: the caller says what that means.
/// Errors: Invalid for a bad expression, and for a glob or tag that fits no task, with those that
/// come near; NotFound for the latter if no other task is selected.
Result<std::vector<Task>> select(std::vector<Task> tasks, const Selection& selection);

}  // namespace trialwright
