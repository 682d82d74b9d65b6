#include "harness/sandbox/base_tree.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/digest.h"
#include "base/files.h"
#include "base/text.h"
#include "harness/sandbox/tree_writer.h"

extern "C" const char stand_in_nothing_begin[], stand_in_nothing_end[];
extern "C" const char stand_in_curl_begin[], stand_in_curl_end[];
extern "C" const char stand_in_python3_begin[], stand_in_python3_end[];
extern "C" const char stand_in_pytest_begin[], stand_in_pytest_end[];
extern "C" const char stand_in_uv_begin[], stand_in_uv_end[];

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBaseBytesMax = 64U << 20U;

struct GeneratedFile {
  const char* path;
  mode_t mode;
  const char* content;
};

// The ids are those of Debian's base-passwd.
constexpr GeneratedFile kGenerated[] = {
    {"etc/passwd", 0644,
     "root:x:0:0:root:/root:/bin/bash\n"
     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
     "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
     "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
     "games:x:5:60:games:/usr/games:/usr/sbin/nologin\n"
     "man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
     "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"etc/group", 0644,
     "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nmail:x:8:\n"
     "man:x:12:\nsudo:x:27:\nwww-data:x:33:\nshadow:x:42:\nutmp:x:43:\nstaff:x:50:\n"
     "games:x:60:\nusers:x:100:\nnogroup:x:65534:\n"},
    {"etc/shadow", 0640,
     "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"},
    {"etc/gshadow", 0640, "root:*::\nshadow:*::\nusers:*::\nnogroup:*::\n"},
    {"etc/hosts", 0644, "127.0.0.1 localhost box\n::1 localhost ip6-localhost\n"},
    {"etc/hostname", 0644, "box\n"},
    {"etc/resolv.conf", 0644, ""},
    {"etc/fstab", 0644, ""},
    {"etc/shells", 0644, "/bin/sh\n/bin/bash\n/usr/bin/bash\n/usr/bin/sh\n"},
    {"etc/nsswitch.conf", 0644,
     "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n"
     "protocols: files\nservices: files\nrpc: files\n"}};

constexpr const char* kFolders[] = {
    "app",        "boot",           "dev",     "etc",       "home",    "logs",
    "logs/agent", "logs/artifacts", "media",   "mnt",       "opt",     "proc",
    "run",        "run/lock",       "srv",     "sys",       "usr",     "var",
    "var/cache",  "var/cache/man",  "var/lib", "var/local", "var/log", "var/mail",
    "var/opt",    "var/spool"};

// Files of the distribution that programs look for; none of them tells about the machine.
constexpr const char* kCopiedFromEtc[] = {"alternatives",
                                          "ca-certificates.conf",
                                          "debian_version",
                                          "gai.conf",
                                          "host.conf",
                                          "inputrc",
                                          "java-11-openjdk",
                                          "java-17-openjdk",
                                          "ld.so.cache",
                                          "ld.so.conf",
                                          "ld.so.conf.d",
                                          "localtime",
                                          "login.defs",
                                          "magic",
                                          "magic.mime",
                                          "manpath.config",
                                          "mime.types",
                                          "nanorc",
                                          "os-release",
                                          "perl",
                                          "protocols",
                                          "python3",
                                          "python3.11",
                                          "rpc",
                                          "services",
                                          "skel",
                                          "ssl/certs",
                                          "ssl/openssl.cnf",
                                          "terminfo",
                                          "timezone",
                                          "vim"};

struct StandIn {
  const char* name;
  const char* begin;
  const char* end;
};

