#include "store/name_key.h"

#include <gtest/gtest.h>

namespace ringtalk::store {
namespace {

std::string key(std::string_view name) {
  const auto result = name_key(name);
  return result.ok() ? *result : std::string("refused: ") + to_string(result.error());
}

TEST(NameKey, FoldsCase) {
  EXPECT_EQ(key("Straße"), key("STRASSE"));
  EXPECT_EQ(key("ANNA"), "anna");
  EXPECT_EQ(key("ΣΊΣΥΦΟΣ"), key("σίσυφος"));
  EXPECT_NE(key("anna"), key("änna"));
}

TEST(NameKey, TakesComposedAndDecomposedForTheSame) {
  EXPECT_EQ(key("caf\u00e9"), key("cafe\u0301"));
  EXPECT_EQ(key("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(key("\uac00"), key("\u1100\u1161"));  // Hangul syllable and its letters
  EXPECT_EQ(key("\u212b"), key("\u00c5"));        // angstrom sign and A with ring
}

TEST(NameKey, KeepsCompatibilityCharactersApart) {
  EXPECT_NE(key("\ufb01"), "refused");
  EXPECT_NE(key("x\u00b2"), key("x2"));
}

TEST(NameKey, OfAKeyIsTheKey) {
  for (const char* name : {"Straße", "CAFE\u0301", "ΣΊΣΥΦΟΣ", "\u0130stanbul", "\u01c4", "名前"}) {
    EXPECT_EQ(key(key(name)), key(name)) << name;
  }
}

TEST(NameKey, RefusesWhatIsNotUtf8) {
  for (const char* bad : {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    ASSERT_FALSE(name_key(bad).ok());
    EXPECT_EQ(name_key(bad).error(), NameError::not_utf8) << bad;
  }
}

TEST(NameKey, RefusesInvisibleCharacters) {
  for (const char* bad : {"a\nb", "a\x7f", "a\u0085", "a\u200b",
                          "\u202e"
                          "abc",
                          "a\u2028", "\ue000", "a\ufeff", "\U0010ffff"}) {
    ASSERT_FALSE(name_key(bad).ok()) << bad;
    EXPECT_EQ(name_key(bad).error(), NameError::bad_character) << bad;
  }
  EXPECT_FALSE(name_key(std::string_view("a\0b", 3)).ok());
}

TEST(NameKey, RefusesBordersAndLengths) {
  EXPECT_EQ(name_key("").error(), NameError::empty);
  EXPECT_EQ(name_key(" anna").error(), NameError::space_at_border);
  EXPECT_EQ(name_key("anna\u00a0").error(), NameError::space_at_border);
  EXPECT_EQ(name_key(" ").error(), NameError::space_at_border);
  EXPECT_TRUE(name_key("anna b").ok());
  EXPECT_TRUE(name_key(std::string(64, 'x')).ok());
  EXPECT_EQ(name_key(std::string(65, 'x')).error(), NameError::too_long);
}

}  // namespace
}  // namespace ringtalk::store
