// bench/driver/command_line.h: private to bench. The few options that the comparisons share.
#pragma once

#include <cstdint>
#include <string>

#include "bench/driver/dialects.h"

namespace ringtalk::bench {

struct BenchOptions {
  Programs programs;
  uint32_t rounds = 5;
  double run_s = 2;
  int client_cpu = 1;
};

// Exits with the usage (0) or with one line and status 2.
BenchOptions parse_options(int argc, char** argv, const char* purpose);

}  // namespace ringtalk::bench
