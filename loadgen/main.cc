// The harness: reads the command line, runs, writes the report.
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "loadgen/conductor.h"

namespace ringtalk::loadgen {
namespace {

bool write_file(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const bool whole = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && whole;
}

int complain(Exit exit, const std::string& text) {
  std::fprintf(stderr, "loadgen: %s\n", text.c_str());
  return static_cast<int>(exit);
}

// Before the run, so that no hour of load ends with "permission denied".
bool make_directory(const std::string& path) {
  return path.empty() || ::mkdir(path.c_str(), 0777) == 0 || errno == EEXIST;
}

int main_of(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv);
  if (!options) {
    const NoRun& no_run = options.error();
    std::fputs(no_run.text.c_str(), no_run.exit == Exit::pass ? stdout : stderr);
    return static_cast<int>(no_run.exit);
  }
  if (!make_directory(options->out_dir)) {
    return complain(Exit::usage, "cannot make --out " + options->out_dir + ": " +
                                     std::strerror(errno) + "; name a directory you may write to");
  }
  const base::SystemClock clock;
  Conductor conductor(*options, clock, stderr);
  auto report = conductor.run();
  if (!report) return complain(report.error().exit, report.error().text);

  std::string shown;
  const std::string json = to_json(*report);
  const std::string in_dir = options->out_dir.empty() ? "" : options->out_dir + "/run.json";
  for (const std::string& path : {in_dir, options->json_file}) {
    if (path.empty()) continue;
    if (!write_file(path, json)) {
      return complain(Exit::usage, "cannot write " + path + ": " + std::strerror(errno));
    }
    shown = path;
  }
  if (!options->out_dir.empty()) {
    write_file(options->out_dir + "/scenario.toml", report->scenario.text);
  }
  std::fputs(to_text(*report, shown).c_str(), stdout);
  return static_cast<int>(verdict(*report));
}

}  // namespace
}  // namespace ringtalk::loadgen

int main(int argc, char** argv) {
  return ringtalk::loadgen::main_of(argc, argv);
}
