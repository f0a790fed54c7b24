#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "base/assert.h"

namespace ringtalk::base {

void Histogram::Free::operator()(uint64_t* memory) const noexcept {
  std::free(memory);
}

// calloc gives pages that the kernel maps when they are first touched: a run's latencies touch few.
Histogram::Histogram() : counts_(static_cast<uint64_t*>(std::calloc(kIndexes, sizeof(uint64_t)))) {
  ASSERT(counts_ != nullptr);
}

size_t Histogram::index_of(uint64_t value) noexcept {
  ASSERT(value <= kHighest);
  // How often the value must be halved to lie below 2,048.
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - int{kHalfBits} - 1);
  const size_t index = (static_cast<size_t>(shift) << kHalfBits) + (value >> shift);
  ASSERT(index < kIndexes);
  return index;
}

uint64_t Histogram::lowest_of(size_t index) noexcept {
  ASSERT(index < kIndexes);
  if (index < 2 * kHalf) return index;
  const size_t shift = (index >> kHalfBits) - 1;
  return ((index & (kHalf - 1)) + kHalf) << shift;
}

uint64_t Histogram::highest_of(size_t index) noexcept {
  if (index < 2 * kHalf) return index;
  const size_t shift = (index >> kHalfBits) - 1;
  return lowest_of(index) + (uint64_t{1} << shift) - 1;
}

void Histogram::record(uint64_t value, uint64_t times) noexcept {
  value = std::min(value, kHighest);
  counts_[index_of(value)] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  ASSERT(this != &other);
  if (other.count_ == 0) return;
  const std::span<const uint64_t> counts = other.counts();
  for (size_t i = index_of(other.min_); i < counts.size(); i++) {
    if (counts[i] != 0) counts_[i] += counts[i];
  }
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::span<const uint64_t> Histogram::counts() const noexcept {
  return {counts_.get(), count_ == 0 ? 0 : index_of(max_) + 1};
}

double Histogram::mean() const noexcept {
  if (count_ == 0) return 0;
  double sum = 0;
  const std::span<const uint64_t> all = counts();
  for (size_t i = 0; i < all.size(); i++) {
    const double middle = (static_cast<double>(lowest_of(i)) + highest_of(i)) / 2;
    sum += static_cast<double>(all[i]) * middle;
  }
  return sum / static_cast<double>(count_);
}

uint64_t Histogram::value_at(double quantile) const noexcept {
  ASSERT(quantile >= 0 && quantile <= 1);
  if (count_ == 0) return 0;
  const double exact = quantile * static_cast<double>(count_);
  // The product of two doubles may land a hair above a whole number: 0.99 of 100 is record 99.
  const uint64_t wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact - 1e-6)));
  uint64_t seen = 0;
  const std::span<const uint64_t> all = counts();
  for (size_t i = 0; i < all.size(); i++) {
    seen += all[i];
    if (seen >= wanted) return std::min(highest_of(i), max_);
  }
  return max_;
}

uint64_t Histogram::count_at_most(uint64_t value) const noexcept {
  const size_t last = index_of(std::min(value, kHighest));
  const std::span<const uint64_t> all = counts();
  uint64_t seen = 0;
  for (size_t i = 0; i < all.size() && i <= last; i++) seen += all[i];
  return seen;
}

}  // namespace ringtalk::base
