#include "loadgen/progress.h"

#include <gtest/gtest.h>

#include <string>

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kMs = 1'000'000;

struct Screen {
  Screen() : file(::open_memstream(&text, &size)) {}
  ~Screen() {
    std::fclose(file);
    std::free(text);
  }
  std::string shown() {
    std::fflush(file);
    return {text, size};
  }
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file;
};

TEST(Progress, ATerminalIsRedrawnAtMostFourTimesASecond) {
  Screen screen;
  Progress progress(screen.file, true);
  for (uint64_t ms = 1'000; ms < 3'000; ms += 10) progress.show(ms * kMs, {.phase = "run"});
  EXPECT_LE(progress.draws(), 8u);
  EXPECT_GE(progress.draws(), 7u);
  EXPECT_EQ(screen.shown().find('\n'), std::string::npos);
  progress.finish();
}

TEST(Progress, ElsewhereALineComesEveryFiveSecondsAndAtEachPhase) {
  Screen screen;
  Progress progress(screen.file, false);
  const char* const ramp = "ramp";
  const char* const run = "run";
  for (uint64_t ms = 1'000; ms < 13'000; ms += 50) {
    progress.show(ms * kMs, {.phase = ms < 2'000 ? ramp : run, .requested = 1'234'567});
  }
  EXPECT_EQ(progress.draws(), 1u + 3u);
  const std::string shown = screen.shown();
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 4);
  EXPECT_NE(shown.find("1,234,567 clients"), std::string::npos);
}

TEST(Progress, NothingIsDrawnWithoutAFile) {
  Progress progress(nullptr, true);
  progress.show(kMs, {.phase = "run"});
  progress.finish();
  EXPECT_EQ(progress.draws(), 0u);
}

}  // namespace
}  // namespace ringtalk::loadgen
