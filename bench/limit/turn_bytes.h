// bench/limit/turn_bytes.h: private to bench/limit. What a turn of a loop sends to every member.
//
// The messages of one turn leave in as few frames as the measured server would use: given are the
// sizes of a frame with one message, with two, and so on. A frame starts with its length (4 bytes,
// little-endian), by which the load counts. Thread rule: one owner. Invariant: what of() answers
// stays valid and unchanged, so that sends in flight may point to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <vector>

namespace ringtalk::bench {

class TurnBytes {
 public:
  explicit TurnBytes(std::vector<uint32_t> frame_bytes) : frame_bytes_(std::move(frame_bytes)) {}

  std::span<const char> of(size_t messages) {
    const auto [at, fresh] = turns_.try_emplace(messages);
    if (fresh) {
      for (size_t left = messages; left > 0;) {
        const size_t joined = std::min(left, frame_bytes_.size());
        append(at->second, frame_bytes_[joined - 1]);
        left -= joined;
      }
    }
    return at->second;
  }

 private:
  static void append(std::vector<char>& turn, uint32_t bytes) {
    const size_t begin = turn.size();
    turn.resize(begin + bytes, 'x');
    const uint32_t length = bytes - static_cast<uint32_t>(sizeof bytes);
    std::memcpy(turn.data() + begin, &length, sizeof length);
  }

  const std::vector<uint32_t> frame_bytes_;
  std::map<size_t, std::vector<char>> turns_;  // by messages
};

}  // namespace ringtalk::bench
