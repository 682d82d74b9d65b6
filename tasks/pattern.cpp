#include "tasks/pattern.h"

#include <re2/re2.h>

namespace trialwright {

Result<std::shared_ptr<const RE2>> compile_pattern(std::string_view pattern) {
  constexpr std::int64_t kCompiledBytesMax = 1 << 20;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kCompiledBytesMax);
  auto compiled =
      std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok()) return invalid(compiled->error());
  return compiled;
}

}  // namespace trialwright
