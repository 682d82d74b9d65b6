// The rows of `trialwright bench`, and a measurement of a model too small to matter.

#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "harness/cli/bench_rows.h"
#include "tests/harness/cli/program.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

BenchRow generation_row() {
  BenchRow row;
  row.model = "tiny.gguf";
  row.device = "cpu avx2";
  row.work = {.type = "llama Q4_1",
              .bytes = 3 * 1024 * 1024,
              .parameters = 4'500'000,
              .bytes_per_step = 50'000'000,
              .operations_per_token = 200'000'000,
              .operations_of_logits = 50'000'000};
  row.threads = 2;
  row.rows_together = 256;
  row.test = {0, 100, 1};
  row.wall_us = 1'768'473'000'000'000;
  row.times = {milliseconds(500), milliseconds(250)};
  row.roof = {.read_bytes_per_second = 30e9, .operations_per_second = 300e9};
  return row;
}

TEST(BenchRows, MarkdownShowsShareOfTheRoof) {
  BenchRow row = generation_row();
  EXPECT_EQ(bench_line(BenchFormat::Markdown, row, true),
            "| llama Q4_1 | 3.00 MiB | 4.50 M | CPU | 2 | tg100 | 300.00 ± 141.42 | 15.0 (50 %) | "
            "75 (25 %) |\n");
  row.test = {100, 0, 1};
  EXPECT_EQ(bench_line(BenchFormat::Markdown, row, false),
            "| llama Q4_1 | 3.00 MiB | 4.50 M | CPU | 2 | pp100 | 300.00 ± 141.42 | - | 60 (20 %) "
            "|\n");
}

TEST(BenchRows, JsonHasTheFieldsOfLlamaBench) {
  auto row = parse_json(bench_line(BenchFormat::JsonLines, generation_row(), true));
  ASSERT_TRUE(row) << row.error().message;
  EXPECT_EQ((*row)["model_filename"], "tiny.gguf");
  EXPECT_EQ((*row)["n_prompt"], 0);
  EXPECT_EQ((*row)["n_gen"], 100);
  EXPECT_EQ((*row)["n_threads"], 2);
  EXPECT_EQ((*row)["test_time"], "2026-01-15T10:30:00Z");
  EXPECT_EQ((*row)["avg_ns"], 375'000'000);
  EXPECT_EQ((*row)["avg_ts"], 300.0);
  EXPECT_EQ((*row)["samples_ns"], Json({500'000'000, 250'000'000}));
  EXPECT_EQ((*row)["samples_ts"], Json({200.0, 400.0}));
  EXPECT_EQ((*row)["read_roof"], 30e9);
}

TEST(BenchRows, JsonIsOneArray) {
  const auto whole = [](std::size_t rows) {
    std::string text = bench_heading(BenchFormat::JsonArray);
    for (std::size_t i = 0; i < rows; ++i) {
      text += bench_line(BenchFormat::JsonArray, generation_row(), i == 0);
    }
    return parse_json(text + bench_ending(BenchFormat::JsonArray));
  };
  for (const std::size_t rows : {1U, 3U}) {
    auto json = whole(rows);
    ASSERT_TRUE(json) << json.error().message;
    EXPECT_EQ(json->size(), rows);
  }
}

TEST(BenchRows, CsvHasAColumnForEachName) {
  BenchRow row = generation_row();
  row.model = "a \"b\".gguf";
  const std::string line = bench_line(BenchFormat::Csv, row, true);
  EXPECT_THAT(line, HasSubstr("\"a \"\"b\"\".gguf\",\"llama Q4_1\",\"3145728\",\"4500000\","));
  EXPECT_EQ(split(line, ',').size(), split(bench_heading(BenchFormat::Csv), ',').size());
  EXPECT_THAT(bench_heading(BenchFormat::Csv), HasSubstr("n_prompt,n_gen,"));
}

TEST(BenchRows, FormatsAreKnownByName) {
  EXPECT_EQ(*parse_bench_format("csv"), BenchFormat::Csv);
  auto unknown = parse_bench_format("sql");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("md, csv, json or jsonl"));
}

TEST(Bench, MeasuresEveryCombination) {
  const FileTree folder{{"tiny.gguf", tiny_model_bytes({.layers = 1, .vocabulary = 32})}};

  const ProgramResult result =
      run_trialwright({"bench", "tiny.gguf", "-p", "20", "-n", "4,5", "-t", "1,2", "--batch", "1,2",
                       "-r", "2", "--output", "jsonl"},
                      folder.path());

  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> tests;
  for (const std::string_view line : split(result.out, '\n')) {
    if (line.empty()) continue;
    auto row = parse_json(line);
    ASSERT_TRUE(row) << line;
    tests.push_back((*row)["test"].get<std::string>() + "/" +
                    std::to_string((*row)["n_threads"].get<int>()));
    EXPECT_EQ((*row)["samples_ns"].size(), 2U);
    EXPECT_GT((*row)["avg_ts"], 0);
    EXPECT_GT((*row)["read_roof"], 0);
  }
  EXPECT_THAT(tests, ElementsAre("pp20/1", "tg4/1", "tg5/1", "pp20@2/1", "tg4@2/1", "tg5@2/1",
                                 "pp20/2", "tg4/2", "tg5/2", "pp20@2/2", "tg4@2/2", "tg5@2/2"));
}

}  // namespace
}  // namespace trialwright
