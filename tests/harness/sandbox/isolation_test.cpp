#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <cstring>

#include "base/text.h"
#include "tests/harness/sandbox/sandbox_fixture.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

/// What must not be possible from inside, tried.
class SandboxIsolation : public SandboxTest {};
INSTANTIATE_TEST_SUITE_P(Both, SandboxIsolation, ::testing::Values(Recipe::Mapped, Recipe::Single),
                         recipe_name);

TEST_P(SandboxIsolation, RootInsideIsNotTheMachinesRoot) {
  auto box = machine();
  EXPECT_EQ(bash(*box, "id -u").out.text(), "0\n");
  bash(*box, "sleep 7101 >/dev/null 2>&1 &");
  std::vector<pid_t> found;
  ASSERT_TRUE(eventually([&] { return !(found = processes_named("7101")).empty(); }));
  for (const pid_t pid : found) {
    struct stat info {};
    ASSERT_EQ(stat(("/proc/" + std::to_string(pid)).c_str(), &info), 0);
    EXPECT_NE(info.st_uid, 0U);
    if (geteuid() == 0) {
      EXPECT_GE(info.st_uid, 0x7000'0000U);
    }
  }
}

TEST_P(SandboxIsolation, HostFilesAreNotThere) {
  auto folder = TemporaryFolder::make("canary");
  ASSERT_TRUE(folder);
  ASSERT_TRUE(write_file_atomically(folder->path() / "canary", "secret"));
  auto box = machine();
  EXPECT_NE(bash(*box, "cat " + (folder->path() / "canary").string()).code, 0);
  EXPECT_EQ(bash(*box, "ls -A /root /home /mnt /media /srv /opt /sys /boot | grep -v :")
                .out.text()
                .find_first_not_of('\n'),
            std::string::npos);
  EXPECT_EQ(bash(*box, "grep -c '^root:[^*]' /etc/shadow").out.text(), "0\n");
  EXPECT_EQ(bash(*box, "hostname; cat /etc/hostname").out.text(), "box\nbox\n");
  EXPECT_EQ(bash(*box, "ls /etc/ssh /etc/machine-id /var/lib/dpkg /etc/environment").out.text(),
            "");
  EXPECT_EQ(bash(*box, "ls -A /usr/local/lib /usr/local/share /usr/src | grep -vE ':|^man$|^$'")
                .out.text(),
            "");
}

TEST_P(SandboxIsolation, WhatOthersMayNotReadInUsrCannotBeRead) {
  auto box = machine();
  // Whatever the machine has: nobody is root enough inside to read it.
  std::string closed;
  std::error_code ignored;
  for (const char* folder :
       {"/usr/bin", "/usr/lib/dbus-1.0", "/usr/libexec", "/usr/sbin", "/usr/share/polkit-1"}) {
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      const auto others = entry.status(ignored).permissions() & fs::perms::others_read;
      if (others == fs::perms::none && !entry.is_symlink()) closed = entry.path();
    }
  }
  if (closed.empty()) GTEST_SKIP() << "this machine has no such file in /usr";
  EXPECT_NE(bash(*box, "cat " + closed + " || ls " + closed + "/").code, 0) << closed;
}

TEST_P(SandboxIsolation, TheHostCannotBeWritten) {
  auto box = machine();
  bash(*box,
       "touch /usr/bin/trialwright-was-here /etc/trialwright-was-here /trialwright-was-here; "
       "rm -f /usr/bin/true; echo broken > /etc/passwd");
  EXPECT_FALSE(fs::exists("/usr/bin/trialwright-was-here"));
  EXPECT_FALSE(fs::exists("/etc/trialwright-was-here"));
  EXPECT_FALSE(fs::exists("/trialwright-was-here"));
  EXPECT_TRUE(fs::exists("/usr/bin/true"));
  auto other = machine();
  EXPECT_EQ(bash(*other, "test -e /usr/bin/true && ! test -e /etc/trialwright-was-here").code, 0);
}

TEST_P(SandboxIsolation, MountsAreNotSeenByTheHost) {
  const auto before = read_file("/proc/self/mountinfo");
  auto box = machine();
  EXPECT_EQ(*read_file("/proc/self/mountinfo"), *before);
}

TEST_P(SandboxIsolation, DescriptorsAreNotInherited) {
  const int leaked = open("/dev/null", O_RDONLY);  // Not close-on-exec, as some library's may be.
  auto again = open_bubblewrap_sandbox({.single_id = GetParam() == Recipe::Single});
  ASSERT_TRUE(again);
  sandbox_ = std::move(*again);
  auto box = machine();
  EXPECT_EQ(python(*box,
                   "import os\n"
                   "print([f for f in range(3, 1000) if os.path.exists(f'/proc/self/fd/{f}')])"),
            "[]\n");
  close(leaked);
}

