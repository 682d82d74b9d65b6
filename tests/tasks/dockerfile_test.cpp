#include "tasks/dockerfile.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/support/file_tree.h"

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DockerfileContent parsed(const std::string& text, const FileTree& context) {
  auto result = parse_dockerfile(text, context.path(), "/");
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : DockerfileContent{};
}

DockerfileContent parsed(const std::string& text) { return parsed(text, FileTree({})); }

std::string error_of(const std::string& text, const FileTree& context) {
  auto result = parse_dockerfile(text, context.path(), "/");
  EXPECT_FALSE(result);
  return result ? "" : result.error().message;
}

std::string error_of(const std::string& text) { return error_of(text, FileTree({})); }

const RunStep& run_at(const DockerfileContent& content, std::size_t index) {
  return std::get<RunStep>(content.environment.steps.at(index));
}

const CopyStep& copy_at(const DockerfileContent& content, std::size_t index) {
  return std::get<CopyStep>(content.environment.steps.at(index));
}

TEST(Dockerfile, ReadsImageFolderAndCommands) {
  const auto content = parsed(
      "# a comment\nFROM debian:bookworm-slim AS base\nWORKDIR /app\nRUN echo one && \\\n"
      "  # between the lines\n\n    echo two\n");

  EXPECT_EQ(content.environment.base, "debian:bookworm-slim");
  EXPECT_EQ(content.environment.working_folder, "/app");
  ASSERT_EQ(content.environment.steps.size(), 2U);
  EXPECT_EQ(run_at(content, 0).command, "mkdir -p /app");
  EXPECT_EQ(run_at(content, 1).command, "echo one &&     echo two");
  EXPECT_EQ(run_at(content, 1).cwd, "/app");
  EXPECT_THAT(content.unsupported, IsEmpty());
}

TEST(Dockerfile, StartsWhereTheImageStarts) {
  const auto content = parse_dockerfile("FROM x\nRUN pwd\nWORKDIR below", ".", "/app");
  ASSERT_TRUE(content);
  EXPECT_EQ(std::get<RunStep>(content->environment.steps[0]).cwd, "/app");
  EXPECT_EQ(content->environment.working_folder, "/app/below");
}

TEST(Dockerfile, PutsVariablesIn) {
  const auto content = parsed(
      "ARG TAG=12\nFROM debian:${TAG}\nARG TAG\nARG NAME=\"a b\"\nENV ONE=1 TWO='$ONE' "
      "THREE=\"$TAG \\$x\"\n"
      "ENV OLD the rest $ONE\nWORKDIR /w/${MISSING:-fallback}/${ONE:+set}$MISSING\nRUN env\n");

  EXPECT_EQ(content.environment.base, "debian:12");
  EXPECT_EQ(content.environment.working_folder, "/w/fallback/set");
  EXPECT_THAT(content.environment.env,
              ElementsAre(testing::Pair("OLD", "the rest 1"), testing::Pair("ONE", "1"),
                          testing::Pair("THREE", "12 $x"), testing::Pair("TWO", "$ONE")));
  const RunStep& run = run_at(content, 1);
  EXPECT_EQ(run.command, "env");
  EXPECT_EQ(run.env.at("NAME"), "a b");  // Arguments are there while the tree is built,
  EXPECT_EQ(content.environment.env.count("NAME"), 0U);  // and not after.
}

TEST(Dockerfile, CopiesFilesAndFolders) {
  const FileTree context({{"a.txt", ""}, {"b.txt", ""}, {"sub/c", ""}, {"with space", ""}});
  const auto content = parsed(
      "FROM x\nWORKDIR /app\nCOPY a.txt .\nCOPY *.txt /data/\nCOPY sub/ ./\nCOPY sub /other\n"
      "COPY [\"with space\", \"/with space\"]\nCOPY . /all\n",
      context);

  const auto root = std::filesystem::canonical(context.path());
  EXPECT_EQ(copy_at(content, 1).source, root / "a.txt");
  EXPECT_EQ(copy_at(content, 1).target, "/app/a.txt");
  EXPECT_EQ(copy_at(content, 2).target, "/data/a.txt");
  EXPECT_EQ(copy_at(content, 3).target, "/data/b.txt");
  EXPECT_EQ(copy_at(content, 4).source, root / "sub");
  EXPECT_EQ(copy_at(content, 4).target, "/app");
  EXPECT_EQ(copy_at(content, 5).target, "/other");
  EXPECT_EQ(copy_at(content, 6).target, "/with space");
  EXPECT_EQ(copy_at(content, 7).source, root);
}

