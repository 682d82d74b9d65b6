#include <gmock/gmock.h>

#include "tests/harness/sandbox/sandbox_fixture.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

class SandboxGrading : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    auto folder = TemporaryFolder::make("tests");
    ASSERT_TRUE(folder);
    tests_.emplace(std::move(*folder));
    ASSERT_TRUE(write_file_atomically(tests_->path() / "test.sh", "echo real tests\n"));
    ASSERT_TRUE(write_file_atomically(tests_->path() / "test_it.py",
                                      "def test_it():\n  assert False, 'the real test ran'\n"));
  }
  std::unique_ptr<GradingWorkspace> seal(AgentWorkspace& box) {
    auto grading = box.seal({{tests_->path(), "/tests"}});
    EXPECT_TRUE(grading) << (grading ? "" : grading.error().message);
    return grading ? std::move(*grading) : nullptr;
  }

  std::optional<TemporaryFolder> tests_;
};
INSTANTIATE_TEST_SUITE_P(Both, SandboxGrading, ::testing::Values(Recipe::Mapped, Recipe::Single),
                         recipe_name);

TEST_P(SandboxGrading, SeesTheAgentsFilesAndTheTests) {
  auto box = machine();
  EXPECT_NE(bash(*box, "ls /tests").code, 0);
  bash(*box, "echo done > answer.txt; rm /etc/fstab; echo t > /tmp/t");
  auto grading = seal(*box);
  EXPECT_EQ(bash(*grading, "cat answer.txt /tmp/t; ls /etc/fstab 2>/dev/null; bash /tests/test.sh")
                .out.text(),
            "done\nt\nreal tests\n");
  EXPECT_EQ(grading->working_folder(), "/app");
  EXPECT_NE(bash(*grading, "echo x > /tests/test.sh || rm -rf /tests").code, 0);
}

