// src/store/body_hash.h: public. The hash that tells a repeated send from another one.
//
// BLAKE2b, 16 bytes, over conversation, kind, reply_to and body. It is kept in the store, so it
// never changes.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "proto/ids.h"

namespace ringtalk::store {

using BodyHash = std::array<char, 16>;

BodyHash body_hash(const proto::ConversationId& conversation, uint8_t kind, proto::Seq reply_to,
                   std::string_view body) noexcept;

}  // namespace ringtalk::store