TEST(Dockerfile, LeavesTheChoiceOpenWhetherATargetIsAFolder) {
  const FileTree context({{"trunc.db", ""}});
  EXPECT_EQ(copy_at(parsed("FROM x\nCOPY trunc.db /app", context), 0).target, "/app");
}

TEST(Dockerfile, NeverReadsOutsideItsFolder) {
  const FileTree context({{"in/file", ""}});
  std::filesystem::create_symlink("/etc/passwd", context.path() / "link");
  std::filesystem::create_directory_symlink("/etc", context.path() / "folder-link");
  std::filesystem::create_symlink("in/file", context.path() / "good-link");

  EXPECT_THAT(error_of("FROM x\nCOPY ../secret /", context), HasSubstr("leads out of"));
  EXPECT_THAT(error_of("FROM x\nCOPY in/../../secret /", context), HasSubstr("leads out of"));
  EXPECT_THAT(error_of("FROM x\nCOPY link /", context), HasSubstr("is a link out of"));
  EXPECT_THAT(error_of("FROM x\nCOPY l* /x/", context), HasSubstr("is a link out of"));
  EXPECT_THAT(error_of("FROM x\nCOPY folder-link/passwd /x/", context),
              HasSubstr("is a link out of"));
  EXPECT_THAT(error_of("FROM x\nADD folder-link/p* /x/", context), HasSubstr("is a link out of"));
  EXPECT_EQ(copy_at(parsed("FROM x\nCOPY good-link /x/", context), 0).target, "/x/good-link");
  // An absolute source starts at the context, as in Docker.
  EXPECT_THAT(error_of("FROM x\nCOPY /etc/passwd /", context),
              HasSubstr("is not in the build context"));
}

TEST(Dockerfile, ReadsHeredocs) {
  const auto content = parsed(
      "FROM x\nENV WHO=you\nRUN <<EOF\necho one\necho two\nEOF\n"
      "RUN cat <<-'END' > /f\n\thello\n\tEND\n"
      "COPY <<EOF /greeting\nhello $WHO\nEOF\nCOPY <<\"EOF\" /raw\nhello $WHO\nEOF\nRUN "
      "<<EOF\n#!/usr/bin/python3\nprint(1)\nEOF\n");

  EXPECT_EQ(run_at(content, 0).command, "echo one\necho two\n");
  EXPECT_EQ(run_at(content, 1).command, "cat <<-'END' > /f\nhello\nEND\n");
  EXPECT_THAT(run_at(content, 2).command, HasSubstr("hello you\n"));
  EXPECT_THAT(run_at(content, 3).command, HasSubstr("hello $WHO\n"));
  EXPECT_THAT(run_at(content, 4).command, HasSubstr("#!/usr/bin/python3\nprint(1)\n"));
}

TEST(Dockerfile, RunsExecFormAndOtherShells) {
  const auto content = parsed(
      "FROM x\nRUN [\"echo\", \"a b\", \"it's\"]\nSHELL [\"/bin/bash\", \"-c\"]\nRUN echo $x\n");
  EXPECT_EQ(run_at(content, 0).command, "echo 'a b' 'it'\\''s'");
  EXPECT_EQ(run_at(content, 1).command, "/bin/bash -c 'echo $x'");
}

TEST(Dockerfile, UnpacksArchivesThatAreAdded) {
  const FileTree context({{"data.tar.gz", ""}});
  const auto content = parsed("FROM x\nADD data.tar.gz /srv/\n", context);
  EXPECT_THAT(run_at(content, 1).command,
              HasSubstr("tar -xf /.trialwright-add/data.tar.gz -C /srv"));
}

TEST(Dockerfile, SaysWhatItCannotGive) {
  EXPECT_THAT(parsed("FROM x\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/").unsupported,
              ElementsAre("its Dockerfile has COPY --from=ghcr.io/astral-sh/uv:latest"));
  EXPECT_THAT(parsed("FROM x\nADD https://example.com/a /a").unsupported,
              ElementsAre(HasSubstr("ADD of https://example.com/a")));
  EXPECT_THAT(parsed("FROM x AS one\nFROM y\n").unsupported,
              ElementsAre("it builds in several stages"));
  EXPECT_THAT(parsed("FROM x\nRUN --mount=type=secret,id=k cat /run/secrets/k").unsupported,
              ElementsAre(HasSubstr("--mount=type=secret")));
}

