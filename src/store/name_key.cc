#include "store/name_key.h"

#include <cstdlib>

#include <utf8proc.h>

#include "base/assert.h"
#include "proto/limits.h"

namespace ringtalk::store {
namespace {

bool is_space(utf8proc_int32_t point) {
  return utf8proc_category(point) == UTF8PROC_CATEGORY_ZS;
}

bool is_allowed(utf8proc_int32_t point) {
  switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

}  // namespace

const char* to_string(NameError error) noexcept {
  switch (error) {
    case NameError::empty:
      return "empty";
    case NameError::too_long:
      return "too long";
    case NameError::not_utf8:
      return "not UTF-8";
    case NameError::bad_character:
      return "holds a character that names may not have";
    case NameError::space_at_border:
      return "begins or ends with a space";
  }
  UNREACHABLE();
}

base::Result<std::string, NameError> name_key(std::string_view name) {
  if (name.empty()) return base::Failure{NameError::empty};
  if (name.size() > proto::kNameBytesMax) return base::Failure{NameError::too_long};

  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(name.data());
  const auto size = static_cast<utf8proc_ssize_t>(name.size());
  bool last_is_space = false;
  for (utf8proc_ssize_t at = 0; at < size;) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t step = utf8proc_iterate(bytes + at, size - at, &point);
    if (step <= 0) return base::Failure{NameError::not_utf8};
    if (!is_allowed(point)) return base::Failure{NameError::bad_character};
    last_is_space = is_space(point);
    if (last_is_space && at == 0) return base::Failure{NameError::space_at_border};
    at += step;
  }
  if (last_is_space) return base::Failure{NameError::space_at_border};

  utf8proc_uint8_t* mapped = nullptr;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
  const utf8proc_ssize_t length = utf8proc_map(bytes, size, &mapped, options);
  ASSERT(length > 0);  // of valid UTF-8 only memory can be missing
  std::string key(reinterpret_cast<const char*>(mapped), static_cast<size_t>(length));
  std::free(mapped);
  return key;
}

}  // namespace ringtalk::store
