// bench_store: durable sends acknowledged by the store, against bare batched inserts of the same
// rows.
//
// bench_store [messages [pairs [runs [folder]]]]. The two sides run in turn, each on a file of its
// own; a ratio is taken within a pair of runs.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "bench/store/bare_sqlite_insert.h"
#include "store/open_store.h"

namespace ringtalk::bench {
namespace {

class CountingSink final : public store::ReplySink {
 public:
  explicit CountingSink(uint32_t window) : room_(window) {}

  void deliver(uint32_t, std::unique_ptr<store::ReplyBatch> batch) noexcept override {
    uint64_t good = 0;
    for (const store::Reply& reply : batch->replies) {
      const auto* done = std::get_if<store::Appended>(&reply.answer);
      good += done != nullptr && !done->duplicate;
    }
    good_.fetch_add(good);
    batches_.fetch_add(1);
    room_.release(static_cast<ptrdiff_t>(batch->replies.size()));
  }
  void store_failed(const std::string& reason) noexcept override {
    std::fprintf(stderr, "the store failed: %s\n", reason.c_str());
    std::abort();
  }
  void wait_room() { room_.acquire(); }
  uint64_t good() const { return good_.load(); }
  uint64_t batches() const { return batches_.load(); }

 private:
  std::counting_semaphore<> room_;
  std::atomic<uint64_t> good_{0};
  std::atomic<uint64_t> batches_{0};
};

store::StoreUrl url_of(const std::string& path) {
  return {store::StoreUrl::Kind::sqlite, path};
}

store::OpenedStore open(const std::string& path, store::ReplySink& sink, const base::Clock& clock) {
  auto opened = store::open_store(url_of(path), sink, clock, {});
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().line.c_str());
    std::exit(2);
  }
  return std::move(*opened);
}

Measured ours(const std::string& path, std::vector<store::Append> sends, const SendPlan& plan) {
  const base::SystemClock clock;
  CountingSink sink(plan.window);
  store::OpenedStore opened = open(path, sink, clock);
  const uint64_t start_ns = clock.now_ns();
  const std::clock_t start_cpu = std::clock();
  store::Ticket ticket;
  for (store::Append& send : sends) {
    sink.wait_room();
    ticket.request++;
    const bool taken = opened.store->submit(std::move(send), ticket);
    ASSERT(taken);
  }
  opened.store->stop();
  Measured measured;
  measured.seconds = static_cast<double>(clock.now_ns() - start_ns) / 1e9;
  measured.cpu_seconds = static_cast<double>(std::clock() - start_cpu) / CLOCKS_PER_SEC;
  measured.messages = sink.good();
  measured.commits = sink.batches();
  return measured;
}

Measured bare(const std::string& path, const std::vector<store::Append>& sends,
              const SendPlan& plan) {
  {
    const base::SystemClock clock;
    CountingSink sink(1);
    open(path, sink, clock).store->stop();
  }
  return bare_sqlite_insert(path, sends, plan.batch);
}

double print(const char* side, const Measured& m) {
  const double rate = static_cast<double>(m.messages) / m.seconds;
  std::printf("%-5s %9.0f messages/s %7.0f commits/s %6.1f messages a commit %6.2f us CPU each\n",
              side, rate, static_cast<double>(m.commits) / m.seconds,
              static_cast<double>(m.messages) / static_cast<double>(m.commits),
              m.cpu_seconds * 1e6 / static_cast<double>(m.messages));
  return rate;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int run(const SendPlan& plan, const std::string& folder) {
  std::vector<double> rates, cpus;
  for (uint32_t i = 0; i < plan.runs; i++) {
    const auto sends = make_sends(plan, i + 1);
    const std::string name = folder + "/bench-store-" + std::to_string(i);
    Measured sides[2];
    // A B, B A: neither side always has the warmer cache.
    for (const bool first : {true, false}) {
      const bool is_ours = first == (i % 2 == 0);
      const std::string path = name + (is_ours ? "-ours.db" : "-bare.db");
      sides[is_ours] = is_ours ? ours(path, sends, plan) : bare(path, sends, plan);
      for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    }
    ASSERT(sides[0].messages == plan.messages && sides[1].messages == plan.messages);
    const double bare_rate = print("bare", sides[0]);
    const double our_rate = print("ours", sides[1]);
    rates.push_back(our_rate / bare_rate);
    cpus.push_back(sides[1].cpu_seconds / sides[0].cpu_seconds);
    std::printf("      ratio %.3f, CPU %.2f times\n", rates.back(), cpus.back());
  }
  std::printf("P6: median ratio %.3f of %u pairs (goal 0.70), CPU %.2f times\n", median(rates),
              plan.runs, median(cpus));
  return 0;
}

}  // namespace
}  // namespace ringtalk::bench

int main(int argc, char** argv) {
  ringtalk::bench::SendPlan plan;
  const auto number = [&](int at, uint32_t usual) {
    return argc > at ? static_cast<uint32_t>(std::strtoul(argv[at], nullptr, 10)) : usual;
  };
  plan.messages = number(1, plan.messages);
  plan.pairs = number(2, plan.pairs);
  plan.runs = number(3, plan.runs);
  if (plan.messages == 0 || plan.pairs == 0 || plan.runs == 0) {
    std::fprintf(stderr, "bench_store [messages [pairs [runs [folder]]]]\n");
    return 2;
  }
  return ringtalk::bench::run(plan, argc > 4 ? argv[4] : ".");
}
