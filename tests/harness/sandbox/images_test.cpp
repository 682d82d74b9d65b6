#include <sys/stat.h>

#include <thread>

#include "tests/harness/sandbox/sandbox_fixture.h"

namespace trialwright {
namespace {

class SandboxImages : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    auto folder = TemporaryFolder::make("environment");
    ASSERT_TRUE(folder);
    files_.emplace(std::move(*folder));
    ASSERT_TRUE(write_file_atomically(files_->path() / "run.sh", "echo run\n"));
    ASSERT_EQ(chmod((files_->path() / "run.sh").c_str(), 0755), 0);
    ASSERT_TRUE(write_file_atomically(files_->path() / "sub/data.txt", "data\n"));
    std::filesystem::create_symlink("sub/data.txt", files_->path() / "link");
  }
  std::optional<TemporaryFolder> files_;
};
INSTANTIATE_TEST_SUITE_P(Both, SandboxImages, ::testing::Values(Recipe::Mapped, Recipe::Single),
                         recipe_name);

TEST_P(SandboxImages, AreMadeOfCopiesAndCommands) {
  environment_.working_folder = "/srv/place";
  environment_.steps = {CopyStep{files_->path(), "/srv/place"},
                        CopyStep{files_->path() / "run.sh", "/usr/local/bin/"},
                        CopyStep{files_->path() / "sub/data.txt", "/etc/renamed"},
                        RunStep{"echo $WHO > who && mkdir /made", "/srv/place", {{"WHO", "me"}}}};
  auto box = machine();
  EXPECT_EQ(
      said_by(*box, "pwd; cat link who /etc/renamed; run.sh; stat -c '%a %U' run.sh; ls -d /made"),
      "/srv/place\ndata\nme\ndata\nrun\n755 root\n/made\n");
}

TEST_P(SandboxImages, GiveTheModeOfACopyToWhatWasCopiedAndNotToTheFolderItWentInto) {
  environment_.steps = {CopyStep{files_->path() / "sub/data.txt", "/app", 0640U},
                        CopyStep{files_->path() / "sub", "/srv", 0700U}};
  auto box = machine();
  EXPECT_EQ(said_by(*box, "stat -c %a /app /app/data.txt /srv /srv/data.txt"),
            "755\n640\n755\n700\n");
}

TEST_P(SandboxImages, AreNotChangedByTrials) {
  environment_.steps = {RunStep{"echo original > /app/f", "/", {}}};
  auto first = machine();
  bash(*first, "echo changed > f; echo other > g");
  auto second = machine();
  EXPECT_EQ(said_by(*second, "cat f; ls"), "original\nf\n");
}

TEST_P(SandboxImages, AreBuiltOnceForAllWhoAsk) {
  environment_.steps = {RunStep{"sleep 0.2; date +%N > /app/when", "/", {}}};
  std::shared_ptr<const SandboxImage> images[3];
  {
    std::vector<std::jthread> askers;
    for (auto& image : images) {
      askers.emplace_back([&] {
        auto built = sandbox_->build(environment_, limits_, {});
        if (built) image = *built;
      });
    }
  }
  ASSERT_NE(images[0], nullptr);
  EXPECT_EQ(images[0], images[1]);
  EXPECT_EQ(images[0], images[2]);
  ASSERT_TRUE(write_file_atomically(files_->path() / "sub/data.txt", "other\n"));
  environment_.steps.emplace_back(CopyStep{files_->path(), "/app"});
  const auto other = sandbox_->build(environment_, limits_, {});
  ASSERT_TRUE(other);
  EXPECT_NE(*other, images[0]);
}

TEST_P(SandboxImages, ThatCannotBeBuiltSayWhichStepAndWhy) {
  environment_.steps = {RunStep{"echo the reason >&2; exit 4", "/", {}}};
  const auto image = sandbox_->build(environment_, limits_, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, ErrorKind::Invalid);
  EXPECT_EQ(
      image.error().message,
      "building the environment: build step `echo the reason >&2; exit 4` exited 4: the reason");
  environment_.steps = {CopyStep{files_->path() / "none", "/app/"}};
  EXPECT_EQ(sandbox_->build(environment_, limits_, {}).error().kind, ErrorKind::Invalid);
}

TEST_P(SandboxImages, EndTheirBuildAtItsTimeoutOrWhenStopped) {
  limits_.build_timeout = std::chrono::seconds(1);
  environment_.steps = {RunStep{"sleep 7301", "/", {}}};
  EXPECT_EQ(sandbox_->build(environment_, limits_, {}).error().kind, ErrorKind::Invalid);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(sandbox_->build(environment_, limits_, source.get_token()).error().kind,
            ErrorKind::Cancelled);
  EXPECT_TRUE(eventually([] { return processes_named("7301").empty(); }));
}

TEST_P(SandboxImages, AreBuiltWithStandInsThatAgentsDoNotSee) {
  environment_.steps = {
      RunStep{"apt-get update && apt-get install -y nothing && pip install x==1 && "
              "python3 -m venv /app/.venv && . /app/.venv/bin/activate && "
              "curl -LsSf https://astral.sh/uv/install.sh | sh && . ~/.local/bin/env && "
              "uv venv && uv pip install y && uvx --with z true && ! curl https://example.org",
              "/app",
              {}}};
  auto box = machine();
  EXPECT_EQ(bash(*box, "ls /run/offline/bin; type -P uv uvx").out.text(), "");
  box->offer_installers();
  EXPECT_EQ(said_by(*box, "apt-get install -y x && uvx --with q pytest --version | head -c 6"),
            "pytest");
}

TEST_P(SandboxImages, MayStandOnABaseFolder) {
  // The smallest root there is: the host's own shell with its libraries.
  const auto root = files_->path() / "root";
  const std::string make =
      "mkdir -p " + root.string() + "/usr/bin /tmp/x && cd " + root.string() +
      " && mkdir -p usr/lib usr/lib64 etc app tmp proc dev root && ln -s usr/bin bin && ln -s "
      "usr/lib lib && "
      "ln -s usr/lib64 lib64 && cp /usr/bin/sh /usr/bin/mkdir /usr/bin/cat usr/bin/ && "
      "for f in $(ldd /usr/bin/mkdir /usr/bin/sh | grep -o '/[^ ]*so[^ ]*' | sort -u); do "
      "mkdir -p .$(dirname $(realpath -s $f)) && cp -L $f .$f; done && chmod 755 . && chmod 755 " +
      files_->path().string();
  ASSERT_EQ(std::system(make.c_str()), 0);
  auto opened =
      open_bubblewrap_sandbox({.base_folder = root, .single_id = GetParam() == Recipe::Single});
  ASSERT_TRUE(opened) << opened.error().message;
  sandbox_ = std::move(*opened);
  auto box = machine();
  ASSERT_NE(box, nullptr);
  EXPECT_EQ(run(*box, {"sh", "-c",
                       "echo small; test -e /usr/bin/python3 || echo no python; echo > /usr/bin/x"})
                .out.text(),
            "small\nno python\n");
  EXPECT_FALSE(std::filesystem::exists(root / "usr/bin/x"));
}

}  // namespace
}  // namespace trialwright
