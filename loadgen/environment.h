// loadgen/environment.h: internal to loadgen. Where a run took place, for the report.
//
// Thread rule: any. Invariant: what cannot be read is absent, never a guess.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ringtalk::loadgen {

// Names and values in the order of the report: commit, compiler, flags, kernel, cpu, cores, memory,
// limits, sysctls (the latter named "sysctl.net.core.somaxconn" and so on).
std::vector<std::pair<std::string, std::string>> read_environment();

}  // namespace ringtalk::loadgen
