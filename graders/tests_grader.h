#pragma once

#include <span>

#include "graders/grader.h"

namespace trialwright {

/// Runs the task's own tests and reads the reward they give.
///
/// RewardSource::RewardFile: /logs/verifier/reward.json (a number, or an object with "reward"),
/// else reward.txt. If both are there and differ, reward.json counts and the grade tells both. As
/// in Harbor, no reward file, an empty one, a timeout, or a reward outside [0, 1] is an error: the
/// tests gave no verdict. Neither did tests that a signal or want of memory ended, whatever reward
/// is there: the program under test may have done both. Whether the agent is to blame can only be
/// said by who can try the tests on a machine that no agent touched. RewardSource::ExitCode: exit
/// status 0 is 1; anything else, a timeout too, is 0, as in Terminal-Bench 1.
///
/// Evidence: {"exit_code" or "end", "output_tail", "reward_json", "reward_txt", "ctrf"}.
class TestsGrader final : public Grader {
 public:
  TestsGrader();

  [[nodiscard]] const GraderIdentity& identity() const override { return identity_; }

  /// For tasks with one step. Errors: Invalid for others, and as `grade_step`.
  Result<Grade> grade(const Task& task, const Trace& trace, VerifierWorkspace* workspace,
                      std::stop_token stop) override;

  /// Grades one step, in a workspace with that step's tests at /tests.
  /// Errors: Invalid if the tests gave no verdict; Unavailable; Cancelled.
  Result<Grade> grade_step(const Task& task, std::size_t step, VerifierWorkspace& workspace,
                           std::stop_token stop);

  /// The grade of an agent on whose work the tests gave no verdict, although they work: 0.
  [[nodiscard]] Grade grade_without_verdict(std::string explanation) const;

  /// The task's grade from those of its steps that were reached, in order; at least one.
  [[nodiscard]] Grade combine(const WorkspaceTask& task, std::span<const Grade> reached) const;

 private:
  [[nodiscard]] Grade empty_grade() const;

  GraderIdentity identity_;
};

/// True if the steps after `step` are to be run: its grade reaches the step's `reward_min`.
bool goes_on_after(const TaskStep& step, const Grade& grade);

}  // namespace trialwright
