#include "proto/error_text.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ringtalk::proto {
namespace {

TEST(ErrorText, EachCodeHasASentenceOfItsOwnThatIsNotItsName) {
  const std::string_view unknown = sentence_of(static_cast<wire::ErrorCode>(60'000));
  std::set<std::string_view> seen = {unknown};
  for (const wire::ErrorCode code : wire::EnumValuesErrorCode()) {
    const std::string_view sentence = sentence_of(code);
    EXPECT_TRUE(seen.insert(sentence).second) << wire::EnumNameErrorCode(code);
    EXPECT_NE(sentence.find(' '), std::string_view::npos) << sentence;
    EXPECT_EQ(sentence.find(wire::EnumNameErrorCode(code)), std::string_view::npos) << sentence;
    EXPECT_NE(sentence.back(), '.');
  }
}

}  // namespace
}  // namespace ringtalk::proto
