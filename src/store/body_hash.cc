#include "store/body_hash.h"

#include <sodium.h>

#include "base/assert.h"

namespace ringtalk::store {
namespace {

void put(unsigned char* out, uint64_t value) {
  for (int i = 0; i < 8; i++) out[i] = static_cast<unsigned char>(value >> (8 * i));
}

}  // namespace

BodyHash body_hash(const proto::ConversationId& conversation, uint8_t kind, proto::Seq reply_to,
                   std::string_view body) noexcept {
  unsigned char head[32];
  put(head, conversation.a);
  put(head + 8, conversation.b);
  put(head + 16, kind);
  put(head + 24, reply_to);

  crypto_generichash_state state;
  BodyHash hash;
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  crypto_generichash_update(&state, head, sizeof head);
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(body.data()),
                            body.size());
  const int code =
      crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  ASSERT(code == 0);
  return hash;
}

}  // namespace ringtalk::store
