#include "service/launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace ringtalk::service {
namespace {

class WriteByRename : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "ringtalk.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

TEST_F(WriteByRename, ReplacesAFileAndLeavesNothingBeside) {
  ASSERT_TRUE(write_by_rename(path("stats"), "a longer first content"));
  ASSERT_TRUE(write_by_rename(path("stats"), "second"));
  std::ifstream file(path("stats"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "second");
  const std::filesystem::directory_iterator all(folder_);
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);
}

// `--stats-file /dev/null`, given by root, once put a regular file in the place of the device, and
// every program of that machine wrote into it from then on.
TEST_F(WriteByRename, WritesToWhatIsNoFileAndLetsItStay) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  ASSERT_TRUE(write_by_rename(path("pipe"), "content"));
  char got[16] = {};
  EXPECT_EQ(::read(reader, got, sizeof got), 7);
  EXPECT_STREQ(got, "content");
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
  ::close(reader);
}

TEST_F(WriteByRename, SaysWhatToDoWhereItCannot) {
  const auto written = write_by_rename(path("no/such/folder"), "content");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().line.find("cannot write"), std::string::npos);
}

}  // namespace
}  // namespace ringtalk::service
