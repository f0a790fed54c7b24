// The harness: reads the command line, runs, writes the report.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Before the run, so that no hour of load ends with "permission denied". errno tells why not.
bool make_directory(const std::string& path) {
  struct stat there;
  if (path.empty() || ::mkdir(path.c_str(), 0777) == 0) return true;
  if (errno != EEXIST || ::stat(path.c_str(), &there) != 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(there.st_mode);
}

// Leaves what is there as it is, and nothing behind.
bool can_write(const std::string& path) {
  struct stat there;
  const bool exists = ::stat(path.c_str(), &there) == 0;
  // Whoever reads from a pipe must not see it end.
  if (exists && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode)) {
    return ::access(path.c_str(), W_OK) == 0;
  }
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return false;
  ::close(file);
  return exists || ::unlink(path.c_str()) == 0;
}

struct Output {
  std::string path;
  std::string text;
};

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
  const std::string in_dir = options->out_dir.empty() ? "" : options->out_dir + "/run.json";
  for (const std::string& path : {in_dir, options->json_file}) {
    if (path.empty() || can_write(path)) continue;
    return complain(Exit::usage, "cannot write " + path + ": " + std::strerror(errno) +
                                     "; name a file that you may write to");
  }
  const base::SystemClock clock;
  Conductor conductor(*options, clock, stderr);
  auto report = conductor.run();
  if (!report) return complain(report.error().exit, report.error().text);

  // What was measured is told even where it cannot be kept.
  std::string shown, problem;
  const std::string json = to_json(*report);
  const std::string toml = options->out_dir.empty() ? "" : options->out_dir + "/scenario.toml";
  for (const auto& [path, text] :
       {Output{toml, report->scenario.text}, {in_dir, json}, {options->json_file, json}}) {
    if (path.empty()) continue;
    if (!write_file(path, text)) {
      problem = "cannot write " + path + ": " + std::strerror(errno);
    } else if (path != toml) {
      shown = path;
    }
  }
  std::fputs(to_text(*report, shown).c_str(), stdout);
  std::fflush(stdout);
  if (!problem.empty()) return complain(Exit::usage, problem);
  return static_cast<int>(verdict(*report));
}

}  // namespace
}  // namespace ringtalk::loadgen

int main(int argc, char** argv) {
  return ringtalk::loadgen::main_of(argc, argv);
}
