// src/base/handoff.h: public. Hands heap objects from many producers to one consumer.
//
// An intrusive list: T has a public member `T* handoff_next`. It needs no capacity, because what is
// handed over already exists; whoever makes the objects bounds them.
// Thread rule: push from any thread; take_all only from the owner.
// Invariant: take_all returns everything pushed so far, FIFO for each producer.
#pragma once

#include <atomic>

namespace ringtalk::base {

template <class T>
class Handoff {
 public:
  Handoff() = default;
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;

  // True when the list was empty: the owner may have to be woken.
  bool push(T* item) noexcept {
    T* top = top_.load(std::memory_order_relaxed);
    do {
      item->handoff_next = top;
    } while (!top_.compare_exchange_weak(top, item, std::memory_order_seq_cst,
                                         std::memory_order_relaxed));
    return top == nullptr;
  }

  // The first of a list linked by handoff_next, or null. The caller owns the items.
  T* take_all() noexcept {
    T* newest = top_.exchange(nullptr, std::memory_order_seq_cst);
    T* oldest = nullptr;
    while (newest != nullptr) {
      T* next = newest->handoff_next;
      newest->handoff_next = oldest;
      oldest = newest;
      newest = next;
    }
    return oldest;
  }

  bool empty() const noexcept { return top_.load(std::memory_order_seq_cst) == nullptr; }

 private:
  std::atomic<T*> top_{nullptr};
};

}  // namespace ringtalk::base