TEST_P(SandboxIsolation, TheHarnesssEnvironmentIsNotThere) {
  setenv("TRIALWRIGHT_TEST_API_KEY", "sk-secret", 1);
  // The keeper that SetUp started has the environment of before.
  auto again = open_bubblewrap_sandbox({.single_id = GetParam() == Recipe::Single});
  ASSERT_TRUE(again);
  sandbox_ = std::move(*again);
  auto box = machine();
  EXPECT_EQ(bash(*box, "env; cat /proc/*/environ 2>/dev/null").out.text().find("sk-secret"),
            std::string::npos);
  unsetenv("TRIALWRIGHT_TEST_API_KEY");
}

TEST_P(SandboxIsolation, OtherProcessesAreNotSeen) {
  auto box = machine();
  EXPECT_EQ(bash(*box, kCountProcesses).out.text(), kRunnerAndShell);
  const std::string harness = std::to_string(getpid());
  if (getpid() > 1000) {
    EXPECT_NE(bash(*box, "kill -0 " + harness).code, 0);
  }
}

TEST_P(SandboxIsolation, TheRunnerCannotBeKilledStoppedOrTraced) {
  auto box = machine();
  bash(*box, "kill -KILL 1; kill -STOP 1; kill -TERM 1; kill -KILL -1");
  EXPECT_EQ(bash(*box, "echo alive").out.text(), "alive\n");
  EXPECT_EQ(python(*box,
                   "import ctypes\n"
                   "libc = ctypes.CDLL(None, use_errno=True)\n"
                   "print(libc.ptrace(16, 1, 0, 0), ctypes.get_errno())"),
            "-1 1\n");
  EXPECT_NE(bash(*box, "cat /proc/1/mem /proc/1/environ /proc/1/maps").code, 0);
  EXPECT_NE(bash(*box, "ls -l /proc/1/fd/3").code, 0);
}

TEST_P(SandboxIsolation, TheNetworkIsNotThere) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);

  sockaddr_un abstract{};
  abstract.sun_family = AF_UNIX;
  const std::string name = "trialwright-canary-" + std::to_string(getpid());
  std::memcpy(abstract.sun_path + 1, name.data(), name.size());
  const int unix_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(unix_listener, reinterpret_cast<sockaddr*>(&abstract),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())),
            0);
  ASSERT_EQ(listen(unix_listener, 1), 0);

  auto box = machine();
  EXPECT_EQ(python(*box,
                   "import socket, errno\n"
                   "def attempt(family, address):\n"
                   "  s = socket.socket(family); s.settimeout(2)\n"
                   "  return errno.errorcode.get(s.connect_ex(address))\n"
                   "print(attempt(socket.AF_INET, ('127.0.0.1', " +
                       std::to_string(ntohs(address.sin_port)) +
                       ")))\n"
                       "print(attempt(socket.AF_UNIX, '\\0" +
                       name +
                       "'))\n"
                       "print(attempt(socket.AF_INET, ('192.0.2.1', 80)))"),
            "ECONNREFUSED\nECONNREFUSED\nENETUNREACH\n");
  // Its own loopback works.
  EXPECT_EQ(python(*box,
                   "import socket\n"
                   "l = socket.create_server(('127.0.0.1', 8080))\n"
                   "socket.create_connection(('127.0.0.1', 8080))\n"
                   "print('connected')"),
            "connected\n");
  close(listener);
  close(unix_listener);
}

TEST_P(SandboxIsolation, RareSocketsDoNotExist) {
  auto box = machine();
  // AF_ALG, AF_VSOCK, AF_PACKET, AF_BLUETOOTH, an unknown one, and one that hides in high bits.
  EXPECT_EQ(python(*box,
                   "import ctypes\n"
                   "libc = ctypes.CDLL(None, use_errno=True)\n"
                   "for family in (38, 40, 17, 31, 63, 200):\n"
                   "  libc.syscall(41, ctypes.c_long(family), 1, 0)\n"
                   "  print(ctypes.get_errno(), end=' ')\n"
                   "libc.syscall(41, ctypes.c_long((1 << 32) + 40), 1, 0)\n"
                   "print(ctypes.get_errno())"),
            "97 97 97 97 97 97 97\n");
}

