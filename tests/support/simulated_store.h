// tests/support/simulated_store.h: tests. A Store on one thread, whose faults come from a seed.
//
// The real commit protocol and the real SQL, on a database in memory behind a connection that
// fails as told. A batch takes time to commit and its answers take time to leave; whoever owns the
// store calls step() when due_ns() has come. A SimulatedDisk outlives its stores: destroying a
// store without stop() is kill -9, which loses what was queued and every answer still inside.
// Thread rule: one thread. Invariant: the same seed, calls and times give the same answers.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "store/commit.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace ringtalk::tests {

// Chances are for each batch.
struct StoreFaults {
  double busy = 0;            // locked by others: nothing happens
  double full = 0;            // no space at the commit: nothing happens
  double unknown_before = 0;  // the connection is lost at the commit, which did not happen
  double unknown_after = 0;   // the same, and it did
  double race = 0;            // a row of another writer: rolled back and run again
  double broken = 0;          // the flush fails: the store is over
  uint64_t latency_min_ns = 50'000;
  uint64_t latency_max_ns = 2'000'000;
  uint32_t batch_max = 256;
  uint32_t requests_max = 4'096;
  // A planted bug: answers leave before the commit, which a kill then undoes.
  bool acknowledge_before_commit = false;
};

// A connection that fails by plan. `planned` is what happens to the transaction under way.
class FaultyConnection final : public store::Connection {
 public:
  enum class Plan : uint8_t { good, busy, full, unknown_before, unknown_after, race, broken, late };

  explicit FaultyConnection(store::SqliteConnection& real) : real_(real) {}

  void plan(Plan next) noexcept { plan_ = next; }
  // With Plan::late: what commit() only pretended.
  void commit_late();
  void forget_late();

  store::Statement& statement(store::Query query) override { return real_.statement(query); }
  store::SqlError begin_write() override;
  store::SqlError begin_read() override { return real_.begin_read(); }
  store::SqlError commit() override;
  void rollback() override { real_.rollback(); }
  uint64_t rows_changed() const override { return real_.rows_changed(); }
  store::SqlError error() const override {
    return error_ != store::SqlError::none ? error_ : real_.error();
  }
  std::string error_text() const override { return "simulated"; }
  store::SqlError reconnect() override { return store::SqlError::none; }
  store::SqlError tidy() override { return store::SqlError::none; }

 private:
  store::SqlError fail(store::SqlError error);

  store::SqliteConnection& real_;
  Plan plan_ = Plan::good;
  store::SqlError error_ = store::SqlError::none;
  bool late_ = false;
};

class SimulatedDisk {
 public:
  SimulatedDisk();
  store::SqliteConnection& connection() noexcept { return *connection_; }
  // Before a store is on it.
  proto::UserId add_user(const std::string& name, const std::string& password_hash,
                         const base::Clock& clock);
  // What a node learns at its start.
  store::Revocations revocations(uint64_t now_ms);

 private:
  std::unique_ptr<store::SqliteConnection> connection_;
};

class SimulatedStore final : public store::Store {
 public:
  SimulatedStore(SimulatedDisk& disk, store::ReplySink& sink, const base::Clock& clock,
                 uint64_t seed, const StoreFaults& faults);
  ~SimulatedStore() override;

  bool submit(store::Request&& request, const store::Ticket& ticket) noexcept override;
  // Does all the work that is left, at once.
  void stop() noexcept override;
  std::string describe() const override { return "simulated:"; }

  // When something happens next, UINT64_MAX: nothing is under way.
  uint64_t due_ns() const noexcept;
  // Does what is due. False: nothing was.
  bool step();
  void set_faults(const StoreFaults& faults) noexcept { faults_ = faults; }
  // While it is away, everything that is submitted fails as unavailable.
  void set_away(bool away) noexcept { away_ = away; }

 private:
  enum class Phase : uint8_t { idle, committing, answering };
  void take_batch();
  void commit();
  void answer();
  FaultyConnection::Plan draw();
  uint64_t latency();

  store::ReplySink& sink_;
  const base::Clock& clock_;
  base::Random random_;
  StoreFaults faults_;
  FaultyConnection connection_;
  store::Commit commit_;
  std::deque<store::Work> queue_;
  std::vector<store::Work> batch_;
  std::vector<store::Answer> answers_;
  Phase phase_ = Phase::idle;
  uint64_t due_ns_ = UINT64_MAX;
  bool away_ = false;
  bool failed_ = false;
  bool stopped_ = false;
};

}  // namespace ringtalk::tests
