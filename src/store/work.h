// src/store/work.h: private to src/store. A request on its way through the store.
//
// Ownership: the batch owns its works; answers are built beside them and leave together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/store.h"

namespace ringtalk::store {

struct Work {
  Request request;
  Ticket ticket;
};

// Whether the request changes something: those that do go through the writer.
bool is_write(const Request& request) noexcept;
// Ids and sizes are what the tables take. What a peer said reaches the store unchecked in parts.
bool is_valid(const Request& request) noexcept;
// What it costs in the queue.
uint64_t bytes_of(const Request& request) noexcept;

inline constexpr uint32_t kRetryAfterMs = 500;

// `unavailable` carries kRetryAfterMs.
Failed failed(const Request& request, StoreError error) noexcept;

// Hands answers[i] to the shard of batch[i]: one batch of replies for each shard, in order.
void deliver(std::span<Work> batch, std::vector<Answer>& answers, ReplySink& sink);

}  // namespace ringtalk::store
