#include "proto/token.h"

#include <sodium.h>

#include <bit>
#include <cstring>

#include "base/assert.h"

namespace ringtalk::proto {
namespace {

constexpr char kContext[] = "ringtalk-token-1";
constexpr size_t kContextBytes = sizeof kContext - 1;
constexpr size_t kSignedBytes = 32;
constexpr size_t kMacBytes = 32;
static_assert(kSignedBytes + kMacBytes == kTokenBytes);
static_assert(std::endian::native == std::endian::little);

template <class T>
void put(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

template <class T>
T get(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void compute_mac(const TokenKey& key, const std::byte* token, unsigned char* mac) noexcept {
  unsigned char text[kContextBytes + kSignedBytes];
  std::memcpy(text, kContext, kContextBytes);
  std::memcpy(text + kContextBytes, token, kSignedBytes);
  const int failed = crypto_generichash(mac, kMacBytes, text, sizeof text, key.data(), key.size());
  ASSERT(failed == 0);
}

}  // namespace

const char* to_string(TokenError error) noexcept {
  switch (error) {
    case TokenError::malformed:
      return "malformed";
    case TokenError::unknown_version:
      return "unknown version";
    case TokenError::unknown_key:
      return "unknown key";
    case TokenError::forged:
      return "forged";
    case TokenError::expired:
      return "expired";
  }
  UNREACHABLE();
}

void KeyRing::add(uint8_t key_id, const TokenKey& key) noexcept {
  // Chooses the fastest hash of this processor; without it the portable one would serve.
  ASSERT(sodium_init() >= 0);
  keys_[key_id] = key;
  present_.set(key_id);
  current_ = key_id;
}

void KeyRing::forget(uint8_t key_id) noexcept {
  ASSERT(key_id != current_);
  keys_[key_id] = {};
  present_.reset(key_id);
}

TokenBytes KeyRing::mint(const Token& token) const noexcept {
  ASSERT(present_.test(current_));
  ASSERT(is_id(token.user));
  TokenBytes bytes;
  put<uint8_t>(&bytes[0], kTokenVersion);
  put<uint8_t>(&bytes[1], current_);
  put<uint16_t>(&bytes[2], token.flags);
  put<uint32_t>(&bytes[4], token.epoch);
  put<uint64_t>(&bytes[8], token.user);
  put<uint64_t>(&bytes[16], token.device);
  put<uint64_t>(&bytes[24], token.expires_ms);
  compute_mac(keys_[current_], bytes.data(),
              reinterpret_cast<unsigned char*>(&bytes[kSignedBytes]));
  return bytes;
}

base::Result<Token, TokenError> KeyRing::check(std::span<const std::byte> bytes,
                                               uint64_t now_ms) const noexcept {
  if (bytes.size() != kTokenBytes) return base::Failure{TokenError::malformed};
  const std::byte* at = bytes.data();
  if (get<uint8_t>(at) != kTokenVersion) return base::Failure{TokenError::unknown_version};
  const auto key_id = get<uint8_t>(at + 1);
  if (!present_.test(key_id)) return base::Failure{TokenError::unknown_key};

  unsigned char mac[kMacBytes];
  compute_mac(keys_[key_id], at, mac);
  if (sodium_memcmp(mac, at + kSignedBytes, kMacBytes) != 0) {
    return base::Failure{TokenError::forged};
  }
  const Token token{.key_id = key_id,
                    .flags = get<uint16_t>(at + 2),
                    .epoch = get<uint32_t>(at + 4),
                    .user = get<uint64_t>(at + 8),
                    .device = get<uint64_t>(at + 16),
                    .expires_ms = get<uint64_t>(at + 24)};
  if (!is_id(token.user)) return base::Failure{TokenError::malformed};
  if (now_ms >= token.expires_ms) return base::Failure{TokenError::expired};
  return token;
}

}  // namespace ringtalk::proto
