#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/cpu/roof.h"
#include "inference/llm/speed_test.h"

namespace trialwright {

/// One line of `trialwright bench`: a test of a model with a number of threads.
struct BenchRow {
  std::string model;   ///< The file's name.
  std::string device;  ///< "cpu avx2"
  ModelWork work;
  int threads = 1;
  int rows_together = 0;  ///< Of a prompt: llama-bench's n_ubatch.
  SpeedTest test;
  std::int64_t wall_us = 0;  ///< When the test began, since 1970.
  std::vector<std::chrono::nanoseconds> times;
  Roof roof;  ///< Of the machine with these threads.
};

enum class BenchFormat { Markdown, Csv, JsonArray, JsonLines };

/// Errors: Invalid, naming those that there are.
Result<BenchFormat> parse_bench_format(std::string_view name);

/// A table has a beginning, lines and an end, so that each line can be shown as soon as it is
/// known. The columns have llama-bench's names where they mean the same.
std::string bench_heading(BenchFormat format);
std::string bench_line(BenchFormat format, const BenchRow& row, bool first);
std::string bench_ending(BenchFormat format);

}  // namespace trialwright
