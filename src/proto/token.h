// src/proto/token.h: public. The 64 bytes with which a device comes back without its password.
//
//   0 version u8 | 1 key_id u8 | 2 flags u16 | 4 epoch u32 | 8 user u64 | 16 device u64
//   24 expires_ms u64 | 32 mac[32]                                            little-endian
//   mac = BLAKE2b-256 keyed with the ring's key over "ringtalk-token-1" and bytes 0..31
//
// Checked from memory alone, in constant time: no store, no password hash. Whether the epoch is
// still valid is the service's question. Ownership: values. Thread rule: a KeyRing is built before
// the shards start and then only read, by any thread.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "proto/ids.h"
#include "proto/limits.h"

namespace ringtalk::proto {

inline constexpr uint8_t kTokenVersion = 1;
inline constexpr uint16_t kTokenLoad = 1;   // a provisioned user (is_load_user), no rate buckets
inline constexpr uint16_t kTokenAdmin = 2;  // may ask Stats
inline constexpr size_t kTokenKeyBytes = 32;

using TokenKey = std::array<uint8_t, kTokenKeyBytes>;
using TokenBytes = std::array<std::byte, kTokenBytes>;

struct Token {
  uint8_t key_id = 0;  // filled in by mint
  uint16_t flags = 0;
  uint32_t epoch = 0;
  UserId user = 0;
  DeviceId device = 0;
  uint64_t expires_ms = 0;

  bool operator==(const Token&) const = default;
  bool load() const noexcept { return (flags & kTokenLoad) != 0; }
  bool admin() const noexcept { return (flags & kTokenAdmin) != 0; }
};

// For counters and logs; the peer sees TokenInvalid for each of them.
enum class TokenError : uint8_t { malformed, unknown_version, unknown_key, forged, expired };
const char* to_string(TokenError) noexcept;

// Keys by key_id; tokens are minted with the current one and checked with theirs.
class KeyRing {
 public:
  // `key` becomes the current one. Keys rotate by adding; forget() ends the tokens of an old one.
  void add(uint8_t key_id, const TokenKey& key) noexcept;
  void forget(uint8_t key_id) noexcept;
  bool empty() const noexcept { return present_.none(); }

  TokenBytes mint(const Token& token) const noexcept;
  // `now_ms` is wall time: a token is good until its expires_ms.
  base::Result<Token, TokenError> check(std::span<const std::byte> bytes,
                                        uint64_t now_ms) const noexcept;

 private:
  std::array<TokenKey, 256> keys_{};
  std::bitset<256> present_;
  uint8_t current_ = 0;
};

struct KeyFileError {
  std::string text;  // one line: what, why, what to do
};

// 32 raw bytes or 64 hexadecimal digits (white space behind them is ignored). Refused when group
// or others can read the file.
base::Result<TokenKey, KeyFileError> read_token_key(const std::string& path);

}  // namespace ringtalk::proto
