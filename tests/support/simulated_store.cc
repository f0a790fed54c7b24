#include "tests/support/simulated_store.h"

#include <utility>

#include "base/assert.h"
#include "store/reads.h"
#include "store/sqlite_schema.h"

namespace ringtalk::tests {

using store::SqlError;

SqlError FaultyConnection::fail(SqlError error) {
  plan_ = Plan::good;
  error_ = error;
  return error;
}

SqlError FaultyConnection::begin_write() {
  error_ = SqlError::none;
  if (plan_ == Plan::busy) return fail(SqlError::busy);
  commit_late();
  return real_.begin_write();
}

SqlError FaultyConnection::commit() {
  switch (plan_) {
    case Plan::good:
    case Plan::busy:
      return real_.commit();
    case Plan::full:
      return fail(SqlError::full);
    case Plan::race:
      return fail(SqlError::unique);
    case Plan::broken:
      real_.rollback();
      return fail(SqlError::broken);
    case Plan::unknown_before:
      real_.rollback();
      return fail(SqlError::unknown);
    case Plan::unknown_after:
      if (real_.commit() != SqlError::none) return real_.error();
      return fail(SqlError::unknown);
    case Plan::late:
      plan_ = Plan::good;
      late_ = true;
      return SqlError::none;
  }
  UNREACHABLE();
}

void FaultyConnection::commit_late() {
  if (!std::exchange(late_, false)) return;
  const SqlError error = real_.commit();
  ASSERT(error == SqlError::none);
}

void FaultyConnection::forget_late() {
  if (std::exchange(late_, false)) real_.rollback();
}

SimulatedDisk::SimulatedDisk() {
  constexpr uint64_t kMadeMs = 1;
  auto opened = store::SqliteConnection::open("", store::SqliteConnection::Mode::memory, 0);
  ASSERT(opened.ok());
  connection_ = std::move(*opened);
  const auto migrated = store::migrate(*connection_, store::sqlite_migrations(), kMadeMs);
  ASSERT(migrated.ok());
  const SqlError prepared = connection_->prepare();
  ASSERT(prepared == SqlError::none);
}

proto::UserId SimulatedDisk::add_user(const std::string& name, const std::string& password_hash,
                                      const base::Clock& clock) {
  std::vector<store::Work> batch(1);
  batch[0].request = store::CreateUser{name, password_hash};
  std::vector<store::Answer> answers;
  const store::Ended ended = store::Commit(*connection_, clock).run(batch, answers);
  ASSERT(ended == store::Ended::answered);
  return std::get<store::UserCreated>(answers.at(0)).user;
}

store::Revocations SimulatedDisk::revocations(uint64_t now_ms) {
  store::Answer answer;
  const bool read = store::answer_read(*connection_, store::LoadRevocations{now_ms}, answer);
  ASSERT(read);
  return std::get<store::Revocations>(std::move(answer));
}

SimulatedStore::SimulatedStore(SimulatedDisk& disk, store::ReplySink& sink,
                               const base::Clock& clock, uint64_t seed, const StoreFaults& faults)
    : sink_(sink),
      clock_(clock),
      random_(seed),
      faults_(faults),
      connection_(disk.connection()),
      commit_(connection_, clock) {
  ASSERT(faults.latency_min_ns <= faults.latency_max_ns);
}

SimulatedStore::~SimulatedStore() {
  connection_.forget_late();
}

bool SimulatedStore::submit(store::Request&& request, const store::Ticket& ticket) noexcept {
  if (failed_ || stopped_ || queue_.size() >= faults_.requests_max) return false;
  queue_.push_back({std::move(request), ticket});
  if (phase_ == Phase::idle && due_ns_ == UINT64_MAX) due_ns_ = clock_.now_ns();
  return true;
}

uint64_t SimulatedStore::due_ns() const noexcept {
  return due_ns_;
}

uint64_t SimulatedStore::latency() {
  const uint64_t spread = faults_.latency_max_ns - faults_.latency_min_ns + 1;
  return faults_.latency_min_ns + random_.below(spread);
}

bool SimulatedStore::step() {
  if (clock_.now_ns() < due_ns_) return false;
  switch (phase_) {
    case Phase::idle:
      take_batch();
      return true;
    case Phase::committing:
      commit();
      return true;
    case Phase::answering:
      answer();
      return true;
  }
  UNREACHABLE();
}

void SimulatedStore::take_batch() {
  ASSERT(!queue_.empty() && batch_.empty());
  const uint64_t most = 1 + random_.below(faults_.batch_max);
  while (!queue_.empty() && batch_.size() < most) {
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  phase_ = Phase::committing;
  due_ns_ = clock_.now_ns() + latency();
}

FaultyConnection::Plan SimulatedStore::draw() {
  using Plan = FaultyConnection::Plan;
  if (away_ || random_.chance(faults_.busy)) return Plan::busy;
  if (random_.chance(faults_.full)) return Plan::full;
  if (random_.chance(faults_.unknown_before)) return Plan::unknown_before;
  if (random_.chance(faults_.unknown_after)) return Plan::unknown_after;
  if (random_.chance(faults_.race)) return Plan::race;
  if (random_.chance(faults_.broken)) return Plan::broken;
  return faults_.acknowledge_before_commit ? Plan::late : Plan::good;
}

void SimulatedStore::commit() {
  connection_.plan(draw());
  if (commit_.run(batch_, answers_) == store::Ended::broken) {
    failed_ = true;
    queue_.clear();
    batch_.clear();
    due_ns_ = UINT64_MAX;
    sink_.store_failed("simulated: the flush failed");
    return;
  }
  phase_ = Phase::answering;
  due_ns_ = clock_.now_ns() + latency();
}

void SimulatedStore::answer() {
  phase_ = Phase::idle;
  due_ns_ = queue_.empty() ? UINT64_MAX : clock_.now_ns();
  std::vector<store::Work> batch = std::exchange(batch_, {});
  std::vector<store::Answer> answers = std::exchange(answers_, {});
  store::deliver(batch, answers, sink_);
}

void SimulatedStore::stop() noexcept {
  stopped_ = true;
  while (due_ns_ != UINT64_MAX) {
    if (phase_ == Phase::idle) {
      take_batch();
    } else if (phase_ == Phase::committing) {
      commit();
    } else {
      answer();
    }
  }
  connection_.commit_late();
}

}  // namespace ringtalk::tests
