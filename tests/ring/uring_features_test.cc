#include "ring/uring_features.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "ring/proactor.h"
#include "uring_host.h"

namespace ringtalk::ring {
namespace {

TEST(UringFeatures, AMaskTakesAwayWhatItNamesAndNothingElse) {
  SKIP_WITHOUT_URING();
  const UringFeatures all = *UringFeatures::probe("");
  const UringFeatures some = *UringFeatures::probe("peer_name,multishot_receive");
  EXPECT_FALSE(some.peer_name);
  EXPECT_FALSE(some.multishot_receive);
  EXPECT_EQ(some.defer_taskrun, all.defer_taskrun);
  EXPECT_EQ(some.incremental_buffers, all.incremental_buffers);
  EXPECT_EQ(some.multishot_accept, all.multishot_accept);
  EXPECT_EQ(some.bounded_taskrun, all.bounded_taskrun);
  EXPECT_NE(some.text(), all.text());
  EXPECT_NE(some.text().find("without peer_name"), std::string::npos) << some.text();
}

TEST(UringFeatures, AnUnknownNameIsAnErrorThatTellsTheNames) {
  SKIP_WITHOUT_URING();
  const auto wrong = UringFeatures::probe("peer_name,pear_name");
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().text.find("\"pear_name\""), std::string::npos) << wrong.error().text;
  EXPECT_NE(wrong.error().text.find("defer_taskrun"), std::string::npos) << wrong.error().text;
}

TEST(UringFeatures, TheRungOfAProactorIsTheOneItWasMadeWith) {
  SKIP_WITHOUT_URING();
  ProactorOptions options = ProactorOptions::test_min();
  options.uring_mask = "incremental_buffers";
  const auto made = make_proactor(Backend::io_uring, options);
  ASSERT_TRUE(made.ok());
  EXPECT_STREQ((*made)->backend(), "io_uring");
  EXPECT_EQ((*made)->rung(), UringFeatures::probe("incremental_buffers")->text());
}

TEST(UringFeatures, ARefusalNamesCauseAndRemedy) {
  for (const int number : {EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, EFAULT}) {
    const std::string text = uring_setup_error(number).text;
    EXPECT_TRUE(text.starts_with("io_uring: ")) << text;
    EXPECT_NE(text.find("; "), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST(UringFeatures, ATableBeyondTheDescriptorLimitSaysWhatToDo) {
  SKIP_WITHOUT_URING();
  ProactorOptions options;
  options.connections = kSlotNone >> 8;
  const auto made = make_proactor(Backend::io_uring, options);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().text.find("ulimit -n"), std::string::npos) << made.error().text;
}

}  // namespace
}  // namespace ringtalk::ring
