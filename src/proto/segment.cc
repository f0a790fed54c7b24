#include "proto/segment.h"

#include <algorithm>
#include <new>

namespace ringtalk::proto {

SegmentDepot::~SegmentDepot() {
  ASSERT(bytes() == 0);  // writers are destroyed first
}

Segment* SegmentDepot::make(SegmentWriter* writer, uint32_t capacity) {
  uint32_t index;
  {
    std::lock_guard lock(mutex_);
    if (free_indexes_.empty()) {
      index = next_index_++;
      free_indexes_.reserve(next_index_);  // so that free() never allocates
    } else {
      index = free_indexes_.back();
      free_indexes_.pop_back();
    }
  }
  void* memory = ::operator new (sizeof(Segment) + capacity, std::align_val_t{alignof(Segment)});
  bytes_.fetch_add(sizeof(Segment) + capacity, std::memory_order_relaxed);
  return new (memory) Segment{.writer = writer, .index = index, .capacity = capacity};
}

void SegmentDepot::free(Segment* segment) noexcept {
  {
    std::lock_guard lock(mutex_);
    free_indexes_.push_back(segment->index);
  }
  bytes_.fetch_sub(sizeof(Segment) + segment->capacity, std::memory_order_relaxed);
  segment->~Segment();
  ::operator delete (segment, std::align_val_t{alignof(Segment)});
}

SegmentWriter::SegmentWriter(SegmentDepot& depot, uint32_t capacity, uint32_t pooled_max)
    : depot_(depot), capacity_(capacity), pooled_max_(pooled_max) {
  ASSERT(capacity > 0 && capacity % alignof(uint64_t) == 0);
}

SegmentWriter::~SegmentWriter() {
  if (current_ != nullptr) drop_reference(current_);
  collect();
  ASSERT(live_ == 0);  // nobody holds or carries a range any more
  while (pool_ != nullptr) {
    Segment* segment = pool_;
    pool_ = segment->handoff_next;
    depot_.free(segment);
  }
}

void SegmentWriter::next_segment() {
  if (current_ != nullptr) drop_reference(current_);
  collect();
  if (pool_ != nullptr) {
    current_ = pool_;
    pool_ = current_->handoff_next;
    pooled_--;
  } else {
    current_ = depot_.make(this, capacity_);
    made_++;
  }
  live_++;
  current_->used = 0;
  current_->handoff_next = nullptr;
  current_->references.store(1, std::memory_order_relaxed);
}

void SegmentWriter::collect() noexcept {
  for (Segment* segment = returned_.take_all(); segment != nullptr;) {
    Segment* next = segment->handoff_next;
    ASSERT(segment->references.load(std::memory_order_relaxed) == 0);
    ASSERT(live_ > 0);
    live_--;
    if (pooled_ < pooled_max_) {
      segment->handoff_next = pool_;
      pool_ = segment;
      pooled_++;
    } else {
      depot_.free(segment);
    }
    segment = next;
  }
}

void drop_reference(Segment* segment) noexcept {
  const uint32_t before = segment->references.fetch_sub(1, std::memory_order_acq_rel);
  ASSERT(before > 0);
  if (before == 1) segment->writer->returned_.push(segment);
}

void SegmentUses::grow(uint32_t index) {
  uses_.resize(std::max<size_t>({size_t{index} + 1, uses_.size() * 2, 64}));
}

}  // namespace ringtalk::proto
