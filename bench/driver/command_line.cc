#include "bench/driver/command_line.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace ringtalk::bench {

BenchOptions parse_options(int argc, char** argv, const char* purpose) {
  BenchOptions options;
  const auto usage = [&](FILE* to) {
    std::fprintf(to,
                 "%s\n\nusage: %s --ringtalkd PATH --limit-loop PATH [--rounds N] [--seconds S]\n"
                 "  --rounds N    rounds, all subjects in turn in each (default 5)\n"
                 "  --seconds S   measured part of each run (default 2)\n"
                 "Prints Markdown tables. The server has processor 0, the load processor 1.\n",
                 purpose, argv[0]);
  };
  for (int i = 1; i < argc; i++) {
    const std::string_view name = argv[i];
    if (name == "--help" || name == "-h") {
      usage(stdout);
      std::exit(0);
    }
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    if (value != nullptr && name == "--ringtalkd") {
      options.programs.ringtalkd = value;
    } else if (value != nullptr && name == "--limit-loop") {
      options.programs.limit_loop = value;
    } else if (value != nullptr && name == "--rounds") {
      options.rounds = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    } else if (value != nullptr && name == "--seconds") {
      options.run_s = std::strtod(value, nullptr);
    } else {
      std::fprintf(stderr, "%s: unknown or incomplete option %s; see --help\n", argv[0], argv[i]);
      std::exit(2);
    }
  }
  const bool complete = ::access(options.programs.ringtalkd.c_str(), X_OK) == 0 &&
                        ::access(options.programs.limit_loop.c_str(), X_OK) == 0;
  if (!complete || options.rounds == 0 || options.rounds > 100 || options.run_s <= 0 ||
      options.run_s > 60) {
    usage(stderr);
    std::exit(2);
  }
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) {
    std::fprintf(stderr, "%s: needs two processors, one for the server and one for the load\n",
                 argv[0]);
    std::exit(1);
  }
  return options;
}

}  // namespace ringtalk::bench