Result<void> write_stand_ins(const TreeWriter& writer) {
  const StandIn stand_ins[] = {{"apt", stand_in_nothing_begin, stand_in_nothing_end},
                               {"apt-get", stand_in_nothing_begin, stand_in_nothing_end},
                               {"pip", stand_in_nothing_begin, stand_in_nothing_end},
                               {"pip3", stand_in_nothing_begin, stand_in_nothing_end},
                               {"curl", stand_in_curl_begin, stand_in_curl_end},
                               {"python", stand_in_python3_begin, stand_in_python3_end},
                               {"python3", stand_in_python3_begin, stand_in_python3_end},
                               {"pytest", stand_in_pytest_begin, stand_in_pytest_end},
                               {"uv", stand_in_uv_begin, stand_in_uv_end},
                               {"uvx", stand_in_uv_begin, stand_in_uv_end}};
  if (auto made = writer.make_folder("stand-ins"); !made) return made;
  for (const StandIn& one : stand_ins) {
    const std::string_view content(one.begin, static_cast<std::size_t>(one.end - one.begin));
    auto written = writer.write(std::string("stand-ins/") + one.name, content, 0755);
    if (!written) return written;
  }
  // What uv's installer would have left for scripts to read in.
  // In a grader's machine ~/.local/bin is this folder.
  if (auto made = writer.make_folder("home-programs"); !made) return made;
  return writer.write("home-programs/env", "");
}

/// With one id only, every user has it: giving a file to a system user then succeeds and changes
/// nothing.
std::string with_one_id(std::string_view passwd) {
  std::string text;
  for (const std::string_view line : split(passwd, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() == 7 && fields[0] != "nobody") fields[2] = fields[3] = "0";
    const std::vector<std::string> owned(fields.begin(), fields.end());
    if (!line.empty()) text += joined(owned, ":") + "\n";
  }
  return text;
}

Result<void> write_root(const TreeWriter& tree, const BaseTree& base, BoxIds ids) {
  if (auto made = tree.make_folder("root"); !made) return made;
  for (const char* folder : kFolders) {
    if (auto made = tree.make_folder(std::string("root/") + folder); !made) return made;
  }
  if (auto made = tree.make_folder("root/root", 0700); !made) return made;
  for (const char* folder : {"root/tmp", "root/var/tmp"}) {
    if (auto made = tree.make_folder(folder, 01777); !made) return made;
  }
  if (auto made = tree.link("/run", "root/var/run"); !made) return made;
  if (auto made = tree.link("/proc/self/mounts", "root/etc/mtab"); !made) return made;
  if (auto made = tree.make_folder("root/etc/ssl"); !made) return made;
  for (const auto& [name, target] : base.links) {
    if (auto made = tree.link(target, "root/" + name); !made) return made;
  }
  for (const GeneratedFile& file : kGenerated) {
    const bool adapt = ids == BoxIds::Single && std::string_view(file.path) == "etc/passwd";
    auto written = tree.write(std::string("root/") + file.path,
                              adapt ? with_one_id(file.content) : file.content, file.mode);
    if (!written) return written;
  }
  for (const char* name : kCopiedFromEtc) {
    const fs::path source = fs::path("/etc") / name;
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(source, ignored))) continue;
    auto copied = tree.copy(source, std::string("root/etc/") + name, Unreadable::IsPassedOver);
    if (!copied) return copied;
  }
  return {};
}

bool others_may_read(const fs::path& folder) {
  struct stat info {};
  return lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         (info.st_mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH);
}

/// Gives the box's root the folders of /usr, so that it can add to them although the host's ids do
/// not exist inside. Folders that others may not read are left as they are: unreadable.
Result<void> write_usr_folders(const TreeWriter& tree, const fs::path& below, int depth) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::path("/usr") / below, ignored)) {
    const fs::path path = below / entry.path().filename();
    if (path == "local" || path == "src" || entry.is_symlink(ignored)) continue;
    if (!entry.is_directory(ignored) || !others_may_read(entry.path())) continue;
    if (auto made = tree.make_folder("usr/" + path.string()); !made) return made;
    if (depth > 1) {
      if (auto made = write_usr_folders(tree, path, depth - 1); !made) return made;
    }
  }
  return {};
}