TEST_P(SandboxIsolation, DangerousSystemCallsAreRefused) {
  auto box = machine();
  // x86-64 numbers: add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd,
  // io_uring_setup, mount, umount2, pivot_root, setns, unshare(user), open_by_handle_at,
  // kexec_load, init_module, swapon, reboot, syslog, iopl, settimeofday, sethostname, kcmp,
  // pidfd_getfd, process_madvise, vmsplice; clone with CLONE_NEWUSER.
  EXPECT_EQ(
      python(
          *box,
          "import ctypes\n"
          "libc = ctypes.CDLL(None, use_errno=True)\n"
          "def errno_of(*call):\n"
          "  ctypes.set_errno(0)\n"
          "  return ctypes.get_errno() if libc.syscall(*map(ctypes.c_long, call)) < 0 else 0\n"
          "calls = [(248,0,0,0,0,0), (249,0,0,0,0), (250,0,0,0,0,0), (321,0,0,0),\n"
          "  (298,0,0,0,0,0), (323,0), (425,1,0), (165,0,0,0,0,0), (166,0,0), (155,0,0),\n"
          "  (308,0,0), (272,0x10000000), (304,0,0,0), (246,0,0,0,0), (175,0,0,0),\n"
          "  (167,0,0), (169,0,0,0,0), (103,2,0,0), (172,3), (164,0,0), (170,0,0),\n"
          "  (312,0,0,0,0,0), (438,0,0,0), (440,0,0,0,0,0), (278,0,0,0,0),\n"
          "  (56,0x10000000,0,0,0,0)]\n"
          "print([call[0] for call in calls if errno_of(*call) != 1])\n"
          "print([n for n in (435, 428, 429, 430, 431, 432, 442) if errno_of(n,0,0,0,0) != 38])"),
      "[]\n[]\n");
}

TEST_P(SandboxIsolation, NamespacesCannotBeNested) {
  auto box = machine();
  for (const char* flag : {"-U", "-m", "-n", "-p", "-i", "-u", "-C"}) {
    EXPECT_NE(bash(*box, std::string("unshare ") + flag + " true").code, 0) << flag;
  }
}

TEST_P(SandboxIsolation, KernelSettingsCannotBeChanged) {
  auto box = machine();
  // Values that the kernel would take, and that change nothing should it do so.
  for (const char* path : {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                           "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory"}) {
    if (!fs::exists(path)) continue;  // Not every kernel loads modules.
    const std::string text = path;
    EXPECT_EQ(bash(*box, "cat " + text + " > /tmp/now").code, 0) << path;
    EXPECT_NE(bash(*box, "cat /tmp/now > " + text).code, 0) << path;
  }
  // 1 drops clean pages; h prints help.
  EXPECT_NE(bash(*box, "echo 1 > /proc/sys/vm/drop_caches").code, 0);
  EXPECT_NE(bash(*box, "echo h > /proc/sysrq-trigger").code, 0);
  // The runner can be made the first to go when memory runs out, which ends the box; but nothing
  // can be made the last.
  EXPECT_NE(bash(*box, "echo -1000 > /proc/1/oom_score_adj").code, 0);
  EXPECT_NE(bash(*box, "echo -1000 > /proc/self/oom_score_adj").code, 0);
  EXPECT_NE(bash(*box, "head -c1 /proc/kcore").code, 0);
  EXPECT_NE(bash(*box, "timeout 1 head -c1 /proc/kmsg").code, 0);
  EXPECT_NE(bash(*box, "date -s 2001-01-01").code, 0);
}

TEST_P(SandboxIsolation, DevicesCannotBeMadeOrFound) {
  auto box = machine();
  EXPECT_NE(bash(*box, "mknod /tmp/null c 1 3").code, 0);
  EXPECT_NE(bash(*box, "mknod /tmp/disk b 254 0").code, 0);
  EXPECT_EQ(bash(*box, "ls -A /dev | tr '\\n' ' '").out.text(),
            "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ");
  EXPECT_NE(bash(*box, "echo x > /dev/new").code, 0);
}

TEST_P(SandboxIsolation, CharactersCannotBePushedIntoATerminal) {
  auto box = machine();
  EXPECT_EQ(python(*box,
                   "import fcntl, os, errno, pty\n"
                   "a, b = pty.openpty()\n"
                   "for request in (0x5412, (1 << 32) + 0x5412, 0x541C):\n"
                   "  import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
                   "  libc.syscall(16, b, ctypes.c_ulong(request), b'x')\n"
                   "  print(errno.errorcode[ctypes.get_errno()])"),
            "EPERM\nEPERM\nEPERM\n");
  EXPECT_NE(bash(*box, "echo x > /dev/tty").code, 0);
}