TEST_P(SandboxGrading, FindsNoProcessOfTheAgentAlive) {
  auto box = machine();
  bash(*box,
       "(setsid bash -c 'trap \"\" TERM; while true; do date +%N > /app/clock; sleep 0.01; done; "
       ": 7201' >/dev/null 2>&1 &)");
  EXPECT_TRUE(eventually([&] { return static_cast<bool>(box->read_file("/app/clock", 100)); }));
  EXPECT_FALSE(processes_named("7201").empty());
  auto grading = seal(*box);
  EXPECT_TRUE(processes_named("7201").empty());
  const auto before = grading->read_file("/app/clock", 100);
  usleep(50'000);
  EXPECT_EQ(*grading->read_file("/app/clock", 100), *before);
  EXPECT_EQ(bash(*grading, kCountProcesses).out.text(), kRunnerAndShell);
}

TEST_P(SandboxGrading, ReadsTheVerdictOfTestsOnly) {
  auto box = machine();
  bash(*box, "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt");
  auto grading = seal(*box);
  EXPECT_EQ(grading->read_verdict("reward.txt", 100).error().kind, ErrorKind::NotFound);
  bash(*grading, "echo 0.5 > /logs/verifier/reward.txt");
  EXPECT_EQ(*grading->read_verdict("reward.txt", 100), "0.5\n");
}

TEST_P(SandboxGrading, EndsWhatTestsLeftRunningBeforeItReadsTheVerdict) {
  auto box = machine();
  auto grading = seal(*box);
  bash(*grading,
       "(setsid bash -c 'echo up > /app/up; sleep 0.1; while true; do echo 1 > "
       "/logs/verifier/reward.txt; done; : 7203' >/dev/null 2>&1 &)");
  EXPECT_TRUE(eventually([&] { return static_cast<bool>(grading->read_file("/app/up", 100)); }));
  EXPECT_FALSE(processes_named("7203").empty());
  (void)grading->read_verdict("reward.txt", 100);
  EXPECT_TRUE(processes_named("7203").empty());
  bash(*grading, "echo 0 > /logs/verifier/reward.txt");
  usleep(200'000);
  EXPECT_EQ(*grading->read_verdict("reward.txt", 100), "0\n");
}

TEST_P(SandboxGrading, TakesNothingButAPlainFileForAVerdict) {
  auto box = machine();
  auto grading = seal(*box);
  bash(*grading,
       "cd /logs/verifier; echo 1 > /app/one; ln -s /app/one link; mkfifo fifo; mkdir folder; "
       "ln -s loop loop; truncate -s 30M sparse; ln /logs/verifier/none x; echo 1 > a; ln a hard; "
       "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/logs/verifier/sock\")'");
  for (const char* name : {"link", "fifo", "folder", "loop", "sparse", "sock"}) {
    const auto verdict = grading->read_verdict(name, 1U << 20U);
    ASSERT_FALSE(verdict) << name;
    EXPECT_EQ(verdict.error().kind, ErrorKind::Invalid) << name;
  }
  EXPECT_EQ(*grading->read_verdict("hard", 100), "1\n");
  for (const char* name : {"../verifier/a", "..", "", "/etc/passwd", "."}) {
    EXPECT_FALSE(grading->read_verdict(name, 100)) << name;
  }
}

TEST_P(SandboxGrading, CannotBeLedAwayFromTheTestsByLinks) {
  auto box = machine();
  bash(*box,
       "mkdir fake; echo 'echo fake tests' > fake/test.sh; ln -s /app/fake /tests; "
       "rm -rf /logs; ln -s /app/fake /logs; rm -rf /tmp; ln -s /oldroot /tmp; rm -rf /dev /proc "
       "2>/dev/null; true");
  auto grading = seal(*box);
  EXPECT_EQ(bash(*grading, "bash /tests/test.sh; echo 0 > /logs/verifier/reward.txt").out.text(),
            "real tests\n");
  EXPECT_EQ(*grading->read_verdict("reward.txt", 100), "0\n");
}

TEST_P(SandboxGrading, UsesTheSystemsProgramsAndNotTheAgents) {
  auto box = machine();
  bash(*box,
       "for p in /usr/bin/bash /usr/bin/cat /usr/bin/python3 /usr/bin/python3.11 "
       "/usr/local/bin/python3; do "
       "rm -f $p; printf '#!/bin/sh\\necho hijacked\\n' > $p; chmod 755 $p; done; "
       "rm -f /usr/bin/ls; rm /bin; mkdir /bin; cp /usr/local/bin/python3 /bin/sh");
  auto grading = seal(*box);
  EXPECT_EQ(
      said_by(*grading, "echo real | cat; python3 -c 'print(1)'; ls /tests; /bin/sh -c 'echo sh'"),
      "real\n1\ntest.sh\ntest_it.py\nsh\n");
}

TEST_P(SandboxGrading, RunsNoProgramThatTheAgentPutInFrontOfTheSystems) {
  auto box = machine();
  // Debian has none of these in these places.
  bash(*box,
       "mkdir -p /usr/games /usr/local/games; for p in /usr/sbin/bash /usr/sbin/cat "
       "/usr/local/sbin/sh /usr/local/bin/grep /usr/sbin/python3 /usr/games/ls /usr/bin/python; do "
       "printf '#!/bin/sh\\necho hijacked; echo 1 > /logs/verifier/reward.txt\\n' > $p; "
       "chmod 755 $p; done; echo 'home = /app' > /usr/bin/pyvenv.cfg; "
       "cp /usr/bin/pyvenv.cfg /usr/pyvenv.cfg; cp /usr/bin/pyvenv.cfg /usr/local/pyvenv.cfg");
  auto grading = seal(*box);
  EXPECT_EQ(said_by(*grading,
                    "echo real | cat | grep real; sh -c 'echo sh'; ls /tests; python3 -c "
                    "'print(1)'; python -c 'print(2)'; ls /usr/pyvenv.cfg /usr/bin/pyvenv.cfg "
                    "/usr/local/pyvenv.cfg 2>/dev/null; cat /logs/verifier/reward.txt 2>/dev/null"),
            "real\nsh\ntest.sh\ntest_it.py\n1\n2\n");
}

TEST_P(SandboxGrading, FollowsATasksPathOnlyToProgramsOfTheImage) {
  environment_.steps = {
      RunStep{"mkdir -p /opt/kit/bin; printf '#!/bin/sh\\necho kit\\n' > /opt/kit/bin/kit; "
              "cp /opt/kit/bin/kit /opt/kit/bin/date; chmod 755 /opt/kit/bin/*",
              "/",
              {}}};
  environment_.env["PATH"] = "/app/bin:/opt/kit/bin:.:/made/bin:/usr/local/bin:/usr/bin:/bin";
  auto box = machine();
  ASSERT_NE(box, nullptr);
  bash(*box,
       "mkdir -p /app/bin /made/bin; for p in /app/bin/cat /app/bin/own /opt/kit/bin/kit "
       "/opt/kit/bin/cat /opt/kit/bin/more-kit /made/bin/cat /app/cat; do "
       "rm -f $p; printf '#!/bin/sh\\necho agent\\n' > $p; chmod 755 $p; done");
  auto grading = seal(*box);
  EXPECT_EQ(said_by(*grading, "echo real | cat; kit; date; own; more-kit; /opt/kit/bin/kit"),
            "real\nkit\nkit\nagent\nagent\nkit\n");
}

TEST_P(SandboxGrading, ReadsNoSettingsOfTheAgentsBeforeAProgram) {
  auto box = machine();
  bash(*box,
       "mkdir -p /etc/profile.d /etc/perl /etc/ssl /etc/ld.so.conf.d /usr/local/share/perl/5.36.0 "
       "/usr/local/include; "
       "echo 'echo hijacked' | tee /etc/profile /etc/profile.d/x.sh /etc/bash.bashrc ~/.profile "
       "~/.bash_profile ~/.bash_login > /dev/null; "
       "echo 'print \"hijacked\\n\"; 1;' | tee /etc/perl/strict.pm "
       "/usr/local/share/perl/5.36.0/strict.pm > /dev/null; "
       "echo '#error hijacked' > /usr/local/include/stdio.h; "
       "echo hijacked > /etc/ssl/openssl.cnf; echo /app > /etc/ld.so.conf.d/0.conf");
  auto grading = seal(*box);
  EXPECT_EQ(said_by(*grading,
                    "bash -lc 'echo login'; perl -e 'use strict; print \"perl\\n\"'; "
                    "echo '#include <stdio.h>' | gcc -E -x c - > /dev/null && echo gcc; "
                    "grep hijacked /etc/ssl/openssl.cnf; ls /etc/ld.so.conf.d/0.conf 2>/dev/null"),
            "login\nperl\ngcc\n");
}

TEST_P(SandboxGrading, StillFindsWhatTheAgentInstalled) {
  auto box = machine();
  bash(*box,
       "printf '#!/bin/sh\\necho tool\\n' > /usr/local/bin/tool; chmod 755 /usr/local/bin/tool; "
       "cp /usr/local/bin/tool /usr/bin/other-tool; "
       "mkdir -p /usr/local/lib/python3.11/dist-packages; "
       "echo 'x = 5' > /usr/local/lib/python3.11/dist-packages/made_here.py");
  auto grading = seal(*box);
  EXPECT_EQ(
      said_by(*grading,
              "tool; other-tool; /usr/bin/python3.11 -c 'import made_here; print(made_here.x)'"),
      "tool\ntool\n5\n");
}

TEST_P(SandboxGrading, RunsNoHookOfTheAgents) {
  auto box = machine();
  // First, because afterwards no Python starts any more.
  EXPECT_EQ(bash(*box,
                 "echo 'print(\"hijacked\")' > /tmp/sitecustomize.py; python3 -c \"import zipfile; "
                 "zipfile.ZipFile('/usr/lib/python311.zip', 'w').write('/tmp/sitecustomize.py', "
                 "'sitecustomize.py')\"; python3 -c 'print(1)'")
                .out.text(),
            "hijacked\n1\n");
  bash(
      *box,
      "d=/usr/local/lib/python3.11/dist-packages; mkdir -p $d/pytest "
      "~/.local/lib/python3.11/site-packages ~/.local/bin; "
      "h='import sys; print(\"hijacked\"); sys.exit(0)'; "
      "echo \"$h\" | tee $d/sitecustomize.py $d/usercustomize.py $d/pytest/__init__.py $d/evil.pth "
      "/etc/python3.11/sitecustomize.py ~/.local/lib/python3.11/site-packages/usercustomize.py "
      "/usr/lib/python3/dist-packages/sitecustomize.py /app/pytest.py /app/sitecustomize.py > "
      "/dev/null; "
      "echo 'echo hijacked' | tee ~/.bashrc ~/.profile ~/.bash_profile ~/.local/bin/env "
      "/etc/profile > /dev/null; "
      "printf '[pytest]\\naddopts = --co\\n' | tee /pytest.ini /app/pytest.ini > /dev/null; "
      "echo /app/evil.so > /etc/ld.so.preload; echo broken > /etc/ld.so.cache; "
      "echo 'raise SystemExit(0)' | tee /conftest.py /app/conftest.py > /dev/null; "
      "mkdir -p /usr/lib/python3.11/typing $d/evil-1.0.dist-info /app/evil-1.0.dist-info; "
      "echo \"$h\" | tee /usr/lib/python3.11/typing/__init__.py $d/evil.py /app/evil.py "
      "/app/json.py > /dev/null; "
      "printf '[pytest11]\\nevil = evil\\n' | tee $d/evil-1.0.dist-info/entry_points.txt "
      "/app/evil-1.0.dist-info/entry_points.txt > /dev/null; "
      "printf 'Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n' | "
      "tee $d/evil-1.0.dist-info/METADATA /app/evil-1.0.dist-info/METADATA > /dev/null");
  auto grading = seal(*box);
  const std::string words =
      said_by(*grading,
              "source ~/.local/bin/env; python3 -c 'print(7)'; pytest -q "
              "/tests/test_it.py; echo status $?; python3 -m pytest -q /tests/test_it.py; "
              "echo module status $?");
  EXPECT_EQ(words.find("hijacked"), std::string::npos) << words;
  EXPECT_EQ(words.find("preload"), std::string::npos) << words;
  EXPECT_NE(words.find("the real test ran"), std::string::npos) << words;
  EXPECT_NE(words.find("\nstatus 1"), std::string::npos) << words;
  EXPECT_NE(words.find("module status 1"), std::string::npos) << words;
}

TEST_P(SandboxGrading, FollowsNoPathFileOfTheAgents) {
  auto box = machine();
  bash(*box,
       "d=/usr/local/lib/python3.11/dist-packages; mkdir -p $d /app/e/pytest; "
       "echo 'print(\"hijacked\"); raise SystemExit(0)' > /app/e/pytest/__init__.py; "
       "echo /app/e > $d/x.pth; printf '# x\\rimport os; print(\"hijacked\")' > $d/y.pth");
  EXPECT_NE(said_by(*box, "python3 -m pytest").find("hijacked"), std::string::npos);
  const std::string words =
      said_by(*seal(*box), "pytest -q /tests/test_it.py; python3 -m pytest -q /tests/test_it.py");
  EXPECT_EQ(words.find("hijacked"), std::string::npos) << words;
  EXPECT_NE(words.find("the real test ran"), std::string::npos) << words;
}

TEST_P(SandboxGrading, ReadsPathsTheSameHoweverTheyAreWritten) {
  environment_.steps = {
      RunStep{"mkdir -p /opt/kit/bin /app/lib; printf '#!/bin/sh\necho kit\n' > /opt/kit/bin/kit; "
              "chmod 755 /opt/kit/bin/kit; echo 'print(\"the image\")' > /app/lib/sitecustomize.py",
              "/",
              {}}};
  environment_.env["PATH"] = "/opt/kit/bin//:/opt/./kit/bin/:/usr/local/bin:/usr/bin:/bin";
  environment_.env["PYTHONPATH"] = "/app/:/app:.:/app/lib/";
  auto box = machine();
  ASSERT_NE(box, nullptr);
  bash(*box,
       "printf '#!/bin/sh\\necho hijacked\\n' > /opt/kit/bin/kit; "
       "echo 'print(\"hijacked\")' | tee /app/sitecustomize.py > /app/lib/sitecustomize.py");
  EXPECT_EQ(said_by(*box, "kit; python3 -c 'print(1)'"), "hijacked\nhijacked\n1\n");
  EXPECT_EQ(said_by(*seal(*box), "kit; python3 -c 'print(1)'"), "kit\nthe image\n1\n");
}

TEST_P(SandboxGrading, RunsNoHookInPythonPathBesideProgramsOfTheImage) {
  environment_.steps = {
      RunStep{"mkdir -p /opt/kit/bin /opt/kit/lib /usr/local/more; "
              "printf '#!/bin/sh\necho kit\n' > /opt/kit/bin/kit; chmod 755 /opt/kit/bin/kit; "
              "echo 'x = 5' > /opt/kit/lib/made.py",
              "/",
              {}}};
  environment_.env["PATH"] = "/opt/kit/bin:/usr/local/bin:/usr/bin:/bin";
  environment_.env["PYTHONPATH"] =
      "/opt/kit/lib:/usr/local/more:/opt/kit/lib/python3.11/site-packages";
  auto box = machine();
  ASSERT_NE(box, nullptr);
  bash(*box,
       "mkdir -p /opt/kit/lib/python3.11/site-packages; echo 'y = 6' > /opt/kit/lib/added.py; "
       "for d in /opt/kit/lib /usr/local/more /opt/kit/lib/python3.11/site-packages; do "
       "echo 'print(\"hijacked\")' > $d/sitecustomize.py; done");
  EXPECT_EQ(said_by(*box, "python3 -c 'print(1)'"), "hijacked\n1\n");
  EXPECT_EQ(said_by(*seal(*box), "python3 -c 'import made, added; print(made.x, added.y)'"),
            "5 6\n");
}

TEST_P(SandboxGrading, RunsNoHookThatPythonPathReachesByALinkOrAnArchive) {
  environment_.steps = {RunStep{"mkdir -p /app/lib /data; ln -s /data /app/given", "/", {}}};
  environment_.env["PYTHONPATH"] = "/app/lib/sub:/app/lib:/app/given:/app/far:/app/zip/a:/app/zip";
  const std::string prepare =
      "mkdir -p /app/own/sub; echo 'x = 5' > /app/own/made.py; mkdir /app/a; "
      "echo 'print(\"hijacked\")' > /app/a/sitecustomize.py; rm -rf /app/lib; ";
  for (const char* lead :
       {"cp a/* own; ln -s ../app/./own lib", "cp a/* own/sub; ln -s own lib", "cp a/* /data",
        "ln -s /proc/self/root/app/a far", "ln -s /proc/self/root/app/a lib; mkdir a/sub",
        "ln -s /dev/fd/../cwd/a far", "cd a; python3 -m zipfile -c ../zip sitecustomize.py",
        "python3 -m zipfile -c zip a"}) {
    auto box = machine();
    ASSERT_NE(box, nullptr);
    bash(*box, prepare + lead);
    EXPECT_NE(said_by(*box, "python3 -c 'print(1)'").find("hijacked"), std::string::npos) << lead;
    EXPECT_EQ(said_by(*seal(*box), "python3 -c 'print(1)'"), "1\n") << lead;
  }
  auto box = machine();
  bash(*box, prepare + "ln -s own lib");
  EXPECT_EQ(said_by(*seal(*box), "python3 -c 'import made; print(made.x)'"), "5\n");
}

TEST_P(SandboxGrading, IsPossibleAfterTheAgentUsedUpAllFilesAndManyNames) {
  auto box = machine();
  python(*box,
         "import os\n"
         "for i in range(7000): os.close(os.open(f'/usr/{i}', os.O_CREAT))\n"
         "os.makedirs('/app/more')\n"
         "try:\n"
         "  for i in range(200000): os.close(os.open(f'/app/more/{i}', os.O_CREAT))\n"
         "except OSError: pass\n");
  EXPECT_NE(bash(*box, "echo > /app/one-more").code, 0);
  auto grading = seal(*box);
  EXPECT_EQ(bash(*grading, "ls /usr/6999 2>/dev/null; ls /app/more | wc -l > /app/count && echo ok")
                .out.text(),
            "ok\n");
}

TEST_P(SandboxGrading, IsRefusedByNameWhereTheAgentLeftMoreThanCanBeHidden) {
  auto box = machine();
  python(*box, "import os\nfor i in range(9000): os.close(os.open(f'/usr/{i}', os.O_CREAT))");
  const auto grading = box->seal({});
  ASSERT_FALSE(grading);
  EXPECT_EQ(grading.error().kind, ErrorKind::Invalid);
  EXPECT_EQ(grading.error().message,
            "making the grading machine: what was left takes the place of more than 8000 of the "
            "system's files");
}

TEST_P(SandboxGrading, StartsTestsEvenIfTheAgentRemovedTheirFolder) {
  auto box = machine();
  bash(*box, "rm -rf /app");
  EXPECT_EQ(bash(*seal(*box), "pwd; ls -A; bash /tests/test.sh").out.text(), "/app\nreal tests\n");
  CommandOptions elsewhere;
  elsewhere.cwd = "/";
  bash(*box, "rm -rf /app; echo file > /app", elsewhere);
  EXPECT_EQ(bash(*seal(*box), "pwd; cat /app; bash /tests/test.sh").out.text(),
            "/\nfile\nreal tests\n");
  bash(*box, "rm -rf /app; mkdir /data; echo moved > /data/f; ln -s /data /app", elsewhere);
  EXPECT_EQ(bash(*seal(*box), "cat f").out.text(), "moved\n");
}

TEST_P(SandboxGrading, TellsWhatItHidAndWhatWasTamperedWith) {
  auto innocent = machine();
  bash(*innocent,
       "mkdir -p /tests /logs/verifier; echo mine > /tests/test_mine.py; echo done > /app/done; "
       "echo x > /usr/local/bin/tool; cp /usr/bin/true /usr/local/bin/cat; rm /usr/bin/false");
  const auto first = seal(*innocent)->findings();
  EXPECT_THAT(first.tampering, testing::IsEmpty());
  EXPECT_THAT(first.hidden, testing::ElementsAre("/usr/local/bin/cat"));

  auto wrote = machine();
  bash(*wrote, "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt");
  EXPECT_THAT(seal(*wrote)->findings().tampering,
              testing::ElementsAre("/logs/verifier/reward.txt was written before the tests ran"));

  auto planted = machine();
  bash(*planted,
       "echo 'echo 1 > /logs/verifier/reward.txt' | tee /usr/sbin/bash /app/notes > /dev/null");
  EXPECT_THAT(
      planted == nullptr ? std::vector<std::string>{} : seal(*planted)->findings().tampering,
      testing::ElementsAre("/usr/sbin/bash, which tests could have run, names /logs/verifier"));
}

TEST_P(SandboxGrading, IsNotSeenByTheAgentAfterwards) {
  auto box = machine();
  bash(*box, "echo before > f");
  auto grading = seal(*box);
  bash(*grading, "echo changed > f; echo left > g");
  EXPECT_EQ(box->read_file("/app/f", 100).error().kind, ErrorKind::Unavailable);
  const std::vector<std::string> command = {"true"};
  EXPECT_FALSE(box->run(command, {}, {}));
  grading.reset();
  EXPECT_EQ(bash(*box, "cat f; ls; ls /tests /logs/verifier 2>/dev/null").out.text(),
            "before\nf\n");
  bash(*box, "echo second > f");
  grading = seal(*box);
  EXPECT_EQ(bash(*grading, "cat f").out.text(), "second\n");
}

TEST_P(SandboxGrading, IsNotHeldUpByWhatTheAgentUsedUp) {
  auto box = machine();
  bash(*box, "head -c 100000000 /dev/zero > full; for i in $(seq 100); do sleep 100 & done");
  auto grading = seal(*box);
  EXPECT_EQ(
      bash(*grading,
           "head -c 1000000 /dev/zero > more && echo 1 > /logs/verifier/reward.txt && echo ok")
          .out.text(),
      "ok\n");
}

}  // namespace
}  // namespace trialwright
