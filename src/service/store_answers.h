// src/service/store_answers.h: internal to the service. How a refusal of the store is read.
//
// Failed names the request by its index in store::Request, and why by a StoreError, which every
// part tells a client in the same way. Thread rule: pure functions. Invariant: a Failed has an
// error.
#pragma once

#include <cstddef>
#include <type_traits>
#include <variant>

#include "base/assert.h"
#include "ringtalk_generated.h"
#include "store/store.h"

namespace ringtalk::service {

namespace internal {

template <class Wanted, class... Rest>
constexpr size_t index_of(const std::variant<Rest...>*) {
  size_t at = 0;
  (void)((std::is_same_v<Wanted, Rest> || (at++, false)) || ...);
  return at;
}

}  // namespace internal

// What Failed::request_kind is for a Wanted.
template <class Wanted>
constexpr size_t kRequestKind =
    internal::index_of<Wanted>(static_cast<const store::Request*>(nullptr));

// What a client is told.
inline wire::ErrorCode error_code_of(store::StoreError error) noexcept {
  switch (error) {
    case store::StoreError::none:
      break;
    case store::StoreError::name_taken:
      return wire::ErrorCode::NameTaken;
    case store::StoreError::not_found:
      return wire::ErrorCode::NotFound;
    case store::StoreError::conflict:
      return wire::ErrorCode::Conflict;
    case store::StoreError::fenced:
      return wire::ErrorCode::Forbidden;
    case store::StoreError::not_member:
      return wire::ErrorCode::NotMember;
    case store::StoreError::unavailable:
      return wire::ErrorCode::StoreUnavailable;
    case store::StoreError::bad_request:
      return wire::ErrorCode::BadRequest;
  }
  UNREACHABLE();
}

}  // namespace ringtalk::service