TEST_P(SandboxIsolation, SetIdBitsGiveNothing) {
  auto box = machine();
  EXPECT_EQ(bash(*box, "grep NoNewPrivs /proc/self/status | cut -f2").out.text(), "1\n");
  if (GetParam() == Recipe::Single) return;  // There is nobody else to become.
  bash(*box, "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id");
  EXPECT_EQ(
      python(*box,
             "import os; os.setgid(1000); os.setuid(1000); os.execv('/tmp/id', ['id', '-u'])"),
      "1000\n");
}

TEST_P(SandboxIsolation, RootMayDoWhatAContainersRootMayDo) {
  auto box = machine();
  EXPECT_EQ(said_by(*box, "touch a && chmod 000 a && cat a && rm a && echo yes"), "yes\n");
  EXPECT_EQ(said_by(*box,
                    "echo x > /usr/bin/new && echo y > /etc/new && rm /usr/bin/new && "
                    "mkdir -p /data/x /protected && chmod 700 /protected && echo yes"),
            "yes\n");
  if (GetParam() == Recipe::Single) return;
  EXPECT_EQ(said_by(*box,
                    "useradd -m bob && chown bob a.txt 2>/dev/null; touch b && chown bob:bob b "
                    "&& stat -c %U b && setpriv --reuid bob --clear-groups id -un"),
            "bob\nbob\n");
}

TEST_P(SandboxIsolation, OrdinaryProgramsRun) {
  auto box = machine();
  EXPECT_EQ(python(*box,
                   "import json, hashlib, subprocess, multiprocessing\n"
                   "print(subprocess.check_output(['ls', '/']).decode().split()[0])"),
            "app\n");
  EXPECT_EQ(
      said_by(*box, "printf 'int main(){return 0;}' > a.c && gcc a.c -o a && ./a && echo built"),
      "built\n");
  EXPECT_EQ(said_by(*box,
                    "awk 'BEGIN{print 1+1}'; date -u -d @0 +%Y; whoami; getent hosts localhost | "
                    "wc -l; python -c 'print(3)'"),
            "2\n1970\nroot\n1\n3\n");
}

