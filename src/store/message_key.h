// src/store/message_key.h: private to src/store. A client message id as it lies in the store: 16
// bytes, big-endian, so that its order as bytes is its order as a number.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "proto/ids.h"

namespace ringtalk::store {

static_assert(std::endian::native == std::endian::little);

using MessageKey = std::array<char, 16>;

inline MessageKey to_key(const proto::ClientMessageId& id) noexcept {
  const uint64_t words[2] = {__builtin_bswap64(id.high), __builtin_bswap64(id.low)};
  MessageKey key;
  std::memcpy(key.data(), words, key.size());
  return key;
}

inline proto::ClientMessageId to_message_id(std::string_view key) noexcept {
  uint64_t words[2];
  ASSERT(key.size() == sizeof words);
  std::memcpy(words, key.data(), sizeof words);
  return {__builtin_bswap64(words[0]), __builtin_bswap64(words[1])};
}

}  // namespace ringtalk::store
