// src/store/name_key.h: public. What makes two names the same.
//
// Names are kept as they were typed; the key decides who is who: Unicode case folding and NFC
// (UAX #15, Unicode 15 canonical caseless matching), compared as bytes. Invariant: the key of a key
// is itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ringtalk::store {

enum class NameError : uint8_t {
  empty,
  too_long,  // more than proto::kNameBytesMax bytes
  not_utf8,
  bad_character,  // control, format, private or unassigned: invisible, or different everywhere
  space_at_border,
};
const char* to_string(NameError) noexcept;

base::Result<std::string, NameError> name_key(std::string_view name);

}  // namespace ringtalk::store
