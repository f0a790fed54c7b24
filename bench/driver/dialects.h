// bench/driver/dialects.h: private to bench. How to speak to each server that is measured.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "bench/driver/workload.h"

namespace ringtalk::bench {

// A started server, ready to serve, with what is needed to speak to it.
struct Subject {
  std::unique_ptr<tests::TemporaryFolder> folder;
  std::unique_ptr<tests::Process> process;
  uint16_t port = 0;
  Dialect room;
  Dialect echo;
};

struct Programs {
  std::string ringtalkd;  // paths of this build
  std::string limit_loop;
  int server_cpu = 0;
};

// Each exits with one line (what, why, what to do) when its server does not come up.
Subject start_ringtalkd(const Programs& programs, const std::string& backend, uint32_t body_bytes);
Subject start_limit_loop(const Programs& programs, const std::string& loop, bool fan_out,
                         const Subject& like);
Subject start_redis(const Programs& programs, uint32_t body_bytes);
Subject start_nats(const Programs& programs, uint32_t body_bytes);

}  // namespace ringtalk::bench
