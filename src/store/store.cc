#include "store/store.h"

#include "base/assert.h"

namespace ringtalk::store {

const char* to_string(StoreError error) noexcept {
  switch (error) {
    case StoreError::none:
      return "none";
    case StoreError::name_taken:
      return "name taken";
    case StoreError::not_found:
      return "not found";
    case StoreError::conflict:
      return "conflict";
    case StoreError::fenced:
      return "fenced";
    case StoreError::not_member:
      return "not a member";
    case StoreError::unavailable:
      return "unavailable";
    case StoreError::bad_request:
      return "bad request";
  }
  UNREACHABLE();
}

}  // namespace ringtalk::store
