#include "bench/driver/server_counters.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

namespace ringtalk::bench {

ServerCounters stop_and_count(Subject& ringtalkd) {
  ringtalkd.process->signal(SIGTERM);
  const int status = ringtalkd.process->wait(30);
  const std::string path = ringtalkd.folder->path() + "/stats.json";
  const auto json = nlohmann::json::parse(tests::read_file(path), nullptr, false);
  if (status != 0 || json.is_discarded()) {
    std::fprintf(stderr, "ringtalkd ended with status %d and left no statistics in %s\n", status,
                 path.c_str());
    std::exit(1);
  }
  ServerCounters counters;
  counters.system_calls = json.at("proactor").at("system_calls");
  counters.room_deliveries = json.at("rooms").at("deliveries");
  counters.recipient_copies = json.at("rooms").at("recipient_copies");
  counters.recipient_allocations = json.at("rooms").at("recipient_allocations");
  counters.sends = json.at("outgoing").at("sends");
  counters.frames = json.at("outgoing").at("frames");
  return counters;
}

}  // namespace ringtalk::bench
