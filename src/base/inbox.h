// src/base/inbox.h: public. A bounded queue with many producers and one consumer.
//
// Entries are copied by value into cells of a ring that is allocated once (Vyukov's bounded queue:
// a sequence number per cell says whose turn it is). Nobody ever blocks: push answers false when
// full. Thread rule: push from any thread; pop, sleep and awake only from the owner. Invariants:
// FIFO for each producer; an entry pushed before the owner's prepare_sleep() is seen by it, one
// pushed after makes push answer "wake the owner" (Pushed::wake).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/assert.h"

namespace ringtalk::base {

enum class Pushed : uint8_t { full, queued, wake };

template <class Entry>
class Inbox {
  static_assert(std::is_trivially_copyable_v<Entry>);

 public:
  explicit Inbox(size_t capacity) : mask_(capacity - 1), cells_(new Cell[capacity]) {
    ASSERT(std::has_single_bit(capacity));
    for (size_t i = 0; i < capacity; i++) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  Pushed push(const Entry& entry) noexcept {
    uint64_t at = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[at & mask_];
      const uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == at) {
        if (tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          cell.entry = entry;
          cell.turn.store(at + 1, std::memory_order_seq_cst);
          return sleeping_.load(std::memory_order_seq_cst) ? Pushed::wake : Pushed::queued;
        }
      } else if (turn < at) {
        return Pushed::full;
      } else {
        at = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  bool pop(Entry& entry) noexcept {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return false;
    entry = cell.entry;
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
    head_++;
    return true;
  }

  bool empty() const noexcept {
    return cells_[head_ & mask_].turn.load(std::memory_order_seq_cst) != head_ + 1;
  }

  // The owner says that it is about to wait. False: something has arrived, do not wait.
  bool prepare_sleep() noexcept {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (empty()) return true;
    sleeping_.store(false, std::memory_order_relaxed);
    return false;
  }
  void awake() noexcept { sleeping_.store(false, std::memory_order_relaxed); }

  size_t capacity() const noexcept { return mask_ + 1; }

 private:
  struct Cell {
    std::atomic<uint64_t> turn;
    Entry entry;
  };

  const size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) uint64_t head_ = 0;
  std::atomic<bool> sleeping_{false};
};

}  // namespace ringtalk::base
