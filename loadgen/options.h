// loadgen/options.h: internal to loadgen. The command line, read once.
//
// Thread rule: made by main, then read-only. Invariant: what parse_options answers with is complete
// and checked; a wrong line never reaches the run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "loadgen/report.h"
#include "loadgen/scenario.h"
#include "ring/address.h"
#include "ring/backend.h"

namespace ringtalk::loadgen {

struct Options {
  Scenario scenario;
  std::vector<ring::Address> targets;
  uint32_t threads = 0;  // 0: as many as needed
  ring::Backend backend = ring::Backend::automatic;
  std::string token_key;  // file
  std::string out_dir;    // "" = none
  std::string json_file;  // "" = none
  std::vector<std::string> argv;
};

// Not a run: text to print and the status to end with (Exit::pass for --help).
struct NoRun {
  Exit exit = Exit::usage;
  std::string text;
};

base::Result<Options, NoRun> parse_options(int argc, const char* const* argv);

}  // namespace ringtalk::loadgen
