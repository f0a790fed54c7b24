#include "ring/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace ringtalk::ring {
namespace {

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

bool Address::is_loopback() const noexcept {
  switch (family) {
    case Family::none:
      return false;
    case Family::v4:
      return bytes[0] == 127;
    case Family::v6: {
      const in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
      return std::memcmp(bytes.data(), &loopback, sizeof loopback) == 0;
    }
  }
  UNREACHABLE();
}

std::optional<Address> Address::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::optional<uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;

  Address address;
  address.port = *port;
  address.family = Family::v4;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.family = Family::v6;
    host = host.substr(1, host.size() - 2);
  }
  // inet_pton wants a terminated string; nothing longer than this is an address.
  char buffer[INET6_ADDRSTRLEN];
  if (host.size() >= sizeof buffer || host.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  host.copy(buffer, host.size());
  buffer[host.size()] = '\0';
  const int family = address.family == Family::v4 ? AF_INET : AF_INET6;
  if (inet_pton(family, buffer, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

Address Address::loopback(uint16_t port) noexcept {
  Address address;
  address.bytes = {127, 0, 0, 1};
  address.port = port;
  address.family = Family::v4;
  return address;
}

std::string Address::text() const {
  if (family == Family::none) return "none";
  char host[INET6_ADDRSTRLEN];
  const bool v4 = family == Family::v4;
  const char* written = inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data(), host, sizeof host);
  ASSERT(written != nullptr);
  std::string text;
  if (!v4) text += '[';
  text += host;
  text += v4 ? ":" : "]:";
  text += std::to_string(port);
  return text;
}

}  // namespace ringtalk::ring
