#include "tests/sim/simulation.h"

#include <algorithm>

#include "base/assert.h"
#include "check/history.h"
#include "store/message_key.h"
#include "store/query.h"
#include "tests/sim/client_host.h"
#include "tests/sim/node_under_test.h"

namespace ringtalk::sim {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
// Longer than a client beats in vain: (3 + 1) intervals of 2 s, and the way back.
constexpr uint64_t kQuietMs = 12'000;

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        network_(options.seed + 1, clock_, options.network),
        client_proactor_(network_, client_proactor_options(options.clients + options.accounts)) {
    keys_.add(1, proto::TokenKey{1, 2, 3});
    life_ = {.shards = options.shards,
             .buffers = options.buffers,
             .completions = options.completions,
             .mailbox_entries = options.mailbox_entries,
             .mail_overflow = options.mail_overflow,
             .seed = options.seed + 2,
             .bugs = options.bugs,
             .store = options.store,
             .forgets_revocations = options.forgets_revocations};
    std::vector<proto::UserId> accounts;
    for (uint32_t i = 0; i < options.accounts; i++) {
      accounts.push_back(
          disk_.add_user("user " + std::to_string(i), Account::kPasswordHash, clock_));
    }
    node_ = std::make_unique<NodeUnderTest>(clock_, network_, keys_, disk_, life_);
    life_.port = node_->address().port;
    const HostOptions host{.clients = options.clients, .accounts = accounts};
    clients_ = std::make_unique<ClientHost>(host, clock_, client_proactor_, node_->address(), keys_,
                                            history_, options.seed + 3);
  }

  Outcome run() {
    clients_->start();
    chaos();
    heal();
    return judge();
  }

 private:
  static ring::ProactorOptions client_proactor_options(uint32_t clients) {
    ring::ProactorOptions options;
    options.connections = clients * 2;
    options.listeners = 1;
    options.buffers = 16;
    options.buffer_bytes = 2'048;
    options.completion_entries = 256;
    return options;
  }

  // Turns everybody until nobody has work at this moment, then moves the clock to the next event.
  void advance(uint64_t until_ns) {
    for (uint32_t round = 0;; round++) {
      ASSERT(round < 100'000);  // somebody is busy for ever without time passing
      if (node_) node_->turn(random_);
      const bool clients_busy = clients_->turn();
      network_.run_due();
      if (!clients_busy && !client_proactor_.has_work() && !(node_ && node_->has_work())) break;
    }
    uint64_t next_ns = std::min({network_.next_event_ns(), clients_->next_due_ns(), until_ns});
    if (node_) next_ns = std::min(next_ns, node_->next_due_ns());
    if (next_ns > clock_.now_ns()) clock_.advance_ns(next_ns - clock_.now_ns());
  }

  void kill() {
    node_->add_stats(server_, shards_);
    node_.reset();
  }

  void revive(const tests::StoreFaults& faults) {
    life_.boot++;
    life_.seed++;
    life_.store = faults;
    node_ = std::make_unique<NodeUnderTest>(clock_, network_, keys_, disk_, life_);
  }

  void chaos() {
    const uint64_t start_ns = clock_.now_ns();
    const uint64_t length_ns = options_.chaos_ms * kNsPerMs;
    std::vector<uint64_t> kills, cuts;
    for (uint32_t i = 0; i < options_.kills; i++) kills.push_back(random_.below(length_ns));
    for (uint32_t i = 0; i < options_.cuts; i++) cuts.push_back(random_.below(length_ns));
    uint64_t back_ns = UINT64_MAX;
    uint32_t acted = 0;
    const auto due = [&](std::vector<uint64_t>& moments) {
      const uint64_t passed_ns = clock_.now_ns() - start_ns;
      return std::erase_if(moments, [&](uint64_t at_ns) { return at_ns <= passed_ns; }) > 0;
    };
    while (clock_.now_ns() - start_ns < length_ns) {
      const uint64_t passed_ns = clock_.now_ns() - start_ns;
      while (acted < options_.actions * passed_ns / length_ns) {
        clients_->act();
        acted++;
      }
      // A failed flush ends the process, as does kill -9; either comes back after a while.
      const bool killed = due(kills);
      if (node_ && (killed || node_->store_failed())) {
        kill();
        back_ns = clock_.now_ns() + random_.below(300) * kNsPerMs;
      }
      if (!node_ && clock_.now_ns() >= back_ns) revive(options_.store);
      if (due(cuts)) network_.reset_all();
      advance(std::min(start_ns + length_ns, clock_.now_ns() + kNsPerMs));
    }
  }

  void heal() {
    ring::SimFaults calm;
    network_.set_faults(calm);
    tests::StoreFaults good;
    good.acknowledge_before_commit = options_.store.acknowledge_before_commit;
    if (!node_ || node_->store_failed()) {
      if (node_) kill();
      revive(good);
    }
    node_->store().set_faults(good);
    clients_->start_all();
    const uint64_t end_ns = clock_.now_ns() + options_.heal_ms * kNsPerMs;
    quiet_since_ns_ = clock_.now_ns();
    while (clock_.now_ns() < end_ns) {
      advance(std::min(end_ns, clock_.now_ns() + 50 * kNsPerMs));
      // Whoever seems settled may sit on a link that has died in silence, or may not have heard of
      // the last message yet: that takes the beats of a client to find out.
      if (!clients_->all_online() || !clients_->settled()) {
        quiet_since_ns_ = clock_.now_ns();
        continue;
      }
      if (clock_.now_ns() - quiet_since_ns_ < kQuietMs * kNsPerMs) continue;
      converged_ = true;
      return;
    }
  }

  Outcome judge() {
    tell_log();
    clients_->tell_what_was_shown();
    Outcome outcome;
    outcome.converged = converged_;
    for (const check::Violation& each : history_.judge()) {
      outcome.violations.push_back(std::string(check::to_string(each.promise)) + ": " + each.text);
    }
    for (const std::string& each : clients_->broken()) outcome.violations.push_back(each);
    if (!converged_) outcome.log = clients_->unsettled();
    outcome.trace_hash = network_.trace_hash();
    outcome.sends = history_.sends();
    outcome.acknowledged = history_.acknowledgements();
    outcome.shown = history_.shown_count();
    outcome.room_messages = clients_->rooms().received;
    outcome.reconnects = clients_->stats().disconnects;
    outcome.void_refused = clients_->void_refused();
    node_->add_stats(server_, shards_);
    outcome.server = server_;
    outcome.shards = shards_;
    outcome.simulated_ms = clock_.now_ns() / kNsPerMs;
    return outcome;
  }

  // The rows themselves, as the disk has them.
  void tell_log();

  const SimulationOptions options_;
  base::Random random_;
  base::ManualClock clock_;
  ring::SimNetwork network_;
  tests::SimulatedDisk disk_;
  proto::KeyRing keys_;
  check::History history_;
  ring::SimProactor client_proactor_;
  NodeLife life_;
  std::unique_ptr<NodeUnderTest> node_;
  std::unique_ptr<ClientHost> clients_;
  ring::ProactorStats server_;
  service::ShardStats shards_;
  uint64_t quiet_since_ns_ = 0;
  bool converged_ = false;
};

void Simulation::tell_log() {
  store::Statement& rows = disk_.connection().statement(store::Query::page_forward);
  for (uint32_t i = 0; i < options_.clients; i += 2) {
    const proto::ConversationId id = clients_->conversation_of(i);
    rows.bind(1, id.a);
    rows.bind(2, id.b);
    rows.bind(3, uint64_t{0});
    rows.bind(4, proto::kIdMax);
    while (rows.step() == store::Step::row) {
      const proto::ClientMessageId message = store::to_message_id(rows.bytes(2));
      history_.logged({id.a, id.b}, rows.number(0), {rows.number(1), message.high, message.low},
                      body_hash(std::as_bytes(std::span(rows.bytes(6)))));
    }
    rows.reset();
  }
}

// Probability of a fault that a run has at all.
double maybe(base::Random& random, double most) {
  return random.chance(0.5) ? 0 : most * random.unit();
}

}  // namespace

