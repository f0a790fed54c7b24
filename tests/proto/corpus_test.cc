#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/random.h"
#include "frame_oracle.h"

namespace ringtalk::proto {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the fuzzer started from and what it has found stays sound, cut in several ways.
TEST(Corpus, replays) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RINGTALK_CORPUS)) {
    SCOPED_TRACE(entry.path().filename());
    const std::string stream = content_of(entry.path());
    const auto bytes = std::as_bytes(std::span(stream));
    for (const Role role : {Role::server, Role::client}) {
      const auto whole = oracle::read_whole(bytes, role);
      base::Random random(1);
      for (const size_t piece_max : {1, 7, 64, 1'000}) {
        const auto pieces = [&](size_t left) {
          return 1 + random.below(std::min(left, piece_max));
        };
        EXPECT_EQ(oracle::read_stream(bytes, role, pieces, piece_max % 8), whole);
      }
    }
    files++;
  }
  EXPECT_GE(files, 30u);
}

std::vector<oracle::Event> events_of(const char* name) {
  const std::string stream = content_of(std::filesystem::path(RINGTALK_CORPUS) / name);
  return oracle::read_whole(std::as_bytes(std::span(stream)), Role::server);
}

TEST(Corpus, means_what_its_names_say) {
  using oracle::Event;
  const auto end = [](ReadEnd e) { return Event{Event::Kind::end, static_cast<uint64_t>(e)}; };
  EXPECT_EQ(events_of("prefix_zero").back(), end(ReadEnd::bad_frame));
  EXPECT_EQ(events_of("prefix_huge").back(), end(ReadEnd::too_large));
  EXPECT_EQ(events_of("prefix_cut").size(), 1u);
  const auto large = events_of("large_body");
  ASSERT_EQ(large.size(), 2u);
  EXPECT_EQ(large[0],
            (Event{Event::Kind::refused, static_cast<uint64_t>(wire::ErrorCode::TooLarge)}));
  EXPECT_EQ(large[1], end(ReadEnd::stopped));
}

}  // namespace
}  // namespace ringtalk::proto
