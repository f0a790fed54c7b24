// src/ring/address.h: public. An IPv4 or IPv6 address with a port, as a value.
//
// Thread rule: none, a value. Invariant: `bytes` holds 4 bytes (v4) or 16 (v6) in network order and
// the rest is zero, so addresses compare and hash as bytes. `port` is in host order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringtalk::ring {

enum class Family : uint8_t { none, v4, v6 };

struct Address {
  std::array<uint8_t, 16> bytes{};
  uint16_t port = 0;
  Family family = Family::none;

  bool operator==(const Address&) const = default;
  bool is_loopback() const noexcept;

  // "127.0.0.1:7380", "[::1]:7380". No names: resolving is the caller's business.
  static std::optional<Address> parse(std::string_view text);
  static Address loopback(uint16_t port) noexcept;
  std::string text() const;
};

}  // namespace ringtalk::ring
