#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tasks/workspace.h"

namespace trialwright {

/// What a verifier wrote, before anybody decides what it is worth.
struct RewardFiles {
  std::optional<double> from_json;
  std::optional<double> from_text;
  Json json;  ///< All of reward.json; null if it is not there.
};

/// Reads /logs/verifier/reward.json and reward.txt.
/// Errors: Invalid if one is there and gives no number from 0 to 1; Unavailable.
Result<RewardFiles> read_reward_files(VerifierWorkspace& workspace);

/// A number from 0 to 1, with white space around it. Errors: Invalid.
Result<double> parse_reward_text(std::string_view text);

/// A number from 0 to 1; or an object whose "reward" is one, or that holds one number only.
/// Errors: Invalid.
Result<double> reward_of_json(const Json& json);

/// What a CTRF report (ctrf.io) says, with at most 20 names:
/// ```
///   {"tests": 3, "passed": 2, "failed": ["name"]}
///   {"unreadable": "why"}   if it cannot be read
///   null                    if there is none
/// ```
Json read_ctrf(VerifierWorkspace& workspace);

}  // namespace trialwright
