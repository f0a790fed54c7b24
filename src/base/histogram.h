// src/base/histogram.h: public. A histogram of microseconds that loses nothing when merged.
//
// Log-linear: values below 2,048 are exact, above that every power of two has 1,024 buckets, so a
// value is off by at most 0.1 % (3 digits) from 1 us to 1 h. The layout is that of HdrHistogram
// (lowest 1, highest 3.6e9, 3 digits), so that its V2 encoding can be written from counts().
//
//   index   0 ........ 2047 | 2048 .. 3071 | 3072 .. 4095 | ...
//   value   0 ........ 2047 | 2048 .. 4095 | 4096 .. 8191 | ...   step 1, 2, 4, ...
//
// Ownership: 188 KB of lazily touched memory each. Thread rule: one owner; merge after the fact.
// Invariants: count() is the sum of counts(); min() and max() are exact; record() never allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ringtalk::base {

class Histogram {
 public:
  static constexpr uint64_t kHighest = 3'600'000'000;  // 1 h in us; what is longer counts as 1 h
  static constexpr uint32_t kDigits = 3;
  static constexpr uint32_t kHalfBits = 10;
  static constexpr size_t kHalf = size_t{1} << kHalfBits;
  static constexpr size_t kIndexes = 23 * kHalf;

  Histogram();
  Histogram(Histogram&&) noexcept = default;
  Histogram& operator=(Histogram&&) noexcept = default;

  void record(uint64_t value) noexcept { record(value, 1); }
  void record(uint64_t value, uint64_t times) noexcept;
  void merge(const Histogram& other) noexcept;

  uint64_t count() const noexcept { return count_; }
  // 0 when empty.
  uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  uint64_t max() const noexcept { return max_; }
  double mean() const noexcept;
  // The value that a share of `quantile` (0..1) of the records do not exceed: the upper end of its
  // bucket, and never more than max(). 0 when empty.
  uint64_t value_at(double quantile) const noexcept;
  // Records that do not exceed `value`, to the precision of its bucket.
  uint64_t count_at_most(uint64_t value) const noexcept;

  // Up to the bucket of max(), inclusive.
  std::span<const uint64_t> counts() const noexcept;

  static size_t index_of(uint64_t value) noexcept;
  static uint64_t lowest_of(size_t index) noexcept;
  static uint64_t highest_of(size_t index) noexcept;

 private:
  struct Free {
    void operator()(uint64_t* memory) const noexcept;
  };

  std::unique_ptr<uint64_t[], Free> counts_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace ringtalk::base
