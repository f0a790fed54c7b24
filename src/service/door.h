// src/service/door.h: internal to the service. Where other threads reach a shard.
//
// Mail from other shards goes through a bounded mailbox; what already exists on the heap (replies
// of the store, finished passwords, statistics) is linked in; orders of the main thread are bits.
// Nobody blocks. Thread rule: as marked. Invariants: what was put in before prepare_sleep() answers
// true is seen by the owner first; what is put in afterwards wakes it. What is left in the door
// when it is destroyed is freed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/handoff.h"
#include "base/inbox.h"
#include "base/waker.h"
#include "service/mail.h"
#include "service/stats.h"
#include "store/store.h"

namespace ringtalk::service {

struct PasswordJob;

namespace orders {
inline constexpr uint32_t kDrain = 1;
inline constexpr uint32_t kHurry = 2;
inline constexpr uint32_t kReload = 4;
}  // namespace orders

class Door {
 public:
  Door(base::Waker& waker, uint32_t mailbox_entries) : waker_(waker), mailbox_(mailbox_entries) {}
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // ---- any thread
  // False: the mailbox is full.
  [[nodiscard]] bool post(const Mail& mail) noexcept;
  void deliver(std::unique_ptr<store::ReplyBatch> batch) noexcept;
  void deliver(PasswordJob* job) noexcept;
  void ask(StatsPart* part) noexcept;
  void answer(StatsRound* round) noexcept;
  void order(uint32_t bits) noexcept;

  // ---- the owner
  bool pop(Mail& mail) noexcept { return mailbox_.pop(mail); }
  store::ReplyBatch* replies() noexcept { return replies_.take_all(); }
  PasswordJob* passwords() noexcept;
  StatsPart* questions() noexcept { return questions_.take_all(); }
  StatsRound* answers() noexcept { return answers_.take_all(); }
  uint32_t orders() noexcept { return orders_.exchange(0, std::memory_order_seq_cst); }
  // False: something has arrived, do not wait. After true: awake() behind the wait.
  bool prepare_sleep() noexcept;
  void awake() noexcept { mailbox_.awake(); }
  bool has_mail() const noexcept { return !mailbox_.empty(); }

 private:
  base::Waker& waker_;
  base::Inbox<Mail> mailbox_;
  base::Handoff<store::ReplyBatch> replies_;
  base::Handoff<PasswordJob> passwords_;
  base::Handoff<StatsPart> questions_;
  base::Handoff<StatsRound> answers_;
  std::atomic<uint32_t> orders_{0};
};

}  // namespace ringtalk::service
