#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include <memory>

#include "tools/ringtalk/options.h"

namespace ringtalk::tool {
namespace {

constexpr char kDefaultPort[] = "7380";

ring::Address address_of(const addrinfo& found) {
  ring::Address address;
  if (found.ai_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(found.ai_addr);
    address.family = ring::Family::v4;
    memcpy(address.bytes.data(), &in->sin_addr, sizeof in->sin_addr);
    address.port = ntohs(in->sin_port);
  } else {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(found.ai_addr);
    address.family = ring::Family::v6;
    memcpy(address.bytes.data(), &in->sin6_addr, sizeof in->sin6_addr);
    address.port = ntohs(in->sin6_port);
  }
  return address;
}

}  // namespace

base::Result<std::vector<ring::Address>, ResolveError> resolve(const std::string& server) {
  if (const auto address = ring::Address::parse(server)) return std::vector{*address};
  std::string host = server;
  std::string port = kDefaultPort;
  const size_t colon = server.rfind(':');
  const bool bracketed = server.starts_with('[');
  if (colon != std::string::npos && (!bracketed || server[colon - 1] == ']')) {
    host = server.substr(0, colon);
    port = server.substr(colon + 1);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (error != 0) {
    return base::Failure{ResolveError{"no address for '" + server + "': " + ::gai_strerror(error) +
                                      "; write it as HOST:PORT"}};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  std::vector<ring::Address> addresses;
  for (const addrinfo* found = list; found != nullptr; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    addresses.push_back(address_of(*found));
  }
  if (addresses.empty()) return base::Failure{ResolveError{"no address for '" + server + "'"}};
  return addresses;
}

}  // namespace ringtalk::tool
