// bench_backends: bare loops and ringtalkd on both back ends, in one run (P3, P4 and P5 of the
// goals).
#include <array>
#include <cstdio>

#include "bench/driver/command_line.h"
#include "bench/driver/samples.h"

namespace ringtalk::bench {
namespace {

constexpr uint32_t kBodyBytes = 64;
constexpr std::array<const char*, 2> kBackends{"io_uring", "epoll"};

struct Figures {
  Samples rate;
  Samples cpu_ns;
  Samples bytes;
  bool complete = true;

  void add(const Measured& measured) {
    rate.add(measured.per_second);
    cpu_ns.add(measured.cpu_ns_per_delivery);
    bytes.add(measured.bytes_per_delivery);
    complete &= measured.complete;
  }
};

struct Pair {
  Figures bare;
  Figures ours;
};

void print_row(const char* backend, const Pair& pair) {
  std::printf("| %s | %s | %s | %s | %s | %s | %s |\n", backend, pair.bare.rate.text().c_str(),
              pair.ours.rate.text().c_str(), ratio(pair.ours.rate, pair.bare.rate).text(2).c_str(),
              pair.bare.cpu_ns.text().c_str(), pair.ours.cpu_ns.text().c_str(),
              ratio(pair.ours.cpu_ns, pair.bare.cpu_ns).text(2).c_str());
  if (!pair.bare.complete || !pair.ours.complete) std::printf("\n**A run was incomplete.**\n");
}

void print_heads(const char* unit) {
  std::printf(
      "\n| back end | bare, %s/s | ours, %s/s | ours/bare | bare, ns CPU | ours, ns CPU | "
      "ours/bare |\n|---|---|---|---|---|---|---|\n",
      unit, unit);
}

// A fresh process for each measurement, bare and ours in turn.
template <class Measure>
std::array<Pair, 2> run_rounds(const BenchOptions& options, bool fan_out, const Measure& measure) {
  std::array<Pair, 2> pairs;
  for (uint32_t round = 0; round < options.rounds; round++) {
    for (size_t i = 0; i < kBackends.size(); i++) {
      Subject ours = start_ringtalkd(options.programs, kBackends[i], kBodyBytes);
      pairs[i].ours.add(measure(ours));
      ours.process.reset();
      Subject bare = start_limit_loop(options.programs, kBackends[i], fan_out, ours);
      pairs[i].bare.add(measure(bare));
    }
  }
  return pairs;
}

void report_backends_against_each_other(const std::array<Pair, 2>& pairs) {
  std::printf("\nOur io_uring against our epoll, CPU per message: %s.\n",
              ratio(pairs[0].ours.cpu_ns, pairs[1].ours.cpu_ns).text(2).c_str());
}

void echo(const BenchOptions& options, uint32_t connections) {
  const auto pairs = run_rounds(options, false, [&](Subject& subject) {
    return measure_echo(*subject.process, subject.port, subject.echo,
                        {.connections = connections, .run_s = options.run_s});
  });
  std::printf("\n### Echo of %u B, %u connections, one message in flight each\n", kBodyBytes,
              connections);
  print_heads("round trips");
  for (size_t i = 0; i < kBackends.size(); i++) {
    print_row(kBackends[i], pairs[i]);
    print_figure("P4." + std::string(kBackends[i]) + "." + std::to_string(connections),
                 ratio(pairs[i].ours.rate, pairs[i].bare.rate));
  }
  report_backends_against_each_other(pairs);
  if (connections == 1'000) {
    print_figure("P5.echo", ratio(pairs[0].ours.cpu_ns, pairs[1].ours.cpu_ns));
  }
  std::fflush(stdout);
}

void room(const BenchOptions& options, uint32_t members, uint32_t window) {
  const auto pairs = run_rounds(options, true, [&](Subject& subject) {
    return measure_room(*subject.process, subject.port, subject.room,
                        {.members = members, .window = window, .run_s = options.run_s});
  });
  std::printf("\n### Room of %u members, %u B, window %u\n", members, kBodyBytes, window);
  print_heads("deliveries");
  for (size_t i = 0; i < kBackends.size(); i++) print_row(kBackends[i], pairs[i]);
  std::printf("\nBytes a delivery, bare and ours:");
  for (size_t i = 0; i < kBackends.size(); i++) {
    std::printf("%s %s %s and %s", i == 0 ? "" : ",", kBackends[i],
                pairs[i].bare.bytes.text(1).c_str(), pairs[i].ours.bytes.text(1).c_str());
  }
  std::printf(".\n");
  report_backends_against_each_other(pairs);
  if (window == 1) {
    print_figure("P3", ratio(pairs[0].ours.cpu_ns, pairs[0].bare.cpu_ns));
    print_figure("P5.room", ratio(pairs[0].ours.cpu_ns, pairs[1].ours.cpu_ns));
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace ringtalk::bench

int main(int argc, char** argv) {
  using namespace ringtalk::bench;
  const BenchOptions options =
      parse_options(argc, argv, "Bare loops and ringtalkd on io_uring and on epoll, in turn.");
  pin_to(options.client_cpu);
  for (uint32_t connections : {64u, 1'000u}) echo(options, connections);
  for (uint32_t window : {1u, 16u}) room(options, 1'000, window);
}