SimulationOptions random_options(uint64_t seed) {
  base::Random random(seed ^ 0x73696d);
  SimulationOptions options;
  options.seed = seed;
  options.shards = 1 + static_cast<uint32_t>(random.below(3));
  options.kills = static_cast<uint32_t>(random.below(3));
  options.cuts = static_cast<uint32_t>(random.below(2));
  options.buffers = 1 + static_cast<uint32_t>(random.below(8));
  options.completions = random.chance(0.3) ? 3 : 64;
  ring::SimFaults& network = options.network;
  network.window_bytes = random.chance(0.3) ? 2'048 : 64 * 1024;
  network.latency_max_ns = random.chance(0.3) ? 50'000'000 : 400'000;
  network.short_send = maybe(random, 0.5);
  network.split = maybe(random, 0.5);
  network.reset = maybe(random, 0.02);
  network.half_open = maybe(random, 0.002);
  network.stale = maybe(random, 0.5);
  network.refuse = maybe(random, 0.1);
  tests::StoreFaults& store = options.store;
  store.busy = maybe(random, 0.1);
  store.full = maybe(random, 0.1);
  store.unknown_before = maybe(random, 0.1);
  store.unknown_after = maybe(random, 0.1);
  store.race = maybe(random, 0.1);
  store.broken = random.chance(0.2) ? 0.01 : 0;
  store.latency_max_ns = random.chance(0.3) ? 50'000'000 : 2'000'000;
  options.mailbox_entries = random.chance(0.5) ? 2 : 4'096;
  options.mail_overflow = random.chance(0.5) ? 65'536 : static_cast<uint32_t>(random.below(20));
  return options;
}

Outcome simulate(const SimulationOptions& options) {
  return Simulation(options).run();
}

std::string Outcome::text() const {
  std::string text =
      "trace " + std::to_string(trace_hash) + ", " + std::to_string(sends) + " sends, " +
      std::to_string(acknowledged) + " acknowledged, " + std::to_string(shown) + " shown, " +
      std::to_string(room_messages) + " in rooms, " + std::to_string(reconnects) + " reconnects, " +
      std::to_string(void_refused) + " void tokens refused, pool empty " +
      std::to_string(server.pool_empty) + ", overflows " + std::to_string(server.overflows) +
      ", short sends " + std::to_string(server.sends_short) + ", stale " +
      std::to_string(server.stale) + ", mail full " + std::to_string(shards.mail_full) +
      " refused " + std::to_string(shards.mail_refused) + " paused " +
      std::to_string(shards.mail_paused) + ", gaps " + std::to_string(shards.room_gaps) + ", " +
      std::to_string(simulated_ms) + " ms\n";
  if (!converged) text += "did not converge:\n" + log;
  for (const std::string& each : violations) text += each + "\n";
  return text;
}

}  // namespace ringtalk::sim
