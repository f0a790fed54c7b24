#include "service/door.h"

#include "base/assert.h"
#include "service/password.h"

namespace ringtalk::service {

Door::~Door() {
  for (store::ReplyBatch* batch = replies_.take_all(); batch != nullptr;) {
    store::ReplyBatch* next = batch->handoff_next;
    delete batch;
    batch = next;
  }
  for (PasswordJob* job = passwords_.take_all(); job != nullptr;) {
    PasswordJob* next = job->handoff_next;
    delete job;
    job = next;
  }
  for (StatsRound* round = answers_.take_all(); round != nullptr;) {
    StatsRound* next = round->handoff_next;
    delete round;
    round = next;
  }
}

bool Door::post(const Mail& mail) noexcept {
  const base::Pushed pushed = mailbox_.push(mail);
  if (pushed == base::Pushed::wake) waker_.wake();
  return pushed != base::Pushed::full;
}

// Only the push that finds a list empty wakes: the owner takes the whole list at once.
void Door::deliver(std::unique_ptr<store::ReplyBatch> batch) noexcept {
  ASSERT(batch != nullptr);
  if (replies_.push(batch.release())) waker_.wake();
}

void Door::deliver(PasswordJob* job) noexcept {
  if (passwords_.push(job)) waker_.wake();
}

PasswordJob* Door::passwords() noexcept {
  return passwords_.take_all();
}

void Door::ask(StatsPart* part) noexcept {
  if (questions_.push(part)) waker_.wake();
}

void Door::answer(StatsRound* round) noexcept {
  if (answers_.push(round)) waker_.wake();
}

void Door::order(uint32_t bits) noexcept {
  ASSERT(bits != 0);
  orders_.fetch_or(bits, std::memory_order_seq_cst);
  waker_.wake();
}

bool Door::prepare_sleep() noexcept {
  if (!mailbox_.prepare_sleep()) return false;
  if (replies_.empty() && passwords_.empty() && questions_.empty() && answers_.empty() &&
      orders_.load(std::memory_order_seq_cst) == 0) {
    return true;
  }
  mailbox_.awake();
  return false;
}

}  // namespace ringtalk::service