TEST_P(SandboxIsolation, NothingSurvivesTheHarnessEvenIfItIsKilled) {
  const pid_t child = fork();
  if (child == 0) {
    auto own = open_bubblewrap_sandbox({.single_id = GetParam() == Recipe::Single});
    auto image = own ? (*own)->build({}, limits_, {})
                     : Result<std::shared_ptr<const SandboxImage>>(own.error());
    auto box = (*own)->start(*image, limits_, {});
    const std::vector<std::string> command = {
        "bash", "-c", "setsid sleep 7102 >/dev/null 2>&1 & (setsid sleep 7102 &)"};
    (void)(*box)->run(command, {}, {});
    raise(SIGKILL);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(eventually([] { return processes_named("7102").empty(); }));
  // The cgroups that nobody could remove any more go when a sandbox opens next; the kernel lets go
  // of what was killed a moment later than of its name.
  const std::string mark = "trialwright-" + std::to_string(child) + "-";
  EXPECT_TRUE(eventually([&] {
    auto next = open_bubblewrap_sandbox();
    for (const char* hierarchy :
         {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(hierarchy, ignored)) {
        if (entry.path().filename().string().rfind(mark, 0) == 0) return false;
      }
    }
    return true;
  }));
}

/// What `script`, run by an ordinary user's harness, leaves in the tests' machine for `look` to
/// say, and then in its own for `look_again`; the sandbox's own words if it does not open.
std::string said_to_an_ordinary_user(const std::string& script, const std::string& look,
                                     const std::string& look_again) {
  auto own = open_bubblewrap_sandbox();
  if (!own) return own.error().message;
  auto image = (*own)->build({}, {}, {});
  if (!image) return image.error().message;
  auto box = (*own)->start(*image, {}, {});
  if (!box) return box.error().message;
  const std::vector<std::string> work = {"bash", "-c", script};
  if (auto done = (*box)->run(work, {}, {}); !done) return done.error().message;
  auto grading = (*box)->seal({});
  if (!grading) return grading.error().message;
  const std::vector<std::string> looking = {"/bin/bash", "-c", look};
  auto seen = (*grading)->run(looking, {}, {});
  if (!seen) return seen.error().message;
  grading->reset();
  const std::vector<std::string> looking_again = {"bash", "-c", look_again};
  auto seen_again = (*box)->run(looking_again, {}, {});
  if (!seen_again) return seen_again.error().message;
  return seen->out.text() + seen_again->out.text();
}

/// The same from a process of its own that becomes such a user first.
std::string as_an_ordinary_user(const std::string& script, const std::string& look,
                                const std::string& look_again = "true") {
  int said[2];
  if (pipe(said) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const bool became = setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
    const std::string words = became ? said_to_an_ordinary_user(script, look, look_again)
                                     : "cannot become an ordinary user";
    _exit(write(said[1], words.data(), words.size()) > 0 ? 0 : 1);
  }
  close(said[1]);
  char words[1000] = {};
  EXPECT_GT(read(said[0], words, sizeof words - 1), 0);
  close(said[0]);
  waitpid(child, nullptr, 0);
  return words;
}

TEST(SandboxWithoutRoot, WorksForAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "the other tests show it";
  const std::string words = as_an_ordinary_user("echo $(id -u) > /etc/x", "cat /etc/x");
  if (words.starts_with("opening the sandbox")) SKIP_FOR_WANT_OF_A_SANDBOX(unavailable(words));
  EXPECT_EQ(words, "0\n");
}

TEST(SandboxWithoutRoot, HidesWhatTheAgentClosedToTheHarness) {
  if (geteuid() != 0) GTEST_SKIP() << "the other tests show it";
  // Root inside may look into folders that an ordinary user's harness may not.
  const std::string words = as_an_ordinary_user(
      "d=/usr/local/lib/python3.11/dist-packages; mkdir -p $d; "
      "printf '#!/bin/sh\\necho hijacked\\n' > /usr/local/bin/cat; chmod 755 /usr/local/bin/cat; "
      "echo 'print(\"hijacked\")' > $d/sitecustomize.py; "
      "chmod 000 $d /usr/local/lib /usr/local/bin /usr/local",
      "echo real | cat; python3 -c 'print(1)'");
  if (words.starts_with("opening the sandbox")) SKIP_FOR_WANT_OF_A_SANDBOX(unavailable(words));
  EXPECT_EQ(words, "real\n1\n");
}

TEST(SandboxWithoutRoot, LeavesClosedWhatItLookedIntoForGrading) {
  if (geteuid() != 0) GTEST_SKIP() << "the other tests show it";
  const std::string words = as_an_ordinary_user(
      "mkdir -p /etc/profile.d; echo 'echo hijacked' > /etc/profile.d/x.sh; "
      "chmod 000 /etc/profile.d /etc /usr/local",
      "bash -lc 'echo login'", "stat -c %a /etc/profile.d /etc /usr/local");
  if (words.starts_with("opening the sandbox")) SKIP_FOR_WANT_OF_A_SANDBOX(unavailable(words));
  EXPECT_EQ(words, "login\n0\n0\n0\n");
}

TEST_P(SandboxIsolation, TheHarnessWritesIntoFilesOfTheMachineAlone) {
  auto box = machine();
  // Those inside may not do this; the harness, that is asked to write a file, may.
  const std::string path =
      "/proc/" + std::string(trimmed(said_by(*box, "sleep 7203 >/dev/null 2>&1 & echo $!"))) +
      "/oom_score_adj";
  const std::string before = said_by(*box, "cat " + path);
  bash(*box, "ln -s " + path + " /app/link");
  for (const std::string& target : {path, std::string("/app/link")}) {
    const auto written = box->write_file(target, "-1000", 0);
    ASSERT_FALSE(written) << target;
    EXPECT_EQ(written.error().kind, ErrorKind::Invalid);
  }
  EXPECT_EQ(said_by(*box, "cat " + path), before);
  EXPECT_TRUE(box->write_file("/dev/shm/f", "x", 0644));
}

TEST_P(SandboxIsolation, TheHarnessReadsFilesOfTheMachineAlone) {
  auto box = machine();
  EXPECT_NE(bash(*box, "cat /proc/1/maps").code, 0);
  bash(*box, "ln -s /proc/self/maps /app/link; echo x > /dev/shm/f");
  // The runner, which opens files for the harness, is process 1 itself.
  for (const char* path : {"/proc/1/maps", "/app/link", "/proc/self/exe", "/proc/thread-self/stat",
                           "/proc/1/root/proc/1/auxv", "/proc/cpuinfo"}) {
    const auto content = box->read_file(path, 1U << 20U);
    ASSERT_FALSE(content) << path;
    EXPECT_EQ(content.error().kind, ErrorKind::Invalid) << path;
  }
  EXPECT_EQ(box->read_file("/proc/cpuinfo", 1U << 20U).error().message,
            "/proc/cpuinfo does not lie in the machine's own files; a command can read such files");
  EXPECT_EQ(*box->read_file("/dev/shm/f", 10), "x\n");
  EXPECT_TRUE(box->read_file("/usr/bin/env", 1U << 20U));
}

}  // namespace
}  // namespace trialwright
