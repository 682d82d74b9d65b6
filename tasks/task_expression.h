#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "tasks/task.h"

namespace trialwright {

/// A condition on tasks, such as `tag:git and not slow`.
///
/// Words are joined by `and`, `or`, `not` and parentheses; `and` binds closer than `or`.
///   tag:GLOB  the task has such a tag
///   id:GLOB   the task's id, with or without the suite's name, fits the glob
///   word      part of the id, or one of the tags
/// A word in double quotes may hold spaces and parentheses.
class TaskExpression {
 public:
  /// Errors: Invalid, pointing at the column.
  static Result<TaskExpression> parse(std::string_view text);

  TaskExpression(TaskExpression&&) noexcept;
  TaskExpression& operator=(TaskExpression&&) noexcept;
  ~TaskExpression();

  [[nodiscard]] bool matches(const Task& task) const;

  struct Node;

 private:
  explicit TaskExpression(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

/// True if a glob fits one of the task's tags.
bool has_tag(const Task& task, std::string_view glob);

/// True if a glob fits a task's id, with or without the suite's name in front.
bool glob_fits_id(std::string_view glob, std::string_view id);

}  // namespace trialwright
