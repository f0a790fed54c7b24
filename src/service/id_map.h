// src/service/id_map.h: internal to the service. From an id to an index, open addressing.
//
// Linear probing over 12-byte entries, deletion by shifting back, so a look-up is one cache line
// nearly always and nothing is left behind. It grows by doubling at 3/4, and that is its only
// allocation. Ids are never 0. Thread rule: one owner. Invariant: no way to iterate: nothing may
// depend on its order.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "proto/ids.h"

namespace ringtalk::service {

inline constexpr uint32_t kNoIndex = UINT32_MAX;

class IdMap {
 public:
  IdMap() : keys_(16, 0), values_(16, 0) {}

  uint32_t find(uint64_t id) const noexcept {
    ASSERT(id != 0);
    for (size_t at = place(id);; at = next(at)) {
      if (keys_[at] == id) return values_[at];
      if (keys_[at] == 0) return kNoIndex;
    }
  }

  void insert(uint64_t id, uint32_t index) {
    ASSERT(find(id) == kNoIndex);
    if ((count_ + 1) * 4 > keys_.size() * 3) grow();
    place_new(id, index);
    count_++;
  }

  void erase(uint64_t id) noexcept {
    size_t hole = place(id);
    while (keys_[hole] != id) {
      ASSERT(keys_[hole] != 0);
      hole = next(hole);
    }
    for (size_t at = next(hole); keys_[at] != 0; at = next(at)) {
      // An entry may move back to the hole unless its own place lies behind the hole.
      if (((at - place(keys_[at])) & mask()) >= ((at - hole) & mask())) {
        keys_[hole] = keys_[at];
        values_[hole] = values_[at];
        hole = at;
      }
    }
    keys_[hole] = 0;
    count_--;
  }

  size_t count() const noexcept { return count_; }

 private:
  size_t mask() const noexcept { return keys_.size() - 1; }
  size_t place(uint64_t id) const noexcept { return proto::mix(id) & mask(); }
  size_t next(size_t at) const noexcept { return (at + 1) & mask(); }

  void place_new(uint64_t id, uint32_t index) noexcept {
    size_t at = place(id);
    while (keys_[at] != 0) at = next(at);
    keys_[at] = id;
    values_[at] = index;
  }

  void grow() {
    std::vector<uint64_t> keys(keys_.size() * 2, 0);
    std::vector<uint32_t> values(keys.size(), 0);
    keys.swap(keys_);
    values.swap(values_);
    for (size_t i = 0; i < keys.size(); i++) {
      if (keys[i] != 0) place_new(keys[i], values[i]);
    }
  }

  std::vector<uint64_t> keys_;
  std::vector<uint32_t> values_;
  size_t count_ = 0;
};

}  // namespace ringtalk::service
