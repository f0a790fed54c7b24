// loadgen/build_info.h: internal to loadgen. What this binary was made from, for reports.
#pragma once

namespace ringtalk::loadgen {

struct BuildInfo {
  const char* version;
  const char* commit;  // "unknown" outside of a repository
  const char* compiler;
  const char* flags;
};

extern const BuildInfo kBuildInfo;

}  // namespace ringtalk::loadgen
