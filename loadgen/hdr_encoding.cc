#include "loadgen/hdr_encoding.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint32_t kCookie = 0x1c849313;
constexpr uint32_t kCookieCompressed = 0x1c849314;
constexpr size_t kHeaderBytes = 40;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using Bytes = std::vector<uint8_t>;

template <class T>
void put_big_endian(Bytes& out, T value) {
  for (size_t i = sizeof value; i-- > 0;) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// ZigZag, then LEB128 of at most nine bytes: the ninth carries eight bits.
void put_count(Bytes& out, int64_t count) {
  uint64_t value = (static_cast<uint64_t>(count) << 1) ^ static_cast<uint64_t>(count >> 63);
  for (int i = 0; i < 8; i++) {
    if (value < 0x80) {
      out.push_back(static_cast<uint8_t>(value));
      return;
    }
    out.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<uint8_t>(value));
}

std::string to_base64(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = uint32_t{bytes[i]} << 16;
    if (have > 1) group |= uint32_t{bytes[i + 1]} << 8;
    if (have > 2) group |= bytes[i + 2];
    for (size_t k = 0; k < 4; k++) {
      text.push_back(k <= have ? kDigits[(group >> (18 - 6 * k)) & 63] : '=');
    }
  }
  return text;
}

Bytes plain(const base::Histogram& histogram) {
  Bytes payload;
  const std::span<const uint64_t> counts = histogram.counts();
  for (size_t i = 0; i < counts.size();) {
    size_t empty = i;
    while (empty < counts.size() && counts[empty] == 0) empty++;
    if (empty > i) {
      put_count(payload, -static_cast<int64_t>(empty - i));
      i = empty;
    } else {
      put_count(payload, static_cast<int64_t>(counts[i++]));
    }
  }
  Bytes out;
  put_big_endian(out, kCookie);
  put_big_endian(out, static_cast<uint32_t>(payload.size()));
  put_big_endian(out, uint32_t{0});
  put_big_endian(out, base::Histogram::kDigits);
  put_big_endian(out, uint64_t{1});
  put_big_endian(out, base::Histogram::kHighest);
  put_big_endian(out, std::bit_cast<uint64_t>(1.0));
  ASSERT(out.size() == kHeaderBytes);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

}  // namespace

std::string hdr_encode(const base::Histogram& histogram) {
  const Bytes bytes = plain(histogram);
  uLongf size = ::compressBound(bytes.size());
  Bytes packed(size);
  const int status = ::compress2(packed.data(), &size, bytes.data(), bytes.size(), 9);
  ASSERT(status == Z_OK);
  Bytes out;
  put_big_endian(out, kCookieCompressed);
  put_big_endian(out, static_cast<uint32_t>(size));
  out.insert(out.end(), packed.begin(), packed.begin() + static_cast<ptrdiff_t>(size));
  return to_base64(out);
}

}  // namespace ringtalk::loadgen
