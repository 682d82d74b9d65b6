#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/sandbox/sandbox.h"
#include "inference/cpu/isa.h"
#include "results/run_folder.h"
#include "tasks/suite.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

/// One line of the doctor's screen.
struct Finding {
  std::string subject;
  bool good = true;
  std::string text;
  Json detail;
};

Finding look_at_cpu() {
  const Isa isa = best_isa();
  return {"cpu",
          true,
          std::to_string(std::thread::hardware_concurrency()) +
              " threads, kernels: " + std::string(isa_name(isa)),
          {{"threads", std::thread::hardware_concurrency()}, {"kernels", isa_name(isa)}}};
}

Finding look_at_memory() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  double available = 0;
  while (file >> word) {
    if (word == "MemAvailable:") file >> available;
  }
  available *= 1024;
  const bool enough = available > 2e9;
  return {
      "memory",
      enough,
      bytes_text(available) + " available" + (enough ? "" : "; the 1.5B model needs about 2 GB"),
      {{"available_bytes", available}}};
}

/// Free space where `path` is or would be.
Finding look_at_disk(const std::string& subject, fs::path path) {
  const std::string shown = path.string();
  while (!path.empty() && !path_exists(path) && path != path.parent_path())
    path = path.parent_path();
  struct statvfs status {};
  if (::statvfs(path.empty() ? "." : path.c_str(), &status) != 0) {
    return {subject, false, shown + ": " + errno_text(errno), {}};
  }
  const double free = static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize);
  const bool writable = ::access(path.empty() ? "." : path.c_str(), W_OK) == 0;
  const bool enough = free > 2e9;
  return {subject,
          writable && enough,
          shown + ", " + bytes_text(free) + " free" + (writable ? "" : ", not writable"),
          {{"path", shown}, {"free_bytes", free}, {"writable", writable}}};
}

Finding look_at_sandbox() {
  auto sandbox = open_bubblewrap_sandbox();
  if (!sandbox) return {"sandbox", false, sandbox.error().message, {}};
  const Json capabilities = (*sandbox)->capabilities();
  std::string text = capabilities.value("backend", "") + ", recipe " +
                     capabilities.value("recipe", "") +
                     ", limits: " + capabilities.value("limits", "");
  for (const Json& gap : capabilities.value("gaps", Json::array())) {
    text += "\n             gap: " + (gap.is_string() ? gap.get<std::string>() : to_text(gap));
  }
  return {"sandbox", true, text, capabilities};
}

Finding look_at_models() {
  auto catalog = user_catalog();
  if (!catalog) return {"models", false, catalog.error().message, {}};
  Json here = Json::array();
  std::string text;
  for (const ModelEntry& entry : catalog->models) {
    const bool present = path_exists(pulled_model_path(entry, models_folder()));
    if (present) here.push_back(entry.name);
    text += (text.empty() ? "" : ", ") + entry.name + (present ? "" : " (not pulled)");
  }
  return {"models", !here.empty(),
          text + (here.empty() ? "; 'trialwright models pull NAME' fetches one" : ""), here};
}

Finding look_at_suites() {
  auto folder = find_suite("starter", suite_search_path());
  if (!folder) return {"suites", false, folder.error().message, {}};
  return {"suites", true, "starter in " + folder->string(), {{"starter", folder->string()}}};
}

Finding look_at_kernel() {
  struct utsname name {};
  ::uname(&name);
  return {
      "system", true, std::string(name.sysname) + " " + name.release, {{"kernel", name.release}}};
}

int run_doctor(const Arguments& arguments) {
  const std::vector<Finding> findings = {look_at_kernel(),
                                         look_at_cpu(),
                                         look_at_memory(),
                                         look_at_disk("runs", runs_folder()),
                                         look_at_disk("cache", user_cache_folder()),
                                         look_at_sandbox(),
                                         look_at_models(),
                                         look_at_suites()};
  const Console out = output_console(arguments);
  bool well = true;
  Json json = Json::object();
  for (const Finding& finding : findings) {
    well = well && finding.good;
    json[finding.subject] = {
        {"ok", finding.good}, {"text", finding.text}, {"detail", finding.detail}};
    if (arguments.has("json")) continue;
    const std::string glyph =
        finding.good ? out.paint("✓", Colour::Green) : out.paint("✗", Colour::Red);
    out.line("  " + glyph + " " + finding.subject +
             std::string(9 - std::min<std::size_t>(8, finding.subject.size()), ' ') + finding.text);
  }
  if (arguments.has("json")) out.line(json.dump(2, ' ', false, Json::error_handler_t::replace));
  return well ? kExitDone : kExitRunInvalid;
}

int run_completion(const Arguments& arguments) {
  auto script = completion_script(all_commands(), arguments.positionals().front());
  if (!script) return report_error(script.error());
  output_console(arguments).write(*script);
  return kExitDone;
}

int run_help(const Arguments& arguments) {
  const Console out = output_console(arguments);
  if (arguments.positionals().empty()) {
    out.write(help_overview(all_commands()));
    return kExitDone;
  }
  std::string name = joined(arguments.positionals(), " ");
  if (name == "man") {
    out.write(manual_page(all_commands()));
    return kExitDone;
  }
  bool found = false;
  for (const Command& command : all_commands()) {
    if (command.name != name && !command.name.starts_with(name + " ")) continue;
    if (found) out.write("\n");
    out.write(help_page(command));
    found = true;
  }
  if (found) return kExitDone;
  return report_error(not_found("there is no help for \"" + name + "\"; see 'trialwright help'"));
}

}  // namespace

std::vector<Command> general_commands() {
  return {
      {"doctor", "", "Say what this machine can do, in one screen.",
       "Looks at CPU, memory, disk, sandbox, models and suites, and tries a sandbox out. Exits 3 "
       "if\n"
       "something is missing.",
       with_common({{"json", "", "Print JSON.", '\0', false}}), 0, 0, run_doctor},
      {"completion", "bash|zsh|fish", "Print a completion script for a shell.",
       "example:\n  source <(trialwright completion bash)", with_common({}), 1, 1, run_completion},
      {"help", "[COMMAND]", "Explain a command; 'help man' prints the manual page.", "",
       with_common({}), 0, 2, run_help},
  };
}

}  // namespace trialwright