TEST(Dockerfile, NotesWhatItDoesOtherwise) {
  const FileTree context({{"f", ""}});
  const auto content = parsed(
      "FROM x\nUSER agent\nEXPOSE 80\nENTRYPOINT [\"/e\"]\nCOPY --chown=a:b f /f\nLABEL a=b\nCMD "
      "[\"bash\"]\n",
      context);
  EXPECT_THAT(content.unsupported, IsEmpty());
  EXPECT_THAT(content.notes, ElementsAre(HasSubstr("USER agent"), HasSubstr("EXPOSE"),
                                         HasSubstr("ENTRYPOINT"), HasSubstr("--chown=a:b")));
}

TEST(Dockerfile, NamesTheLineAndTheInstruction) {
  EXPECT_EQ(error_of("FROM x\n\nFETCH a"), "line 3: FETCH: is no instruction of a Dockerfile");
  EXPECT_EQ(error_of("RUN a"), "line 1: RUN: only ARG may come before FROM");
  EXPECT_EQ(error_of("# nothing"), "it has no FROM");
  EXPECT_THAT(error_of("FROM x\nCOPY missing /"),
              HasSubstr("line 2: COPY: \"missing\" is not in the build context /"));
  EXPECT_EQ(error_of("FROM x\nENV A"), "line 2: ENV: \"A\" has no value");
  EXPECT_EQ(error_of("FROM x\nRUN <<EOF\nnever"), "line 2: RUN: the heredoc EOF is never closed");
  EXPECT_EQ(error_of("FROM x\nENV A=\"b"), "line 2: ENV: a \" is never closed");
  EXPECT_EQ(error_of("FROM x\nENV A=${b"), "line 2: ENV: a ${ is never closed");
  EXPECT_THAT(error_of("FROM x\nENV A=${b#c}"), HasSubstr("of a kind that is not known"));
  EXPECT_EQ(error_of("FROM x\nCOPY --mystery a b"), "line 2: COPY: --mystery is not known");
}

TEST(Dockerfile, VariablesCannotGrowWithoutEnd) {
  std::string text = "FROM x\nENV A=aaaaaaaaaa\n";
  for (int i = 0; i < 40; ++i) text += "ENV A=$A$A\n";
  EXPECT_THAT(error_of(text), HasSubstr("the variables are larger than 256 KiB together"));
}

TEST(Dockerfile, LeavesTheModeOfAFolderThatAFileIsCopiedInto) {
  const auto content =
      parsed("FROM x\nCOPY --chmod=644 a.txt /app\nCOPY a.txt /b\n", FileTree({{"a.txt", "a"}}));
  ASSERT_EQ(content.environment.steps.size(), 2U);
  EXPECT_EQ(copy_at(content, 0).mode, 0644U);
  EXPECT_EQ(copy_at(content, 1).mode, std::nullopt);
  EXPECT_THAT(error_of("FROM x\nCOPY --chmod=u+x a.txt /app"), HasSubstr("octal number"));
}

TEST(Dockerfile, TakesAShiftInArithmeticForNoHeredoc) {
  const auto content = parsed(
      "FROM x\nRUN echo $((1<<20)) \"<<A\" (<<A)\nRUN cat 3<<A <<'B C'\n1\nA\n2\nB C\nRUN cat "
      "<<<x\n");
  ASSERT_EQ(content.environment.steps.size(), 3U);
  EXPECT_EQ(run_at(content, 0).command, "echo $((1<<20)) \"<<A\" (<<A)");
  EXPECT_EQ(run_at(content, 1).command, "cat 3<<A <<'B C'\n1\nA\n2\nB C\n");
  EXPECT_EQ(run_at(content, 2).command, "cat <<<x");
}

TEST(Dockerfile, BoundsVariablesOfOneLineAndTheirCopiesToo) {
  const std::string start = "FROM x\nENV A=" + std::string(100'000, 'x');
  EXPECT_THAT(error_of(start + "\nENV B=$A$A C=$A$A"), HasSubstr("variables are larger"));
  std::string words = "\nENV A=y";
  for (int i = 0; i < 20; ++i) words += " B" + std::to_string(i) + "=$A";
  EXPECT_THAT(error_of(start + words), HasSubstr("larger than 1 MiB"));
  std::string runs = start;
  for (int i = 0; i < 1'000; ++i) runs += "\nRUN x";
  EXPECT_THAT(error_of(runs), HasSubstr("variables of all commands"));
}

}  // namespace
}  // namespace trialwright