Result<void> write_usr(const TreeWriter& tree) {
  // Two layers, because one layer cannot both hide a name and have it: the lower hides the host's
  // folder, the upper has an empty one.
  for (const char* folder : {"hidden", "usr"}) {
    if (auto made = tree.make_folder(folder); !made) return made;
  }
  for (const char* name : {"hidden/local", "hidden/src"}) {
    if (auto made = tree.whiteout(name); !made) return made;
  }
  for (const char* folder :
       {"usr/src", "usr/local", "usr/local/bin", "usr/local/etc", "usr/local/games",
        "usr/local/include", "usr/local/lib", "usr/local/sbin", "usr/local/share",
        "usr/local/share/man", "usr/local/src"}) {
    if (auto made = tree.make_folder(folder); !made) return made;
  }
  if (auto made = tree.link("share/man", "usr/local/man"); !made) return made;
  // Images of other projects have "python"; Debian's package of that name only makes this link.
  if (auto made = tree.link("/usr/bin/python3", "usr/local/bin/python"); !made) return made;
  if (auto made = write_usr_folders(tree, "", 2); !made) return made;
  return write_usr_folders(tree, "share/man", 1);
}

std::string distribution_name(const fs::path& root) {
  const auto text = read_file(root / "usr/lib/os-release", 64U << 10U);
  if (!text) return "unknown distribution";
  constexpr std::string_view kKey = "PRETTY_NAME=\"";
  for (const std::string_view line : split(*text, '\n')) {
    if (line.substr(0, kKey.size()) == kKey) {
      return std::string(line.substr(kKey.size(), line.size() - kKey.size() - 1));
    }
  }
  return "unknown distribution";
}

std::string fingerprint_of(const fs::path& root) {
  if (const auto digest = sha256_file(root / "var/lib/dpkg/status")) return digest->hex();
  // Not Debian: the programs' names and sizes say as much.
  Hasher hasher;
  std::error_code ignored;
  std::vector<std::string> lines;
  for (const auto& entry : fs::directory_iterator(root / "usr/bin", ignored)) {
    const auto size = entry.is_regular_file(ignored) ? entry.file_size(ignored) : 0;
    lines.push_back(entry.path().filename().string() + " " + std::to_string(size));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) hasher.field(line);
  return hasher.finish().hex();
}

/// /bin and the like, which must be links into /usr.
Result<std::vector<std::pair<std::string, std::string>>> merged_usr_links(const fs::path& root) {
  std::vector<std::pair<std::string, std::string>> links;
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    const fs::path path = root / name;
    std::error_code failure;
    if (!fs::exists(fs::symlink_status(path, failure))) continue;
    const fs::path target = fs::read_symlink(path, failure);
    if (failure) {
      return unavailable(path.string() +
                         " is not a link into /usr, so these files cannot serve as a base");
    }
    links.emplace_back(name, target.string());
  }
  return links;
}

}  // namespace

Result<BaseTree> make_base_tree(Keeper& keeper, const fs::path& folder) {
  auto tree = keeper.make_tree(kBaseBytesMax);
  if (!tree) return tree.error();
  BaseTree base;
  base.tree = std::make_shared<Tree>(std::move(*tree));
  const TreeWriter writer(base.tree->folder(), keeper.owner());
  if (auto written = write_stand_ins(writer); !written) return written.error();
  const fs::path root = folder.empty() ? fs::path("/") : folder;
  if (!fs::is_directory(root / "usr")) {
    return invalid("base folder " + folder.string() + " holds no /usr");
  }
  auto links = merged_usr_links(root);
  if (!links) return links.error();
  base.links = std::move(*links);
  base.etc = root / "etc";
  base.fingerprint = fingerprint_of(root);
  base.description =
      (folder.empty() ? "host /usr" : folder.string()) + ", " + distribution_name(root);
  if (!folder.empty()) {
    auto shown = keeper.show_folder(folder);
    if (!shown) return shown.error();
    base.root_lowers = {*shown};
    base.usr_lowers = {*shown + "/usr"};
    base.local_lower = *shown + "/usr/local";
    return base;
  }
  if (auto written = write_root(writer, base, keeper.ids()); !written) return written.error();
  if (auto written = write_usr(writer); !written) return written.error();
  base.root_lowers = {base.tree->path() + "/root"};
  base.usr_lowers = {base.tree->path() + "/usr", base.tree->path() + "/hidden", "/usr"};
  base.local_lower = base.tree->path() + "/usr/local";
  return base;
}

}  // namespace trialwright
