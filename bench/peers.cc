// bench_peers: one room, one publisher, N members on ringtalkd, Redis and NATS in turn (P1 of the
// goals).
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/driver/command_line.h"
#include "bench/driver/samples.h"
#include "bench/driver/server_counters.h"

namespace ringtalk::bench {
namespace {

constexpr uint32_t kBodyBytes = 64;

struct Peer {
  const char* name;
  bool ours;
  std::function<Subject()> start;
  Samples cpu_ns{};
  Samples rate{};
  // Ours alone.
  Samples frames_per_send{};
  Samples calls_per_delivery{};
  Samples copies{};
  Samples allocations{};
  uint32_t incomplete = 0;
};

std::vector<Peer> peers_here(const BenchOptions& options) {
  std::vector<Peer> peers;
  const Programs& programs = options.programs;
  for (const char* backend : {"io_uring", "epoll"}) {
    peers.push_back({backend, true, [&programs, backend] {
                       return start_ringtalkd(programs, backend, kBodyBytes);
                     }});
  }
  if (tests::installed("redis-server")) {
    peers.push_back({"Redis", false, [&programs] { return start_redis(programs, kBodyBytes); }});
  } else {
    std::printf("\nRedis is not installed: `tools/dev setup bench`.\n");
  }
  if (tests::installed("nats-server")) {
    peers.push_back({"NATS", false, [&programs] { return start_nats(programs, kBodyBytes); }});
  } else {
    std::printf("\nNATS is not installed: `tools/dev setup bench`.\n");
  }
  return peers;
}

void count(Peer& peer, Subject& subject) {
  const ServerCounters counters = stop_and_count(subject);
  const auto deliveries = static_cast<double>(counters.room_deliveries);
  peer.frames_per_send.add(static_cast<double>(counters.frames) /
                           static_cast<double>(counters.sends));
  peer.calls_per_delivery.add(static_cast<double>(counters.system_calls) / deliveries);
  peer.copies.add(static_cast<double>(counters.recipient_copies) / deliveries);
  peer.allocations.add(static_cast<double>(counters.recipient_allocations) / deliveries);
}

void room(const BenchOptions& options, uint32_t members, uint32_t window) {
  std::vector<Peer> peers = peers_here(options);
  for (uint32_t round = 0; round < options.rounds; round++) {
    for (Peer& peer : peers) {
      Subject subject = peer.start();
      const Measured measured =
          measure_room(*subject.process, subject.port, subject.room,
                       {.members = members, .window = window, .run_s = options.run_s});
      peer.cpu_ns.add(measured.cpu_ns_per_delivery);
      peer.rate.add(measured.per_second);
      peer.incomplete += !measured.complete;
      if (peer.ours) count(peer, subject);
    }
  }
  std::printf("\n### Room of %u members, %u B, window %u\n\n", members, kBodyBytes, window);
  std::printf(
      "| server | CPU, ns/delivery | deliveries/s | our io_uring against it | lost | frames/send | "
      "system calls/delivery |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  for (const Peer& peer : peers) {
    std::printf("| %s%s | %s | %s | %s | %s | %s | %s |\n", peer.ours ? "ringtalkd, " : "",
                peer.name, peer.cpu_ns.text().c_str(), peer.rate.text().c_str(),
                &peer == &peers[0] ? "" : ratio(peers[0].cpu_ns, peer.cpu_ns).text(2).c_str(),
                peer.incomplete == 0 ? "nothing" : "**yes**",
                peer.ours ? peer.frames_per_send.text(1).c_str() : "",
                peer.ours ? peer.calls_per_delivery.text(4).c_str() : "");
    if (peer.name == std::string("Redis")) {
      print_figure("P1." + std::to_string(window), ratio(peers[0].cpu_ns, peer.cpu_ns));
    }
  }
  if (window == 16) {
    print_figure("calls.16", peers[0].calls_per_delivery);
    print_figure("P11.copies", peers[0].copies);
    print_figure("P11.allocations", peers[0].allocations);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace ringtalk::bench

int main(int argc, char** argv) {
  using namespace ringtalk::bench;
  const BenchOptions options = parse_options(
      argc, argv, "Server CPU per delivery in one room: ringtalkd, Redis and NATS in turn.");
  pin_to(options.client_cpu);
  for (uint32_t window : {1u, 16u, 128u}) room(options, 1'000, window);
}
